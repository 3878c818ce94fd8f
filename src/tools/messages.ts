import { OrchestratorError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { badParameter, given, optionalText, required, text } from './parameters.ts';
import type { Action, ActionContext } from './port.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** A condition as the compiler hands it on: the text of an expression, or a value that was already computed. */
function holds(parameters: JsonObject, context: ActionContext): boolean {
  const condition = required(parameters, 'condition');
  const value = typeof condition === 'string' ? context.evaluate(condition, {}) : condition;
  return isTrue(value);
}

/** Truth as in templates: null, false, zero and what is empty are not true. */
export function isTrue(value: Json): boolean {
  if (value === null || value === false || value === 0 || value === '') return false;
  return typeof value !== 'object' || (Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0);
}

function schema(properties: JsonObject, required: string[]): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

const CONDITION: JsonObject = {
  type: ['string', 'boolean'],
  'x-expression': true,
  'x-auto': false,
  description: 'An expression over the inputs and results of the pipeline.',
};

/** Actions that only say or judge something. */
export const MESSAGE_ACTIONS: Action[] = [
  {
    name: 'echo',
    summary: 'Gives its text back.',
    effect: 'pure',
    powers: [],
    parameters: schema({ text: { type: 'string', description: 'The text.' } }, ['text']),
    result: { type: 'string', description: 'The text.' },
    example: '- id: hello\n  action: echo\n  parameters: { text: "hello {{ name }}" }',
    run: parameters => text(parameters, 'text'),
  },
  {
    name: 'log',
    summary: 'Writes a line into the log of the run.',
    effect: 'idempotent',
    powers: [],
    parameters: schema(
      { text: { type: 'string', description: 'The line.' }, level: { type: 'string', enum: [...LEVELS], default: 'info', description: 'How grave it is.' } },
      ['text'],
    ),
    result: { type: 'string', description: 'The text.' },
    example: '- id: tell\n  action: log\n  parameters: { text: "{{ read.count }} pages read", level: info }',
    run: (parameters, context) => {
      const level = LEVELS.find(known => known === text(parameters, 'level'));
      if (level === undefined) throw badParameter('level', `one of ${LEVELS.join(', ')}`);
      context.log(level, text(parameters, 'text'));
      return text(parameters, 'text');
    },
  },
  {
    name: 'fail',
    summary: 'Fails the task.',
    effect: 'pure',
    powers: [],
    parameters: schema({ message: { type: 'string', default: 'The pipeline says that it cannot go on.', description: 'Why.' } }, []),
    result: { type: 'null', description: 'It never completes.' },
    example: '- id: stop\n  action: fail\n  condition: "{{ read.count == 0 }}"\n  parameters: { message: No page could be read. }',
    run: parameters => {
      throw new OrchestratorError('ORC-220', text(parameters, 'message'), { class: 'assertion' });
    },
  },
  {
    name: 'assert',
    summary: 'Fails the task unless a condition is true.',
    effect: 'pure',
    powers: [],
    parameters: schema({ condition: CONDITION, message: { type: 'string', description: 'What to say where it is not true.' } }, ['condition']),
    result: schema({ passed: { type: 'boolean', description: 'Always true: else the task has failed.' } }, ['passed']),
    example: '- id: check\n  action: assert\n  parameters: { condition: "search.count > 0", message: Nothing was found. }',
    run: (parameters, context) => {
      if (holds(parameters, context)) return { passed: true };
      throw new OrchestratorError('ORC-220', optionalText(parameters, 'message') ?? `It is not true that ${String(given(parameters, 'condition'))}.`, {
        class: 'assertion',
      });
    },
  },
  {
    name: 'evaluate_condition',
    summary: 'Says whether a condition is true.',
    effect: 'pure',
    powers: [],
    parameters: schema({ condition: CONDITION }, ['condition']),
    result: schema({ result: { type: 'boolean', description: 'Whether it is true.' } }, ['result']),
    example: '- id: long\n  action: evaluate_condition\n  parameters: { condition: "summary | length > 500" }',
    run: (parameters, context) => ({ result: holds(parameters, context) }),
  },
];
