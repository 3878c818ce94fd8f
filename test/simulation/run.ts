/**
 * Runs the production engine under a seeded scheduler: random pipelines, a virtual clock, crashes, lost, late and doubled answers.
 *
 *   node test/simulation/run.ts --seeds 20000
 *   node test/simulation/run.ts --seeds 1 --seed 4711 --verbose
 */
import { parseArgs } from 'node:util';
import * as production from '../../src/engine/index.ts';
import { planOf } from './plan.ts';
import { makeScenario } from './scenario.ts';
import { simulate } from './scheduler.ts';
import { scriptOf } from './script.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' }, verbose: { type: 'boolean', default: false } } });
let failed = 0;
const t = performance.now();
const first = Number(values.seed);
let events = 0;
const counts = new Map<string, number[]>();
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const scenario = makeScenario(seed);
  const { plan, specs } = planOf(scenario);
  const { world, problems } = simulate(production, { scenario, plan, blocks: specs, script: scriptOf(scenario) });
  events += world.journal.length;
  if (values.verbose) {
    console.log(JSON.stringify(scenario.tasks.map(s => s), null, 1));
    for (const [i, e] of world.journal.entries()) console.log(i + 1, JSON.stringify(e));
  }
  if (problems.length > 0) {
    failed++;
    const key = problems[0]!.replace(/t\d+\S*/g, 'T').replace(/\d+/g, 'N').split('\n').slice(0, 3).join(' | ').slice(0, 160);
    counts.set(key, [...(counts.get(key) ?? []), seed]);
    if (values.verbose) console.log(problems.join('\n'));
  }
}
for (const [key, seeds] of counts) console.log(seeds.length, key, seeds.slice(0, 4).join(' '));
console.log(`${Math.round(performance.now() - t)} ms, ${events} events`);
console.log(`${Number(values.seeds) - failed} passed, ${failed} failed`);
