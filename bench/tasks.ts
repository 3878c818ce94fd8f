/**
 * The row of 100,000 tasks: `node bench/tasks.ts [N]`. Compiles their YAML in a process of its own, then in this one: loads the plan, runs it over SQLite,
 * folds its journal and takes a snapshot. Prints one table; times are of this machine and minute.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { apply, initial, snapshot } from '../src/engine/index.ts';
import { decodePlan } from '../src/plan/index.ts';
import { openShell, type Compiled } from '../src/runtime/index.ts';

const tasks = Number(process.argv[2] ?? 100_000);
const CHAINS = 100;
const folder = mkdtempSync(join(tmpdir(), 'tasks-'));
const rows: [string, string][] = [];
const timed = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
  const before = performance.now();
  const result = await work();
  rows.push([name, `${((performance.now() - before) / 1000).toFixed(3)} s`]);
  return result;
};

function yamlOf(count: number): string {
  const lines = ['pipeline:', '  name: big', '  version: "1"', '  tasks:'];
  for (let i = 0; i < count; i++) {
    const text = i < CHAINS ? 'start' : `{{ task_${i - CHAINS} | length }} letters before this`;
    lines.push(`    - id: task_${i}`, '      action: echo', '      parameters:', `        text: "${text}"`);
  }
  return `${lines.join('\n')}\n`;
}

let peak = 0;
const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 50);
try {
  const yaml = yamlOf(tasks);
  writeFileSync(join(folder, 'big.yaml'), yaml);
  rows.push(['YAML', `${(yaml.length / 2 ** 20).toFixed(1)} MiB`]);
  const database = join(folder, 'state.db');
  const shell = await openShell({ cwd: folder, env: {}, state: `sqlite:${database}` });
  let compiled: Compiled | undefined = await timed('compile, in a process of its own', () => shell.compile('big.yaml'));
  await timed('build the plan from its text', () => decodePlan(compiled!.body).blocks.length);
  const sizes: number[] = [];
  const size = (): number => {
    const db = new DatabaseSync(database);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    return statSync(database).size;
  };
  const handle = await shell.start(compiled);
  const { plan } = compiled;
  compiled = undefined;
  const sample = setInterval(() => sizes.push(handle.view().done, statSync(database).size), 100);
  const document = await timed(`run ${tasks} tasks, each result durable`, () => handle.result());
  clearInterval(sample);
  if (!document.success || Object.keys(document.tasks).length !== tasks) throw new Error(`the run is ${document.status}`);
  rows.push(['memory of the running process, at most', `${(peak / 1e6).toFixed(0)} MB`], ['store, for each task', `${(size() / tasks).toFixed(0)} bytes`]);
  const events = await shell.store.read(handle.id);
  const state = initial();
  await timed(`fold ${events.length} events`, () => events.forEach(({ event }) => apply(plan, state, event)));
  await timed('snapshot', () => snapshot(state));
  await shell.close();
} finally {
  clearInterval(watch);
  rmSync(folder, { recursive: true, force: true });
}
for (const [name, value] of rows) console.log(`${name.padEnd(48)} ${value}`);
