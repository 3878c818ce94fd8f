import { describe, expect, it } from 'vitest';
import { CATALOG, setup, tasks, type Compiled } from './fixture.ts';
import type { ActionSpec } from '../tools/port.ts';

const AGENT: ActionSpec = {
  name: 'agent',
  summary: 'agent.',
  effect: 'read',
  powers: ['model'],
  parameters: {
    type: 'object',
    properties: { tools: { type: 'array', items: { type: ['string', 'object'] }, 'x-auto': false, 'x-actions': true } },
    required: ['tools'],
    additionalProperties: false,
  },
  result: {},
};

const agent = (tools: string): Compiled =>
  setup(tasks(`  - { id: a, action: echo, parameters: { text: x } }\n  - id: b\n    action: agent\n    parameters:\n      tools: ${tools}\n`), {
    actions: [...CATALOG, AGENT],
  });

describe('tools of a task', () => {
  it('are actions, which the plan is compiled against too', () => {
    const { problems, plan } = agent('[ filesystem.read, { action: filesystem.write, fixed: { path: "{{ a.result }}" }, free: [content] } ]');
    expect(problems).toEqual([]);
    expect(Object.keys(plan.actions).sort()).toEqual(['agent', 'echo', 'filesystem.read', 'filesystem.write']);
  });

  it('that are not there are told, with the nearest, where they stand', () => {
    const { problems, result } = agent('[ filesystem.reed, { action: shel.run } ]');
    expect(problems).toEqual(['error ORC-210 8 filesystem.reed', 'error ORC-210 8 shel.run']);
    expect(result.diagnostics.map(({ path, label }) => [path, label])).toEqual([
      ['pipeline.tasks[1].parameters.tools[0]', 'did you mean `filesystem.read`?'],
      ['pipeline.tasks[1].parameters.tools[1].action', 'did you mean `shell.run`?'],
    ]);
  });

  it.each([
    ['"{{ a.result }}"', 'error ORC-212 8 "{{ a.result }}"'],
    ['[ "{{ a.result }}" ]', 'error ORC-212 8 "{{ a.result }}"'],
    ['[ { action: "{{ a.result }}" } ]', 'error ORC-212 8 "{{ a.result }}"'],
    ['[ { action: echo, allow_side_effects: "{{ a.result }}" } ]', 'error ORC-212 8 "{{ a.result }}"'],
    ['[ { action: echo, free: { text: { enum: ["{{ a.result }}"] } } } ]', 'error ORC-212 8 { text: { enum: ["{{ a.result }}"] } }'],
    ['[ sleep ]', 'error ORC-212 8 sleep'],
    ['[ { action: echo, fixed: { txet: x } } ]', 'error ORC-213 8 txet'],
    ['[ { action: echo, fixed: { other: x } } ]', 'error ORC-213 8 other'],
    ['[ { action: echo, fixed: { text: <AUTO>which?</AUTO> } } ]', 'error ORC-304 8 <AUTO>which?</AUTO>'],
    ['[ 5 ]', 'error ORC-212 8 5'],
    ['none', 'error ORC-212 8 none'],
  ])('C16 are a closed list of their author: %s', (tools, problem) => expect(agent(tools).problems).toEqual([problem]));
});
