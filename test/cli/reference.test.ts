import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cliReference } from '../../src/cli/reference.ts';
import { COMMANDS } from '../../src/cli/specs.ts';
import { CONFIG_SCHEMA } from '../../src/runtime/config/index.ts';
import { configReference } from '../../src/runtime/config/reference.ts';

const root = join(import.meta.dirname, '../..');

/** `UPDATE=1` writes the page instead. */
test.each([
  ['docs/reference/cli.md', cliReference],
  ['docs/reference/configuration.md', configReference],
])('%s is what the definitions say', (file, make) => {
  const path = join(root, file);
  if (process.env['UPDATE'] === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, make());
  }
  expect(readFileSync(path, 'utf8')).toBe(make());
});

test('every key of the configuration, and every option, says what it means', () => {
  const silent: string[] = [];
  const look = (schema: unknown, path: string): void => {
    const { properties = {} } = schema as { properties?: Record<string, { description?: string }> };
    for (const [name, member] of Object.entries(properties)) {
      if (member.description === undefined && !path.includes('cost')) silent.push(`${path}${name}`);
      look(member, `${path}${name}.`);
    }
  };
  look(CONFIG_SCHEMA, '');
  for (const spec of COMMANDS) for (const option of spec.options ?? []) if (option.description === '') silent.push(`${spec.name} ${option.flags}`);
  expect(silent).toEqual([]);
});
