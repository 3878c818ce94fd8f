import type { Code } from '../../codes.ts';
import { nearest } from '../../ids.ts';
import type { Argument } from './ast.ts';
import { FILTERS } from './filters.ts';
import { FUNCTIONS } from './functions.ts';
import { METHODS } from './methods.ts';
import { checkArguments, type Described } from './signature.ts';
import { TESTS } from './tests.ts';

/** One problem of an expression or template, as data. Offsets are in the text that was parsed. */
export interface ExpressionProblem {
  code: Code;
  message: string;
  start: number;
  end: number;
  /** What stands beside the carets. */
  label?: string;
  help: string[];
}

type Place = { readonly start: number; readonly end: number };

const TABLES = { filter: FILTERS, test: TESTS, function: FUNCTIONS, method: METHODS } as const;

/** Of Jinja2 and not of this language, with what to write instead. */
const ABSENT: ReadonlyMap<string, string[]> = new Map([
  ['joiner', ["join(', ') puts a text between members; inside a loop: {% if not loop.last %}, {% endif %}"]],
  ['cycler', ["inside a loop: loop.cycle('a', 'b')"]],
  ['lipsum', []],
  ['caller', []],
  ['super', []],
  ['random', ['a run must come out the same again: take a member by its place, or draw it in a task']],
]);

/** One pass reports no more than so many problems. */
export const MOST_PROBLEMS = 100;

/** How many arguments stand before the name of a filter or test that is given as a text. */
const NAMING: ReadonlyMap<string, number> = new Map([
  ['map', 0],
  ['select', 0],
  ['reject', 0],
  ['selectattr', 1],
  ['rejectattr', 1],
]);

/** Collects what is wrong with names and arguments; the tree stays whole. */
export class Checks {
  readonly problems: ExpressionProblem[];
  constructor(problems: ExpressionProblem[]) {
    this.problems = problems;
  }

  /** A filter, test, function or method with its arguments; `place` is that of its name. */
  use(kind: keyof typeof TABLES, name: string, args: readonly Argument[], place: Place): void {
    if (this.problems.length >= MOST_PROBLEMS) return;
    const known: Described | undefined = TABLES[kind].get(name);
    if (known === undefined) return this.#unknown(kind, name, place);
    const names = args.flatMap(argument => argument.name ?? []);
    const found = checkArguments(known.signature, args.length - names.length, names);
    if (found !== null) this.problems.push({ code: 'ORC-308', ...found, start: place.start, end: place.end });
    if (kind === 'filter') this.#named(name, args);
  }

  /** A name that is not called. */
  name(name: string, { start, end }: Place): void {
    if (this.problems.length >= MOST_PROBLEMS) return;
    const known = FUNCTIONS.get(name);
    if (known !== undefined) {
      const help = [`call it: ${known.signature.text}`];
      this.problems.push({ code: 'ORC-307', message: `\`${name}\` is a function and must be called`, start, end, label: 'not called', help });
    } else if (ABSENT.has(name) && name !== 'random') this.#unknown('function', name, { start, end });
  }

  /** `map('upper')`, `select('odd')` and their like name a filter or a test: as constants they can be checked now. */
  #named(filter: string, args: readonly Argument[]): void {
    const argument = args[NAMING.get(filter) ?? args.length];
    if (argument?.name !== undefined || argument?.value.kind !== 'literal' || typeof argument.value.value !== 'string') return;
    const kind = filter === 'map' ? 'filter' : 'test';
    if (!TABLES[kind].has(argument.value.value)) this.#unknown(kind, argument.value.value, argument.value);
  }

  #unknown(kind: keyof typeof TABLES, name: string, { start, end }: Place): void {
    const absent = ABSENT.get(name);
    if (absent !== undefined) {
      this.problems.push({ code: 'ORC-313', message: `\`${name}\` is not part of the language`, start, end, help: absent });
      return;
    }
    const code = kind === 'filter' ? 'ORC-306' : 'ORC-307';
    const names = [...TABLES[kind].keys()];
    const near = nearest(name, names, 1)[0];
    const label = near === undefined ? `no ${kind} has this name` : `did you mean \`${near}\`?`;
    this.problems.push({
      code,
      message: `there is no ${kind} \`${name}\``,
      start,
      end,
      label,
      help: [near === undefined ? `${kind}s: ${names.join(', ')}` : label],
    });
  }
}
