import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { badSchema, checkSchema } from '../schema.ts';
import { actionSpecs, BUILTIN_ACTIONS, findAction } from './index.ts';
import { actionsReference } from './reference.ts';

const specs = actionSpecs();

function propertiesOf(schema: Json): [string, JsonObject][] {
  const properties = isObject(schema) ? schema['properties'] : undefined;
  return isObject(properties) ? (Object.entries(properties) as [string, JsonObject][]) : [];
}

test('the actions of LANGUAGE.md are there', () => {
  expect(specs.map(spec => spec.name).sort()).toEqual([
    'agent',
    'analyze_text',
    'approval',
    'assert',
    'chat',
    'classify',
    'data.aggregate',
    'data.convert',
    'data.filter',
    'data.join',
    'data.profile',
    'data.sort',
    'data.transform',
    'echo',
    'embed',
    'evaluate_condition',
    'extract',
    'fail',
    'filesystem.append',
    'filesystem.copy',
    'filesystem.delete',
    'filesystem.exists',
    'filesystem.list',
    'filesystem.move',
    'filesystem.read',
    'filesystem.write',
    'generate_structured',
    'generate_text',
    'http.get',
    'http.post',
    'http.request',
    'log',
    'model.compare',
    'model.route',
    'pdf.write',
    'pipeline.run',
    'python.run',
    'report.generate',
    'shell.run',
    'signal.wait',
    'sleep',
    'transform',
    'validate',
    'web_fetch',
    'web_search',
  ]);
  expect(findAction('echo')).toBe(BUILTIN_ACTIONS.find(action => action.name === 'echo'));
  expect(findAction('ecco')).toBeUndefined();
});

describe.each(specs)('$name', spec => {
  test('is plain data with good schemas', () => {
    expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
    expect(badSchema(spec.parameters)).toEqual([]);
    expect(badSchema(spec.result)).toEqual([]);
  });

  test('says of each parameter what it is, and of each default that it fits', () => {
    for (const [name, property] of propertiesOf(spec.parameters)) {
      expect(property['description'], name).toEqual(expect.any(String));
      if (property['default'] !== undefined) expect(checkSchema(property, property['default']), name).toEqual([]);
    }
  });

  test('finds a misspelt parameter, but for three actions, which older pipelines give more than they need', () => {
    const isLax = ['generate_text', 'generate_structured', 'analyze_text'].includes(spec.name);
    expect((spec.parameters as JsonObject)['additionalProperties']).toBe(isLax ? undefined : false);
  });

  test('has an example that uses it', () => {
    const [task] = parse(spec.example!) as [{ id: string; action: string; parameters: JsonObject }];
    expect(task.action).toBe(spec.name);
    const properties = Object.fromEntries(propertiesOf(spec.parameters));
    for (const name of Object.keys(task.parameters)) expect(properties).toHaveProperty([name]);
    for (const name of ((spec.parameters as JsonObject)['required'] ?? []) as string[]) expect(task.parameters).toHaveProperty([name]);
  });
});

test('C5 no model decides on commands, code, addresses, headers, environments, choices or files of pipelines', () => {
  const closed = specs.flatMap(spec =>
    propertiesOf(spec.parameters)
      .filter(([, property]) => property['x-auto'] === false)
      .map(([name]) => `${spec.name}.${name}`),
  );
  expect(closed).toEqual(
    expect.arrayContaining([
      'shell.run.command',
      'shell.run.env',
      'shell.run.cwd',
      'python.run.code',
      'python.run.env',
      'http.get.url',
      'http.get.headers',
      'http.post.url',
      'http.request.url',
      'web_fetch.url',
      'approval.choices',
      'approval.on_timeout',
      'pipeline.run.file',
      'assert.condition',
      'evaluate_condition.condition',
      'agent.tools',
    ]),
  );
});

test('S9 what may be repeated is what DESIGN.md says', () => {
  const effects = Object.fromEntries(specs.map(spec => [spec.name, spec.effect]));
  expect(effects).toMatchObject({
    'filesystem.read': 'read',
    'filesystem.write': 'idempotent',
    'filesystem.append': 'effectful',
    'filesystem.move': 'effectful',
    'shell.run': 'effectful',
    'python.run': 'effectful',
    'http.post': 'effectful',
    'http.get': 'read',
    generate_text: 'read',
    agent: 'read',
    embed: 'read',
    'model.route': 'read',
    echo: 'pure',
  });
});

test('importing the list loads no heavy library', () => {
  const code = `const before = new Set(process.moduleLoadList); await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}); console.log(JSON.stringify(process.moduleLoadList.filter(name => !before.has(name))));`;
  const loaded = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', code], { encoding: 'utf8' })) as string[];
  for (const name of ['http', 'https', 'child_process', 'zlib', 'dns']) expect(loaded).not.toContain(`NativeModule ${name}`);
});

test('docs/reference/actions.md is what the specifications say', async () => {
  const page = await readFile(fileURLToPath(new URL('../../docs/reference/actions.md', import.meta.url)), 'utf8');
  expect(page).toBe(actionsReference(specs));
});
