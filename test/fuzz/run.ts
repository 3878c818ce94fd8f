/**
 * Runs every fuzzer of this folder, two at a time: whatever comes in, no crash, no hang, and errors with a name and a place.
 *
 *   node test/fuzz/run.ts --inputs 20000
 *   node test/fuzz/run.ts --inputs 1000000 --seed 7 --only yaml
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const LANES = 2;
const { values } = parseArgs({
  options: { inputs: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' }, only: { type: 'string', default: '' } },
});

interface Told {
  passed: number;
  failed: number;
}

/** Runs one fuzzer; its last line says how many inputs it took and how many of them failed. One that dies has failed. */
async function run(file: string): Promise<Told> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), '--count', values.inputs, '--seed', values.seed], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>(resolve => child.on('close', resolve));
  const found = /^(\d+) inputs, (\d+) failures/.exec(output.trimEnd().split('\n').at(-1) ?? '');
  const told = found === null ? { passed: 0, failed: 1 } : { passed: Number(found[1]) - Number(found[2]), failed: Number(found[2]) };
  if (code !== 0 && told.failed === 0) told.failed = 1;
  console.log(`${told.failed === 0 ? '✓' : '✗'} ${file}: ${told.passed} passed, ${told.failed} failed`);
  if (told.failed > 0) console.log(`${output.trimEnd()}\nnode test/fuzz/${file} --count ${values.inputs} --seed ${values.seed}`);
  return told;
}

// From the end of the alphabet on, as it happens, those that take longest go first: so both lanes end at about the same time.
const waiting = readdirSync(import.meta.dirname)
  .filter(file => file.endsWith('.fuzz.ts') && file.startsWith(values.only))
  .toSorted((a, b) => (a < b ? 1 : -1));
const told: Told[] = [];
const lane = async (): Promise<void> => {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) told.push(await run(file));
};
await Promise.all(Array.from({ length: LANES }, lane));
const sum = (key: keyof Told): number => told.reduce((total, each) => total + each[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') > 0 ? 1 : 0;
