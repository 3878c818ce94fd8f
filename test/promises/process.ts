import { join } from 'node:path';
import { openModels } from '../../src/models/index.ts';
import { compileText, EmbeddedShell, Secrets, type Compiled } from '../../src/runtime/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { actionSpecs, BUILTIN_ACTIONS } from '../../src/tools/index.ts';
import { DEFAULT_POLICY } from '../../src/tools/port.ts';
import { probes } from './probes.ts';

/** What a process that a test starts works with: its own shell over the folder that it shares with the test. */
export async function openProcess(folder: string): Promise<{ shell: EmbeddedShell; store: Store; compile(text: string): Promise<Compiled> }> {
  const store = await openStore('sqlite:state/state.db', { base: folder });
  const actions = [...BUILTIN_ACTIONS, ...probes(folder)];
  const shell = new EmbeddedShell({
    cwd: folder,
    store,
    stateFolder: join(folder, 'state'),
    actions,
    concurrency: 256,
    program: 'test',
    models: openModels({}, { env: {}, folder }),
    policy: DEFAULT_POLICY,
    secrets: new Secrets(),
  });
  return { shell, store, compile: text => compileText('p.yaml', text, folder, actionSpecs(actions)) };
}
