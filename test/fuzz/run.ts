/** Runs every fuzzer of this folder, one after the other: `node test/fuzz/run.ts --inputs 20000 --seed 1`. Exits 1 where one of them finds something. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { inputs: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } } });

for (const file of readdirSync(import.meta.dirname).filter(name => name.endsWith('.fuzz.ts'))) {
  process.stdout.write(`${file}: `);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, file), '--count', values.inputs, '--seed', values.seed], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
