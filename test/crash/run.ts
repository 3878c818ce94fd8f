/**
 * The shipped command under kill -9 at chosen moments, judged by an oracle that shares no code with it. With `--models`, runs that ask a model in a process
 * of its own, whose ledger is held against ours.
 *
 *   node test/crash/run.ts --kills 300
 *   node test/crash/run.ts --models --kills 300
 *   node test/crash/run.ts --kills 20 --seed 7
 */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Lane, PHASES } from './lane.ts';
import { MODEL_PHASES, ModelLane, ModelService } from './model-lane.ts';
import type { Quota } from './victim.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    models: { type: 'boolean', default: false },
    'until-failure': { type: 'boolean', default: false },
    command: { type: 'string', default: join(import.meta.dirname, '../../bin/orchestrator') },
  },
});
const FAILURES_MAX = values['until-failure'] ? 1 : 10;
const kills = Number(values.kills);
const phases = values.models ? MODEL_PHASES : PHASES;
const service = values.models ? await ModelService.open() : null;
const quota: Quota = { left: kills, command: values.command, byPhase: new Map() };
const scratch = mkdtempSync(join(tmpdir(), 'crash-'));
const begun = performance.now();
let next = Number(values.seed);
let runs = 0;
let failed = 0;

async function lane(): Promise<void> {
  while (quota.left > 0 && failed < FAILURES_MAX) {
    const seed = next++;
    const folder = join(scratch, String(seed));
    const problems = await (service === null ? new Lane(seed, folder, quota) : new ModelLane(seed, folder, quota, service)).run();
    runs++;
    if (problems.length === 0) continue;
    failed++;
    // The others come to their ends undisturbed.
    if (values['until-failure']) quota.left = 0;
    console.log(`node test/crash/run.ts${values.models ? ' --models' : ''} --kills 8 --seed ${seed}\n    ${problems.slice(0, 6).join('\n    ')}`);
  }
}

await Promise.all(Array.from({ length: availableParallelism() * 2 }, lane));
service?.close();
const made = [...quota.byPhase.values()].reduce((sum, count) => sum + count, 0);
const told = phases.map(phase => `${phase} ${quota.byPhase.get(phase) ?? 0}`);
const missed = phases.filter(phase => !quota.byPhase.has(phase));
console.log(`${made} kills of ${runs} runs in ${Math.round((performance.now() - begun) / 1000)} s: ${told.join(', ')}`);
if (kills >= 50 && missed.length > 0) console.log(`no kill in: ${missed.join(', ')}`);
if (failed === 0) rmdirSync(scratch);
const lacking = kills >= 50 ? missed.length : 0;
console.log(`${Math.max(0, made - failed)} passed, ${failed + lacking} failed`);
process.exitCode = failed + lacking > 0 ? 1 : 0;
