import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Numbers in [0, 1) that are the same every time (mulberry32). */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A process of its own with the `store` of the folder `base` open, and with `say`: a line to us, written before it goes on. */
export function child(base: string, script: string): { process: ChildProcess; lines: AsyncIterator<string> } {
  const start = `
    import { writeSync } from 'node:fs';
    import { openStore } from '${new URL('index.ts', import.meta.url).href}';
    import { addition, creation } from '${new URL('batches.ts', import.meta.url).href}';
    import { sha256 } from '${new URL('../hash.ts', import.meta.url).href}';
    const say = line => writeSync(1, line + '\\n');
    const store = await openStore('sqlite:state.db', { base: ${JSON.stringify(base)} });`;
  const process = spawn(globalThis.process.execPath, ['--input-type=module', '-e', start + script], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { process, lines: createInterface({ input: process.stdout! })[Symbol.asyncIterator]() };
}

export async function kill(process: ChildProcess): Promise<void> {
  const gone = once(process, 'exit');
  process.kill('SIGKILL');
  await gone;
}
