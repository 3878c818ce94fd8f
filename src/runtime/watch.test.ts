import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { systemClock, type Clock } from '../clock.ts';
import { openModels, type Model, type ModelReply } from '../models/index.ts';
import { compileText } from './compile.ts';
import { openShell } from './open.ts';

const WAITING = `
pipeline:
  name: waiting
  version: "1"
  tasks:
    - { id: go, action: signal.wait, parameters: { name: go } }
`;

it('examines once a minute the models that were heard before and are not in use, and no others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'));
  let aheadMs = 0;
  const clock: Clock = { now: () => systemClock.now() + aheadMs, monotonic: () => systemClock.monotonic() };
  const record = { failure: null, latencyMs: 5, firstTokenMs: null, tokensPerSecond: null, errorRate: 0, calls: 1, recentMs: [5] };
  const now = Date.now();
  const health = {
    'own/heard': { ...record, checkedAtMs: now - 1000 },
    'own/down': { ...record, checkedAtMs: now - 1000 },
    'own/busy': { ...record, checkedAtMs: now + 60_000 },
  };
  const models = openModels({}, { env: {}, folder, state: { health } });
  const probed: string[] = [];
  const model = (id: string): Model => ({
    id,
    provider: 'own',
    contextWindow: undefined,
    local: true,
    price: undefined,
    generate: () => Promise.reject<ModelReply>(new Error('nobody asks')),
    probe: async () => {
      probed.push(id);
      if (id === 'own/down') throw new Error('it is down');
    },
  });
  for (const id of ['own/heard', 'own/down', 'own/busy', 'own/never']) models.register(model(id));
  const shell = await openShell({ cwd: folder, env: {}, state: 'memory:', models, clock });
  await shell.start(await compileText('a.yaml', WAITING, folder, shell.actions));
  await new Promise(resolve => setTimeout(resolve, 600));
  expect(probed).toEqual([]);
  aheadMs = 60_500;
  await vi.waitFor(() => expect(probed.sort()).toEqual(['own/down', 'own/heard']), { timeout: 5000 });
  await new Promise(resolve => setTimeout(resolve, 600));
  expect(probed).toHaveLength(2);
  await shell.close();
  rmSync(folder, { recursive: true });
});
