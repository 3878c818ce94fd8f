/**
 * `npm run bench [-- --keep] [-- --w W1_100,W3]`: the workloads W1 to W8 of the engine bench (DESIGN.md, Numbers to hold) on this project and on the raw limit
 * of the same minutes, and the row of 100,000 tasks. Writes its parts of docs/benchmarks.md. The harness is looked for beside the checkout, in ../shared/bench.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { figureTable, machineLine, quantile, writePart, type Figure } from './page.ts';

const root = join(import.meta.dirname, '..');
const harness = join(root, '..', 'shared', 'bench');
const work = join(root, 'bench', 'var');
const FLOOR = 'raw:nodesqlite-full-group';
const WITH_FLOOR = ['W1_1000', 'W2_10000', 'W3', 'W4', 'W7'];
const ALONE = ['W1_100', 'W5', 'W6', 'W8'];

/** Starts of processes vary more than what they do then. */
function repetitions(workload: string): number {
  return workload === 'W4' || workload === 'W7' ? 9 : 3;
}

interface Run {
  usPerStep: number;
  runsPerS: number;
  p99: number;
  resumeMs: number;
  reexec: number;
  ratioIdeal: number;
  rssPerRunKB: number;
  doneMs: number;
  amplification: number;
}

function run(engine: string, workload: string, reps: number): void {
  const result = spawnSync(process.execPath, ['run.mjs', engine, '--w', workload, '--reps', String(reps)], {
    cwd: work,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ORCHESTRATOR_ROOT: root, NODE_NO_WARNINGS: '1' },
  });
  if (result.status !== 0) throw new Error(`${engine} ${workload} ended with ${result.status}`);
}

function prepare(): void {
  if (!existsSync(harness)) throw new Error('the harness ../shared/bench is not there');
  mkdirSync(join(work, 'node_modules', '.bin'), { recursive: true });
  cpSync(harness, work, { recursive: true, filter: path => !path.endsWith('results') && !path.includes('node_modules') });
  mkdirSync(join(work, 'results'), { recursive: true });
  const node = join(work, 'node_modules', '.bin', 'node');
  if (!existsSync(node)) symlinkSync(process.execPath, node);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
}

function read(engine: string, variant: string): (workload: string, field: keyof Run) => number {
  const results = JSON.parse(readFileSync(join(work, 'results', `${engine}.json`), 'utf8')) as { [variant: string]: { [workload: string]: { runs: Run[] } } };
  return (workload, field) =>
    quantile(
      (results[variant]?.[workload]?.runs ?? []).map(one => one[field]),
      0.5,
    );
}

function table(): string {
  const ours = read('ours', 'sqlite-full');
  const raw = read('raw', 'nodesqlite-full-group');
  const ratio = (workload: string, field: keyof Run): number => ours(workload, field) / raw(workload, field);
  const both = (workload: string, field: keyof Run, unit: string, digits = 0): string =>
    `${ours(workload, field).toFixed(digits)} ${unit} on ${raw(workload, field).toFixed(digits)} ${unit}`;
  const rows: [string, number, string, string, '<=' | '>=', number][] = [
    ['W1 chain of 1,000 tasks, a step', ratio('W1_1000', 'usPerStep'), '×', both('W1_1000', 'usPerStep', 'µs'), '<=', 1.4],
    [
      'W1 flatness, 1,000 against 100',
      ours('W1_1000', 'usPerStep') / ours('W1_100', 'usPerStep'),
      '×',
      `${ours('W1_100', 'usPerStep').toFixed(0)} µs at 100`,
      '<=',
      1.1,
    ],
    ['W2 fan-out of 10,000 and a join, a step', ratio('W2_10000', 'usPerStep'), '×', both('W2_10000', 'usPerStep', 'µs', 1), '<=', 4.6],
    [
      'W3 1,000 runs of 5 tasks at once',
      ratio('W3', 'runsPerS'),
      '×',
      `${both('W3', 'runsPerS', 'runs/s')}, p99 ${ours('W3', 'p99').toFixed(0)} ms`,
      '>=',
      0.2,
    ],
    ['W4 kill -9, start to first new task', ratio('W4', 'resumeMs'), '×', `${both('W4', 'resumeMs', 'ms')}, ${ours('W4', 'reexec')} run again`, '<=', 1.5],
    ['W5 200 diamonds of model calls', ours('W5', 'ratioIdeal'), '× ideal', '', '<=', 1.4],
    ['W6 a waiting run', ours('W6', 'rssPerRunKB'), 'KB', '', '<=', 10],
    ['W7 start of node to two tasks done', ratio('W7', 'doneMs'), '×', both('W7', 'doneMs', 'ms'), '<=', 1.7],
    ['W8 handing on 100 KB, a step', ours('W8', 'usPerStep') / 1000, 'ms', '', '<=', 2],
    ['W8 growth of the store', ours('W8', 'amplification'), '×', '', '<=', 1.05],
  ];
  return figureTable(rows.map(([name, value, unit, detail, sign, bar]): Figure => ({ name, value, unit, detail, bar: [sign, bar] })));
}

prepare();
const only = process.argv.includes('--w') ? process.argv[process.argv.indexOf('--w') + 1]!.split(',') : undefined;
if (!process.argv.includes('--keep')) {
  for (const workload of [...WITH_FLOOR, ...ALONE].filter(name => only?.includes(name) ?? true)) {
    if (WITH_FLOOR.includes(workload)) run(FLOOR, workload, repetitions(workload));
    run('ours:sqlite-full', workload, repetitions(workload));
  }
}
const engines = table();
console.log(engines);
if (only === undefined) {
  const long = spawnSync(process.execPath, [join(root, 'bench', 'tasks.ts')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).stdout;
  console.log(long);
  writePart(
    'engine',
    `## The engine

Printed by \`npm run bench\`; ratios are against the raw limit of the same minutes: node:sqlite, WAL, \`synchronous=FULL\`, one row a finished step, grouped by event-loop turn.
${machineLine()} The disk is shared, so trust ratios rather than times.

How ours is set up (\`bench/adapter.mjs\`): the built package by its \`./runtime\` export with Node's compile cache on, \`concurrency: 20_000\`, no idempotency keys. The fan of W2 is ten thousand tasks written out and a join; the same fan as a \`for_each\` opens a scope for each item, costs more, and was above the bar of W2 when it was measured.

${engines}`,
  );
  writePart('tasks', `## 100,000 tasks\n\nPrinted by \`node bench/tasks.ts\`.\n\n\`\`\`\n${long}\`\`\``);
}
