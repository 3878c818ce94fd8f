import type { Invocation } from '../invocation.ts';
import { programVersion } from '../version.ts';
import type { Terminal } from '../terminal.ts';

export function version(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const { node, sqlite = 'none' } = process.versions;
  const own = programVersion();
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, version: own, node, sqlite, platform: `${process.platform}-${process.arch}` })}\n`);
  else terminal.out(`orchestrator ${own}\nnode ${node}, sqlite ${sqlite}, ${process.platform}-${process.arch}\n`);
  return Promise.resolve(0);
}
