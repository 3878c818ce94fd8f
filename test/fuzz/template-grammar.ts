import { FILTERS, FUNCTIONS, METHODS, TESTS } from '../../src/language/expression/index.ts';
import type { Random } from './template-random.ts';

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)]!;
}

const NAMES = ['n', 'f', 's', 'e', 'u', 't', 'nothing', 'xs', 'ws', 'd', 'rows', 'missing', 'loop', 'x', '$item', 'constructor', '__proto__'];
const ATTRIBUTES = ['a', 'b', 'c', 'items', 'id', 'length', '__class__', 'constructor', '0', 'index', 'first'];
const LITERALS = [
  '0',
  '1',
  '-7',
  '2.5',
  '1e400',
  '1_000',
  '99999999999999999999',
  "'a'",
  '"%s {0} {{"',
  "'(a+)+$'",
  "'\\\\1'",
  'true',
  'None',
  '[]',
  '{}',
  "'😀'",
  '1GB',
  '5%',
];
const OPERATORS = ['+', '-', '*', '/', '//', '%', '**', '~', '==', '!=', '<', '>=', 'and', 'or', 'in', 'not in', '&&', '||'];
const PIECES = [
  ...OPERATORS,
  '{{',
  '}}',
  '{%',
  '%}',
  '{#',
  '#}',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '|',
  '.',
  ',',
  ':',
  "'",
  '"',
  '\\',
  '-',
  '$',
  '!',
  '\n',
  '\u0000',
  '\ud800',
  'if',
  'else',
  'endif',
  'endfor',
  'for',
  'is',
  'raw',
  'endraw',
  'file:',
];

/** Any expression, mostly well formed. */
export function anyExpression(random: Random, depth: number): string {
  if (depth <= 0) return random(2) === 0 ? pick(random, NAMES) : pick(random, LITERALS);
  const sub = (): string => anyExpression(random, depth - 1 - random(2));
  const args = (): string =>
    Array.from({ length: random(3) }, () => (random(5) === 0 ? `${pick(random, ['attribute', 'width', 'default', 'count'])}=${sub()}` : sub())).join(', ');
  switch (random(14)) {
    case 0:
      return `${sub()} ${pick(random, OPERATORS)} ${sub()}`;
    case 1:
      return `${sub()} | ${pick(random, FILTERS).name}(${args()})`;
    case 2:
      return `${sub()} | ${pick(random, FILTERS).name}`;
    case 3:
      return `${sub()} is ${random(2) === 0 ? 'not ' : ''}${pick(random, TESTS).name} ${random(2) === 0 ? sub() : ''}`;
    case 4:
      return `${pick(random, FUNCTIONS).name}(${args()})`;
    case 5:
      return `${sub()}.${pick(random, METHODS).name}(${args()})`;
    case 6:
      return `${sub()}.${pick(random, ATTRIBUTES)}`;
    case 7:
      return `${sub()}[${sub()}]`;
    case 8:
      return `${sub()}[${sub()}:${random(2) === 0 ? '' : sub()}:${sub()}]`;
    case 9:
      return `[${sub()}, ${sub()}]`;
    case 10:
      return `{${sub()}: ${sub()}}`;
    case 11:
      return `${sub()} if ${sub()} else ${sub()}`;
    case 12:
      return `(${pick(random, ['not', '-', '+', '!'])} ${sub()})`;
    default:
      return `xs | ${pick(random, ['map', 'select', 'reject', 'selectattr'])}('${pick(random, random(2) === 0 ? FILTERS : TESTS).name}', ${sub()})`;
  }
}

