import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';

export interface Place {
  folder: string;
  /** URL of a store in the folder. */
  state: string;
  /** Writes a file and gives its path. */
  write(name: string, text: string): string;
}

/** A folder, with a store of its own as the default environment, gone when the test has ended. */
export function makePlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'guide-'));
  const state = `sqlite:${join(folder, 'state', 'state.db')}`;
  vi.stubEnv('ORCHESTRATOR_STATE_URL', state);
  vi.stubEnv('HOME', folder);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  const write: Place['write'] = (name, text) => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  return { folder, state, write };
}

/** What a function throws, or what its promise is rejected with. */
export async function thrownBy(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
