import { isFloat, numberOf, integerOf } from './numbers.ts';
import { applyCompare, contains } from './operators.ts';
import { toText } from './print.ts';
import { byName, test, wantInteger, type Test } from './signature.ts';
import { isRecord, kindOf, Undefined, type Value } from './values.ts';
import type { CompareOperator } from './ast.ts';
import type { Run } from './run.ts';

/** One test under several names; those that are operators can only be named by a text. */
function comparison(names: string[], operator: CompareOperator, summary: string, left: number, right: number): Test[] {
  return names.map(name => {
    const example = /\w/.test(name) ? `{{ ${left} is ${name} ${right} }}` : `{{ [${left}] | select('${name}', ${right}) | length == 1 }}`;
    return test(`${name}(other)`, summary, example, 'true', (input, [other], run) => applyCompare(operator, input, other!, run));
  });
}

/** The parity of an integer: 0 or 1. */
function parity(value: Value, name: string, run: Run): number {
  const number = numberOf(value);
  if (number === undefined) throw run.fail(`\`${name}\` wants a number, not ${kindOf(value)}`);
  return Math.abs(number % 2);
}

const ALL: Test[] = [
  test('boolean', 'It is true or false.', '{{ true is boolean }}', 'true', input => typeof input === 'boolean'),
  test('callable', 'Never so: no value can be called.', '{{ 1 is callable }}', 'false', () => false),
  test('defined', 'The name or attribute exists.', '{{ missing is defined }}', 'false', input => !(input instanceof Undefined)),
  test('divisibleby(num)', 'It can be divided without a rest.', '{{ 6 is divisibleby 3 }}', 'true', (input, [divisor], run) => {
    const by = wantInteger(divisor!, 'num', run);
    if (by === 0) throw run.fail('division by zero');
    return wantInteger(input, 'the value', run) % by === 0;
  }),
  test('escaped', 'Never so: texts are plain.', "{{ '' is escaped }}", 'false', () => false),
  test('even', 'It is an even number.', '{{ 2 is even }}', 'true', (input, _args, run) => parity(input, 'even', run) === 0),
  test('false', 'It is false.', '{{ false is false }}', 'true', input => input === false),
  test(
    'filter',
    'There is a filter of this name.',
    "{{ 'upper' is filter }}",
    'true',
    (input, _args, run) => typeof input === 'string' && run.knows('filter', input),
  ),
  test('float', 'It is a float.', '{{ 2.0 is float }}', 'true', input => isFloat(input)),
  test('in(container)', 'It is in a list, map or text.', '{{ 2 is in [1, 2] }}', 'true', (input, [container], run) => contains(container!, input, run)),
  test('integer', 'It is an integer.', '{{ 2 is integer }}', 'true', input => typeof input !== 'boolean' && integerOf(input) !== undefined),
  test('iterable', 'A loop can go through it: a list, a map, a text.', '{{ [] is iterable }}', 'true', input => isSequence(input)),
  test('lower', 'All its letters are small.', "{{ 'abc' is lower }}", 'true', (input, _args, run) => hasCase(toText(input, run), 'toLowerCase')),
  test('mapping', 'It is a map.', '{{ {} is mapping }}', 'true', input => isRecord(input)),
  test('none', 'It is none.', '{{ none is none }}', 'true', input => input === null),
  test('number', 'It is a number (a boolean counts as one, as in Python).', '{{ 1.5 is number }}', 'true', input => numberOf(input) !== undefined),
  test('odd', 'It is an odd number.', '{{ 3 is odd }}', 'true', (input, _args, run) => parity(input, 'odd', run) === 1),
  test('sameas(other)', 'It is the very same value.', '{{ none is sameas none }}', 'true', (input, [other]) => input === other),
  test('sequence', 'It has a length: a list, a map, a text.', "{{ 'abc' is sequence }}", 'true', input => isSequence(input)),
  test('string', 'It is text.', "{{ 'a' is string }}", 'true', input => typeof input === 'string'),
  test('test', 'There is a test of this name.', "{{ 'odd' is test }}", 'true', (input, _args, run) => typeof input === 'string' && run.knows('test', input)),
  test('true', 'It is true.', '{{ true is true }}', 'true', input => input === true),
  test('undefined', 'The name or attribute does not exist.', '{{ missing is undefined }}', 'true', input => input instanceof Undefined),
  test('upper', 'All its letters are large.', "{{ 'ABC' is upper }}", 'true', (input, _args, run) => hasCase(toText(input, run), 'toUpperCase')),
  ...comparison(['eq', 'equalto', '=='], '==', 'It equals another value.', 1, 1),
  ...comparison(['ne', '!='], '!=', 'It does not equal another value.', 1, 2),
  ...comparison(['gt', 'greaterthan', '>'], '>', 'It is greater than another value.', 2, 1),
  ...comparison(['ge', '>='], '>=', 'It is greater than another value, or equal.', 2, 2),
  ...comparison(['lt', 'lessthan', '<'], '<', 'It is less than another value.', 1, 2),
  ...comparison(['le', '<='], '<=', 'It is less than another value, or equal.', 1, 1),
];

/** Tests by name. Those that are operators are for `select` and its like: `select('>', 2)`. */
export const TESTS = byName(ALL);

/** The tests that take what is not defined. */
export function isDefinedTest(name: string): boolean {
  return name === 'defined' || name === 'undefined';
}

function isSequence(value: Value): boolean {
  return typeof value === 'string' || Array.isArray(value) || isRecord(value);
}

function hasCase(text: string, method: 'toLowerCase' | 'toUpperCase'): boolean {
  return text[method]() === text && text.toLowerCase() !== text.toUpperCase();
}