/** Any template, mostly well formed. */
export function anyTemplate(random: Random, depth = 3): string {
  let text = '';
  const dash = (): string => (random(6) === 0 ? '-' : '');
  const tag = (inner: string): string => `{%${dash()} ${inner} ${dash()}%}`;
  const body = (): string => (depth <= 0 ? 'x' : anyTemplate(random, depth - 1));
  const expr = (): string => anyExpression(random, 2);
  for (let i = random(4); i >= 0; i--) {
    switch (random(11)) {
      case 0:
      case 1:
        text += ` text\n${pick(random, ['', 'é', '}', '%'])}`;
        break;
      case 2:
      case 3:
        text += `{{${dash()} ${expr()} ${dash()}}}`;
        break;
      case 4:
        text += `${tag(`if ${expr()}`)}${body()}${tag('else')}${body()}${tag('endif')}`;
        break;
      case 5:
        text += `${tag(`for x in ${expr()}${random(3) === 0 ? ` if ${expr()}` : ''}`)}${body()}${pick(random, ['', tag('break'), tag('else')])}${tag('endfor')}`;
        break;
      case 6:
        text += tag(`set x = ${expr()}`);
        break;
      case 7:
        text += `${tag('set x')}${body()}${tag('endset')}`;
        break;
      case 8:
        text += `${tag(`with y = ${expr()}`)}${body()}${tag('endwith')}`;
        break;
      case 9:
        text += `${tag(`filter ${pick(random, FILTERS).name}`)}${body()}${tag('endfilter')}`;
        break;
      default:
        text += pick(random, [`{# ${body()} #}`, `${tag('raw')}{{ ${tag('endraw')}`, tag('macro m()'), tag(`include ${expr()}`)]);
    }
  }
  return text;
}

/** The text with a few things deleted, doubled, swapped or put in. */
export function mutate(random: Random, text: string): string {
  let out = text;
  for (let i = random(3); i >= 0; i--) {
    const at = random(out.length + 1);
    const to = Math.min(out.length, at + 1 + random(6));
    switch (random(4)) {
      case 0:
        out = out.slice(0, at) + out.slice(to);
        break;
      case 1:
        out = out.slice(0, to) + out.slice(at);
        break;
      case 2:
        out = out.slice(0, at) + pick(random, PIECES) + out.slice(at);
        break;
      default:
        out = out.slice(0, at) + pick(random, PIECES).repeat(random(80)) + out.slice(to);
    }
  }
  return out;
}

/** A template of the subset in which this language and Jinja2 must agree to the letter. */
export function commonTemplate(random: Random): string {
  switch (random(6)) {
    case 0:
      return `{% for x in ${list(random, 2)} %}{{ loop.index }}{{ x }}{% if loop.last %}.{% else %},{% endif %}{% else %}none{% endfor %}`;
    case 1:
      return `{% if ${truth(random, 2)} %}{{ ${text(random, 1)} }}{%- else -%} {{ ${int(random, 1)} }} {% endif %}`;
    case 2:
      return `{% set y = ${int(random, 2)} %}{% for r in rows if r.id > ${random(4)} %}{{ r.tag }}{{ y + r.id }}{% endfor %}`;
    case 3:
      return `{% with a = ${text(random, 1)} %}{% filter upper %}{{ a }}-{{ ${text(random, 1)} }}{% endfilter %}{% endwith %}`;
    default:
      return `{{ ${value(random, 3)} }}|{{ ${value(random, 2)} }}`;
  }
}

function value(random: Random, depth: number): string {
  return pick(random, [int, float, text, truth, list, list, text, escaped])(random, depth);
}

/** What Jinja2 marks as safe, and this language does not: only as a whole are the two alike. */
function escaped(random: Random, depth: number): string {
  return random(2) === 0 ? `(${text(random, depth - 1)}) | escape` : `(${list(random, depth - 1)}) | tojson`;
}

