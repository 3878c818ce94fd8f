// Drives the public API with YAML-compiled plans for the engine bench (open, run, recover, park, dbBytes).
import { existsSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

enableCompileCache();
const built = new URL('../dist/runtime/index.js', import.meta.url);
const { Orchestrator, Pipeline } = await import(existsSync(built) ? built.href : new URL('../src/runtime/index.ts', import.meta.url).href);

export const meta = { name: 'ours', variants: { 'sqlite-full': { raw: 'sqliteFull' } } };

const STEP = 'action: bench.step';

/** The workload as a pipeline; each task calls the step's body with its number and the result before it. */
function yamlOf({ kind, n }) {
  const task = (id, i, input) => `    - id: ${id}\n      ${STEP}\n      parameters: { i: ${i}, input: "{{ ${input} }}" }\n`;
  const head = 'pipeline:\n  name: bench\n  version: "1"\n  inputs:\n    input: { type: object }\n  tasks:\n';
  const end = value => `  outputs:\n    result: "{{ ${value} }}"\n`;
  if (kind === 'chain') return head + Array.from({ length: n }, (_, i) => task(`s${i}`, i, i === 0 ? 'inputs.input' : `s${i - 1}`)).join('') + end(`s${n - 1}`);
  if (kind === 'fan') {
    const ids = Array.from({ length: n }, (_, i) => `s${i}`);
    return head + ids.map((id, i) => task(id, i, 'inputs.input')).join('') + end(`{'v': [${ids.map(id => `${id}.v`).join(', ')}] | sum}`);
  }
  if (kind === 'diamond')
    return (
      head +
      task('a', 0, 'inputs.input') +
      [1, 2, 3, 4].map(i => task(`b${i}`, i, 'a')).join('') +
      `    - id: c\n      ${STEP}\n      dependencies: [b1, b2, b3, b4]\n      parameters: { i: 5, input: "{{ {'v': a.v + 4} }}" }\n` +
      end('c')
    );
  return `${head}${task('a', 0, 'inputs.input')}    - id: go\n      action: signal.wait\n      dependencies: [a]\n      parameters: { name: go }\n`;
}

export async function open({ dir, step, shape, resuming, variant }) {
  if (variant !== 'sqlite-full') throw new Error(`no variant ${variant}`);
  const file = join(dir, 'state.db');
  const action = {
    name: 'bench.step',
    summary: 'The body of a step.',
    effect: 'read',
    powers: [],
    parameters: { type: 'object', properties: { i: { type: 'integer' }, input: {} } },
    result: true,
    run: ({ i, input }) => step(i, input),
  };
  const orchestrator = await Orchestrator.open({ cwd: dir, state: `sqlite:${file}`, actions: [action], concurrency: 20_000 });
  const pipeline = resuming ? undefined : await Pipeline.parse(yamlOf(shape), { cwd: dir, actions: [action] });
  const resultOf = async handle => {
    const document = await handle.result();
    if (!document.success && document.status !== 'waiting') throw new Error(`${document.status}: ${document.error?.message}`);
    return document.outputs.result;
  };
  return {
    run: async ({ input }) => resultOf(await orchestrator.start(pipeline, { input })),
    recover: async () => resultOf(await orchestrator.resume('last')),
    park: async ({ input }) => void (await (await orchestrator.start(pipeline, { input })).result()),
    dbBytes: async () => {
      const db = new DatabaseSync(file);
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
      return statSync(file).size;
    },
    close: () => orchestrator.close(),
  };
}
