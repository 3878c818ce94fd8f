/**
 * Runs the production engine under a seeded scheduler: random pipelines, a virtual clock, crashes, lost, late and doubled answers.
 * Seeds that have failed once are kept in seeds.json, and come first in every run.
 *
 *   node test/simulation/run.ts --seeds 20000
 *   node test/simulation/run.ts --seed 4711 --seeds 1 --verbose
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runSeed } from './case.ts';
import type { Engine } from './world.ts';

interface Part {
  engine: string;
  seeds: number[];
  /** Is one failure enough? */
  untilFailure: boolean;
}

interface Told {
  failures: { seed: number; problems: string[] }[];
  events: number;
  crashes: number;
}

const KEPT = join(import.meta.dirname, 'seeds.json');
const SHOWN = 10;

async function runPart({ engine, seeds, untilFailure }: Part): Promise<Told> {
  const room = (await import(pathToFileURL(join(engine, 'index.ts')).href)) as Engine;
  const told: Told = { failures: [], events: 0, crashes: 0 };
  for (const seed of seeds) {
    const { world, problems } = runSeed(room, seed);
    told.events += world.journal.length;
    told.crashes += world.crashes;
    if (problems.length > 0) told.failures.push({ seed, problems });
    if (problems.length > 0 && untilFailure) break;
  }
  return told;
}

function runInWorker(part: Part): Promise<Told> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: part });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function show(engine: string, seed: number): Promise<void> {
  const room = (await import(pathToFileURL(join(engine, 'index.ts')).href)) as Engine;
  const { scenario, world } = runSeed(room, seed);
  console.log(JSON.stringify(scenario, null, 2));
  for (const [i, event] of world.journal.entries()) console.log(i + 1, JSON.stringify(event));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      engine: { type: 'string', default: join(import.meta.dirname, '../../src/engine') },
      'until-failure': { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  });
  const first = Number(values.seed);
  const kept = JSON.parse(readFileSync(KEPT, 'utf8')) as number[];
  const seeds = [...new Set([...kept, ...Array.from({ length: Number(values.seeds) }, (_, i) => first + i)])];
  if (values.verbose) await show(values.engine, first);
  const untilFailure = values['until-failure'];
  const lanes = seeds.length < 200 || untilFailure ? 1 : availableParallelism();
  const parts = Array.from({ length: lanes }, (_, lane) => ({ engine: values.engine, untilFailure, seeds: seeds.filter((_, i) => i % lanes === lane) }));
  const begun = performance.now();
  const told = await Promise.all(lanes === 1 ? parts.map(runPart) : parts.map(runInWorker));
  const seconds = (performance.now() - begun) / 1000;
  const failures = told.flatMap(part => part.failures).sort((a, b) => a.seed - b.seed);
  for (const { seed, problems } of failures.slice(0, SHOWN)) {
    console.log(`node test/simulation/run.ts --seed ${seed} --seeds 1 --verbose\n    ${problems.slice(0, 3).join('\n    ')}`);
  }
  const sum = (key: 'events' | 'crashes'): number => told.reduce((total, part) => total + part[key], 0);
  console.log(`${seeds.length} runs, ${sum('events')} events, ${sum('crashes')} crashes, ${Math.round(seeds.length / seconds)} runs a second`);
  if (failures.length > 0 && values.engine.endsWith(join('src', 'engine'))) {
    writeFileSync(KEPT, `${JSON.stringify([...new Set([...kept, ...failures.slice(0, SHOWN).map(({ seed }) => seed)])])}\n`);
  }
  console.log(`${seeds.length - failures.length} passed, ${failures.length} failed`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

if (isMainThread) await main();
else parentPort!.postMessage(await runPart(workerData as Part));
