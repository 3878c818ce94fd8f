import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import type { Json } from '../json.ts';
import { checkSchema } from '../schema.ts';
import type { ActionSpec } from '../tools/port.ts';
import { PIPELINE_KEYS, TASK_KEYS } from './keys.ts';
import { pipelineSchema } from './schema.ts';

const ACTIONS: ActionSpec[] = [
  {
    name: 'web_search',
    summary: 'Searches the web',
    effect: 'read',
    powers: ['network'],
    parameters: {
      type: 'object',
      required: ['query'],
      properties: { query: { type: 'string' }, max_results: { type: 'integer', description: 'How many' } },
      additionalProperties: false,
    },
    result: true,
  },
  { name: 'echo', summary: 'Gives back a text', effect: 'pure', powers: [], parameters: true, result: true },
  { name: 'log', summary: 'Logs', effect: 'pure', powers: [], parameters: { type: 'object', properties: { level: true } }, result: true },
];

function valid(text: string): boolean {
  return checkSchema(pipelineSchema(ACTIONS), parseYaml(text) as Json).length === 0;
}

const task = (keys: string): string => `pipeline: { name: p, version: 1.0, tasks: [{ id: a, ${keys} }] }`;

describe('pipelineSchema', () => {
  test.each<[string, string, boolean]>([
    ['both forms', 'name: p\ntasks: [{ id: a, action: echo }]', true],
    ['the wrapped form', task('action: echo, condition: true, timeout: 2m, retry: 3'), true],
    ['accepted spellings', 'name: p\nsteps: [{ id: a, tool: filesystem, action: write, depends_on: "b, c", if: x }]', true],
    ['parameters of an action', task('action: web_search, parameters: { query: x, max_results: 3 }'), true],
    ['computed parameters', task('action: web_search, parameters: { query: x, max_results: "{{ n }}" }'), true],
    ['a parameter of another type', task('action: web_search, parameters: { query: x, max_results: many }'), false],
    ['a parameter that is missing', task('action: web_search, parameters: { max_results: 3 }'), false],
    ['a parameter that nobody knows', task('action: web_search, parameters: { query: x, quarry: 3 }'), false],
    ['a key that nobody knows', task('action: echo, dependecies: [b]'), false],
    ["a key of one's own", task('action: echo, x-own: 1'), true],
    ['tasks that are no list', 'pipeline: { name: p, version: "1", tasks: none }', false],
    ['a body', task('for_each: "{{ xs }}", tasks: [{ action: web_search, parameters: { query: 5 } }]'), false],
    ['handlers', task('action: echo, on_error: [{ action: log, retry: true, match: { classes: [timeout] } }]'), true],
    ['a handler for what is no class', task('action: echo, on_error: [{ match: { classes: [late] } }]'), false],
    ['inputs', 'name: p\ninputs: { a: 3, b: { type: integer, default: 1, minimum: 0 }, c: }\ntasks: [{ id: a, action: echo }]', true],
    ['an input of no type', 'name: p\ninputs: { a: { type: integre } }\ntasks: [{ id: a, action: echo }]', false],
  ])('%s', (_name, text, expected) => {
    expect(valid(text)).toBe(expected);
  });

  test('offers every key with a line about it, and no other spelling', () => {
    const schema = pipelineSchema(ACTIONS) as unknown as {
      $defs: Record<'pipeline' | 'task', { properties: Record<string, { description?: string; doNotSuggest?: boolean }> }>;
    };
    for (const [name, keys] of [
      ['pipeline', PIPELINE_KEYS],
      ['task', TASK_KEYS],
    ] as const) {
      const offered = Object.entries(schema.$defs[name].properties).filter(([, property]) => property.doNotSuggest !== true);
      expect(offered.map(([key]) => key)).toEqual(Object.keys(keys));
      expect(offered.filter(([, property]) => !property.description)).toEqual([]);
    }
  });
});