function int(random: Random, depth: number): string {
  if (depth <= 0) return pick(random, ['0', '1', '2', '7', '12', 'n', 'zero', 'd.a', 'xs[1]', 'rows[2].id']);
  const sub = (): string => int(random, depth - 1);
  return pick(random, [
    () => `(${sub()} ${pick(random, ['+', '-', '*', '//', '%'])} ${sub()})`,
    () => `-${sub()}`,
    () => `(${sub()} ** ${random(4)})`,
    () => `(${sub()}) | abs`,
    () => `(${list(random, depth - 1)}) | length`,
    () => `(${text(random, depth - 1)}) | length`,
    () => `(${text(random, depth - 1)}) | wordcount`,
    () => `(${text(random, depth - 1)}) | int(${random(5)})`,
    () => `(${float(random, depth - 1)}) | int`,
    () => `(${sub()} if ${truth(random, depth - 1)} else ${sub()})`,
    () => `([${sub()}, ${sub()}] | ${pick(random, ['min', 'max', 'sum', 'first', 'last'])})`,
    () => `(${text(random, depth - 1)}).count('l')`,
    () => `(missing | default(${sub()}))`,
    () => `d.get('${pick(random, ['a', 'q'])}', ${sub()})`,
    () => `(${sub()}) | round(-1)`,
  ])();
}

function float(random: Random, depth: number): string {
  if (depth <= 0) return pick(random, ['0.5', '2.5', 'f', '1e3', '7.0', 'rows[0].s', '0.1', '1.5e-7', '123456.789']);
  const sub = (): string => (random(2) === 0 ? float(random, depth - 1) : int(random, depth - 1));
  return pick(random, [
    () => `(${sub()} / ${sub()})`,
    () => `(${float(random, depth - 1)} ${pick(random, ['+', '-', '*'])} ${sub()})`,
    () => `(${float(random, depth - 1)}) | round(${random(4)}${pick(random, ['', '', ", 'ceil'", ", 'floor'"])})`,
    () => `(${sub()}) | float`,
    () => `(${float(random, depth - 1)} // ${sub()})`,
    () => `(${float(random, depth - 1)} % ${sub()})`,
    () => `-(${float(random, depth - 1)})`,
  ])();
}

function text(random: Random, depth: number): string {
  if (depth <= 0)
    return pick(random, [
      's',
      'e',
      'u',
      "'abc'",
      "'It''s'",
      "'a-b c_d'",
      "'  pad '",
      "'x,y,,z'",
      "'<b>&\\'\"'",
      "'one\\ntwo\\n\\nthree'",
      "'42'",
      "'4.5'",
      'rows[0].tag',
    ]);
  const sub = (): string => text(random, depth - 1);
  const k = (): string => String(random(12));
  return pick(random, [
    () => `(${sub()} ~ ${int(random, depth - 1)})`,
    () => `(${sub()} + ${sub()})`,
    () => `(${sub()}) | ${pick(random, ['upper', 'lower', 'title', 'capitalize', 'trim', 'reverse', 'urlencode', 'striptags', 'string'])}`,
    () => `(${sub()}).${pick(random, ['upper', 'lower', 'strip'])}()`,
    () => `(${sub()}) | replace(${pick(random, ["'l'", "'b'", "''", "' '"])}, ${sub()}${pick(random, ['', ', 1', ', 2'])})`,
    () => `(${sub()}) | truncate(${3 + random(12)}${pick(random, ['', ', true', ", false, '…', 0"])})`,
    () => `(${sub()}) | ${pick(random, ['center', 'indent'])}(${k()})`,
    () => `(${sub()}) | indent(${k()}, true, ${pick(random, ['true', 'false'])})`,
    () => `(${sub()}) | wordwrap(${1 + random(12)}${pick(random, ['', ', false', ', true, "|"', ', true, none, false'])})`,
    () => `(${sub()})[${pick(random, ['', '-'])}${k()}:${pick(random, ['', '-'])}${k()}${pick(random, ['', ':2', ':-1'])}]`,
    () => `(${sub()} * ${random(3)})`,
    () =>
      `'${pick(random, ['%s|%5s|%-5s', '%d %05d %x', '%.2f %8.3f %e', '%g %s%%'])}' | format(${int(random, depth - 1)}, ${int(random, depth - 1)}, ${int(random, depth - 1)})`,
    () =>
      `'${pick(random, ['{} {}', '{0:>6} {1:<6}|', '{1:^7}{0:+d}', '{0:,} {1:08.3f}', '{0:e} {1:.3g}'])}'.format(${int(random, depth - 1)}, ${int(random, depth - 1)})`,
    () => `(${list(random, depth - 1)}) | ${pick(random, ["join(', ')", 'join'])}`,
    () => `(${int(random, depth - 1)} * 1000) | filesizeformat${pick(random, ['', '(true)'])}`,
    () => `', '.join(ws + [${sub()}])`,
  ])();
}

