import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const IDS = [...Array.from({ length: 12 }, (_, i) => `S${i + 1}`), ...Array.from({ length: 24 }, (_, i) => `C${i + 1}`)];

interface Row {
  name: string;
  state: string;
  proofs: { file: string; words: string }[];
}

/** Rows of docs/promises.md; the cells are name, (what), state and proofs. */
function rows(): Row[] {
  return [...read('docs/promises.md').matchAll(/^\| (?!Id|Fault)([^|]+?) \|(?: [^|]+ \|)?? ((?:proved|later issue:)[^|]*?) \| ?(.*?) ?\|$/gm)].map(
    ([, name, state, proofs]) => ({
      name: name!,
      state: state!,
      proofs:
        proofs === ''
          ? []
          : proofs!.split('<br>').map(proof => {
              const [, file, words] = /^`([^`]+)`: (.+)$/.exec(proof) ?? [];
              if (file === undefined || words === undefined) throw new Error(`no proof can be read in: ${proof}`);
              return { file, words };
            }),
    }),
  );
}

/** Names of tests by the ids that they carry. */
function titlesById(): Map<string, string[]> {
  const titles = new Map<string, string[]>();
  const files = [...globSync('{src,test}/**/*.test.ts', { cwd: root }), 'src/store/conformance.ts'];
  for (const file of files) {
    for (const [, , title] of read(file).matchAll(/\((['"`])((?:\\.|(?!\1)[^\\\n])*)\1\s*,/g)) {
      for (const [id] of title!.matchAll(/\b[SC]\d{1,2}\b/g)) titles.set(id, [...(titles.get(id) ?? []), title!]);
    }
  }
  return titles;
}

test('every promise and control has one row, and so has every fault', () => {
  const names = rows().map(row => row.name);
  expect(names.filter(name => /^[SC]\d+$/.test(name))).toEqual(IDS);
  expect(names.length - IDS.length).toBeGreaterThan(30);
  expect(new Set(names).size).toBe(names.length);
});

test('what is called proved names tests that are there, and nothing else names any', () => {
  for (const { name, state, proofs } of rows()) {
    expect(proofs.length > 0, `${name} is ${state}`).toBe(state.startsWith('proved'));
    for (const { file, words } of proofs) {
      expect(existsSync(join(root, file)), `${name}: ${file}`).toBe(true);
      expect(read(file).includes(words), `${name}: ${file} holds no test \`${words}\``).toBe(true);
    }
  }
});

test('every id that is called proved stands in the name of a test, and no test carries an id that there is not', () => {
  const titles = titlesById();
  for (const { name, state } of rows()) if (IDS.includes(name) && state.startsWith('proved')) expect(titles.get(name), name).toBeDefined();
  expect([...titles.keys()].filter(id => !IDS.includes(id))).toEqual([]);
});
