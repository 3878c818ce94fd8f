import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PIPELINE_KEYS, TASK_KEYS } from '../src/language/keys.ts';
import {
  ACTION_SPELLINGS,
  HANDLER_SPELLINGS,
  INPUT_SPELLINGS,
  INPUT_TYPES,
  MATCH_SPELLINGS,
  PIPELINE_SPELLINGS,
  RETRY_SPELLINGS,
  TASK_SPELLINGS,
  TOOLS,
} from '../src/language/spellings.ts';

const root = join(import.meta.dirname, '..');

/** Type and fields of every event, as `src/engine/event.ts` declares them. */
function declaredEvents(): Map<string, string[]> {
  const source = readFileSync(join(root, 'src/engine/event.ts'), 'utf8');
  const lines = source.slice(source.indexOf('export type Event ='), source.indexOf('export type EventType')).replaceAll(/\s+/g, ' ');
  const union = lines.replaceAll(/; \}/g, ' }').replaceAll(' | { type:', '\n| { type:').replaceAll(/;? ?$/gm, '');
  const events = new Map<string, string[]>();
  for (const [, type, rest] of union.matchAll(/\| \{ type: '([a-z.]+)'; at: number;?\s*(.*?) \}$/gm)) {
    const flat = rest!.replaceAll(/\{[^{}]*\}/g, 'object');
    events.set(
      type!,
      [...flat.matchAll(/(?:^|; )(\w+)\??:/g)].map(match => match[1]!),
    );
  }
  return events;
}

/** The same, as docs/reference/events.md tells it. */
function documentedEvents(): Map<string, string[]> {
  const page = readFileSync(join(root, 'docs/reference/events.md'), 'utf8');
  return new Map(
    [...page.matchAll(/^\| `([a-z.]+)` \|[^|]+\|(.*)\|$/gm)].map(([, type, fields]) => [type!, fields!.replaceAll('`', '').trim().split(' ').filter(Boolean)]),
  );
}

describe('the reference of events', () => {
  it('names every event of the journal with its fields, and no other', () => {
    const declared = declaredEvents();
    expect(declared.size).toBeGreaterThan(30);
    expect(Object.fromEntries(documentedEvents())).toEqual(Object.fromEntries(declared));
  });
});

/** The tables of docs/reference/language.md, as the code has them. */
function languageTables(): { [name: string]: string } {
  const keys = (table: { readonly [key: string]: string }): string =>
    ['| key | meaning |', '|---|---|', ...Object.entries(table).map(([key, text]) => `| \`${key}\` | ${text} |`)].join('\n');
  const spellings = [
    ...Object.entries(PIPELINE_SPELLINGS).map(([accepted, canonical]) => [`\`${accepted}\` of a pipeline`, `\`${canonical}\``]),
    ...Object.entries(TASK_SPELLINGS).map(([accepted, canonical]) => [`\`${accepted}\` of a task`, `\`${canonical}\``]),
    ...Object.entries(RETRY_SPELLINGS).map(([accepted, canonical]) => [`\`${accepted}\` of a retry`, `\`${canonical}\``]),
    ...Object.entries({ ...HANDLER_SPELLINGS, ...MATCH_SPELLINGS }).map(([accepted, canonical]) => [`\`${accepted}\` of a handler`, `\`${canonical}\``]),
    ...Object.entries({ ...INPUT_SPELLINGS, ...INPUT_TYPES }).map(([accepted, canonical]) => [`\`${accepted}\` of an input`, `\`${canonical}\``]),
    ...Object.entries(ACTION_SPELLINGS).map(([accepted, canonical]) => [`\`action: ${accepted}\``, `\`${canonical}\``]),
    ...Object.entries(TOOLS).flatMap(([tool, { operations }]) =>
      Object.entries(operations).map(([operation, canonical]) => [`\`tool: ${tool}\` with \`action: ${operation}\``, `\`${canonical}\``]),
    ),
  ];
  return {
    pipeline: keys(PIPELINE_KEYS),
    task: keys(TASK_KEYS),
    spellings: ['| accepted | canonical |', '|---|---|', ...spellings.map(([accepted, canonical]) => `| ${accepted} | ${canonical} |`)].join('\n'),
  };
}

describe('the reference of the language', () => {
  const file = join(root, 'docs/reference/language.md');
  for (const [name, table] of Object.entries(languageTables())) {
    it(`holds the table of ${name} as the code has it (UPDATE=1 rewrites it)`, () => {
      const page = readFileSync(file, 'utf8');
      const between = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end -->)`);
      if (process.env['UPDATE'] === '1')
        writeFileSync(
          file,
          page.replace(between, (_, before: string, after: string) => before + table + after),
        );
      expect(between.exec(readFileSync(file, 'utf8'))?.[0]).toBe(`<!-- ${name} -->\n${table}\n<!-- end -->`);
    });
  }
});