function truth(random: Random, depth: number): string {
  if (depth <= 0) return pick(random, ['true', 'false', 't', 'True']);
  const sub = (): string => truth(random, depth - 1);
  return pick(random, [
    () => `(${int(random, depth - 1)} ${pick(random, ['<', '<=', '==', '!=', '>', '>='])} ${float(random, depth - 1)})`,
    () => `(${text(random, depth - 1)} ${pick(random, ['<', '==', '!=', '>=', 'in', 'not in'])} ${text(random, depth - 1)})`,
    () => `(${sub()} ${pick(random, ['and', 'or'])} ${sub()})`,
    () => `not ${sub()}`,
    () => `(${int(random, depth - 1)} is ${pick(random, ['odd', 'even', 'number', 'integer', 'float', 'string', 'divisibleby 3', 'none', 'eq 2', 'ge(1)'])})`,
    () => `(${text(random, depth - 1)} is ${pick(random, ['string', 'lower', 'upper', 'iterable', 'sequence', 'mapping', 'defined'])})`,
    () => `(${int(random, depth - 1)} in ${list(random, depth - 1)})`,
    () => `(${list(random, depth - 1)} ${pick(random, ['==', '!='])} ${list(random, depth - 1)})`,
    () => `(${text(random, depth - 1)}).${pick(random, ['startswith', 'endswith'])}(${text(random, depth - 1)})`,
    () => `missing is ${pick(random, ['', 'not '])}defined`,
    () => `(1 < ${int(random, depth - 1)} <= 5)`,
  ])();
}

/** Lists of integers. */
function list(random: Random, depth: number): string {
  if (depth <= 0) return pick(random, ['xs', '[]', '[1, 2, 3]', 'range(4) | list', 'none_of', "rows | map(attribute='id') | list"]);
  const sub = (): string => list(random, depth - 1);
  return pick(random, [
    () => `[${int(random, depth - 1)}, ${int(random, depth - 1)}]`,
    () => `(${sub()} + ${sub()})`,
    () =>
      `(${sub()}) | ${pick(random, ['sort', 'sort(reverse=true)', 'unique | list', 'reverse | list', "select('odd') | list", "reject('even') | list", "select('gt', 1) | list", "map('abs') | list"])}`,
    () => `(${sub()}) | batch(${1 + random(3)}${pick(random, ['', ', 0'])}) | map('first') | list`,
    () => `(${sub()}) | slice(${1 + random(3)}${pick(random, ['', ', 0'])}) | map('length') | list`,
    () => `(${sub()})[${pick(random, ['', '-'])}${random(4)}:${pick(random, ['', '-'])}${random(4)}]`,
    () => `range(${int(random, depth - 1)} % 9, ${int(random, depth - 1)} % 9, ${1 + random(3)}) | list`,
    () => `rows | selectattr('${pick(random, ['ok', "tag', 'eq', 'a", "s', '>', '0'"].slice(0, 2))}') | map(attribute='id') | list`,
    () => `rows | sort(attribute='${pick(random, ['s', 'tag', 'tag,s', 'ok'])}'${pick(random, ['', ', reverse=true'])}) | map(attribute='id') | list`,
    () => `rows | groupby('tag') | map('last') | map('length') | list`,
    () => `(d | dictsort | map('last') | list)[:1]`,
    () => `(${text(random, depth - 1)}).split(${pick(random, ["' '", "','", '', "'l', 1"])}) | map('length') | list`,
  ])();
}
