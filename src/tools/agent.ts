import type { JsonObject } from '../json.ts';
import type { Action } from './port.ts';
import { ATTACHMENT_PARAMETERS, MODEL_PARAMETERS } from './prompts.ts';

const TOOL: JsonObject = {
  type: ['string', 'object'],
  minLength: 1,
  required: ['action'],
  additionalProperties: false,
  properties: {
    action: { type: 'string', minLength: 1 },
    name: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
    description: { type: 'string' },
    fixed: { type: 'object' },
    free: { type: ['array', 'object'], items: { type: 'string' }, additionalProperties: { type: ['object', 'boolean'] } },
    allow_side_effects: { type: 'boolean' },
  },
};

export const AGENT_ACTIONS: Action[] = [
  {
    name: 'agent',
    summary: 'Has a model pursue a goal with tools: actions that the author of the task lists, and no others.',
    effect: 'read',
    powers: ['model'],
    description:
      'A tool is the name of an action, or { action, name, description, fixed, free, allow_side_effects }. `fixed` holds parameters that the author settles; `free` names those that the model may choose, or maps them to a narrower schema; without it, it is all that is not fixed. ' +
      'What no model may decide by itself (addresses, commands, code, headers, expressions) is free only with an enum or a pattern. An action that changes something is refused to the model unless its tool says `allow_side_effects: true`. ' +
      'Every reply of the model and every tool call is journaled as a step: after a crash the agent goes on where it was, and nothing is paid for or done twice.',
    parameters: {
      type: 'object',
      required: ['tools'],
      anyOf: [{ required: ['goal'] }, { required: ['prompt'] }],
      additionalProperties: false,
      properties: {
        goal: { type: 'string', minLength: 1, description: 'What is to be reached.' },
        prompt: { type: 'string', minLength: 1, description: 'The same as goal.' },
        data: { type: 'object', description: 'What the model is to work with, by name. It is shown as data, and is no instruction.' },
        tools: { type: 'array', items: TOOL, 'x-auto': false, 'x-actions': true, description: 'The actions that the model may ask for.' },
        max_steps: {
          type: 'integer',
          minimum: 1,
          maximum: 1000,
          default: 10,
          description: 'So many tool calls at most, refused ones included; then it is asked for its answer.',
        },
        max_cost_usd: {
          type: 'number',
          minimum: 0,
          description: 'What its model calls may cost at most, in dollars. One that could cost more than is left is not made.',
        },
        ...ATTACHMENT_PARAMETERS,
        ...MODEL_PARAMETERS,
      },
    },
    result: {
      type: 'object',
      required: ['answer', 'steps', 'cost_usd', 'stopped'],
      additionalProperties: false,
      properties: {
        answer: { type: ['string', 'null'], description: 'What the model says in the end; null where it came to no end.' },
        steps: {
          type: 'array',
          description: 'The tool calls in their order: { tool, arguments, result } or { tool, arguments, error }.',
          items: {
            type: 'object',
            required: ['tool', 'arguments'],
            additionalProperties: false,
            properties: {
              tool: { type: 'string' },
              arguments: true,
              result: true,
              error: { type: 'object', properties: { code: { type: 'string' }, message: { type: 'string' } } },
            },
          },
        },
        cost_usd: { type: ['number', 'null'], description: 'What its model calls cost, those of its tools included; null where a price is unknown.' },
        stopped: { type: 'string', enum: ['answer', 'max_steps', 'max_cost'], description: 'Why it ended.' },
      },
    },
    example:
      '- id: research\n  action: agent\n  parameters:\n    goal: "Find out from the notes when the museum opens."\n    tools:\n      - filesystem.list\n      - { action: filesystem.read, free: [path] }\n    max_steps: 8',
    run: async (parameters, context) => new (await import('./agent-loop.ts')).Agent(parameters, context).run(),
  },
];
