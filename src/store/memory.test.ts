import { storeConformance } from './conformance.ts';
import { MemoryHub, MemoryStore } from './memory.ts';

storeConformance('memory', () => {
  const hub = new MemoryHub();
  let count = 0;
  return { open: async () => new MemoryStore(`own_${++count}`, hub), remove: () => {} };
});
