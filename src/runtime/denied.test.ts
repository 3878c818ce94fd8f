import { expect, test } from 'vitest';
import { makeSource, parse } from '../language/index.ts';
import { actionSpecs, BUILTIN_ACTIONS, DEFAULT_POLICY } from '../tools/index.ts';
import { deniedByPolicy } from './denied.ts';

test('C9 what the policy would refuse is told before it runs: of tasks, of handlers, and of the tools of an agent', () => {
  const text = `pipeline:
  name: p
  version: "1"
  tasks:
    - { id: a, action: shell.run, parameters: { command: ls } }
    - { id: b, action: echo, parameters: { text: x }, on_error: [ { action: python.run, parameters: { code: "1" } } ] }
    - id: c
      action: agent
      parameters: { goal: x, tools: [ filesystem.read, shell.run, { action: python.run, fixed: { code: "1" } }, { name: x }, 5 ] }
    - { id: d, action: agent, parameters: { goal: x, tools: "{{ a }}" } }
`;
  const { pipeline } = parse(makeSource('p.yaml', text), {});
  const told = (policy: Partial<typeof DEFAULT_POLICY>): string[] =>
    deniedByPolicy(pipeline!, actionSpecs(BUILTIN_ACTIONS), { ...DEFAULT_POLICY, ...policy }).map(
      ({ code, severity, source, span }) => `${severity} ${code} ${source.text.slice(span.start, span.end)} at ${span.start}`,
    );
  const at = (word: string, from = 0): number => text.indexOf(word, from);
  const tools = at('filesystem.read');
  expect(told({})).toEqual([
    `warning ORC-214 shell.run at ${at('shell.run')}`,
    `warning ORC-214 python.run at ${at('python.run')}`,
    `warning ORC-214 shell.run at ${at('shell.run', tools)}`,
    `warning ORC-214 python.run at ${at('python.run', tools)}`,
  ]);
  expect(told({ shell: ['ls'], code: 'allow' })).toEqual([]);
});
