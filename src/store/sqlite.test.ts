import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeConformance } from './conformance.ts';
import { openStore } from './open.ts';

storeConformance('sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  let count = 0;
  return { open: () => openStore('sqlite:state/state.db', { base: folder, owner: `own_${++count}` }), remove: () => rmSync(folder, { recursive: true }) };
});
