import { readdir } from 'node:fs/promises';
import { sep } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';

/** Files below a folder, by name; of a model in several parts, the first. An absent folder holds none. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw new OrchestratorError('ORC-408', `the folder of models ${folder} cannot be read: ${error.message}`, { class: 'failed', cause: error });
  });
  return entries
    .map(file => file.split(sep).join('/'))
    .filter(file => file.endsWith('.gguf') && !/-(?!00001)\d{5}-of-\d{5}\.gguf$/.test(file))
    .sort();
}

/** The file that a name means: the same name, or the only one that begins like it, whatever the case: `smollm2` is SmolLM2-135M-Instruct.Q4_1.gguf. */
export function findFile(name: string, files: string[], provider: string, folder: string): string {
  const exact = files.find(file => file === `${name}.gguf` || file === name);
  if (exact !== undefined) return exact;
  const near = files.filter(file => file.toLowerCase().startsWith(name.toLowerCase()));
  if (near.length === 1) return near[0]!;
  const names = files.map(file => file.slice(0, -'.gguf'.length));
  const meant = near.length > 1 ? names.filter(known => near.includes(`${known}.gguf`)) : nearest(name, names);
  throw new OrchestratorError('ORC-408', `${near.length > 1 ? 'more than one' : 'no'} file in ${folder} is the model \`${name}\``, {
    class: 'not_found',
    help: [
      ...meant.map(known => `did you mean ${provider}/${known}?`),
      `see what is there: orchestrator models list`,
      `or fetch it: orchestrator models pull ${name}`,
    ],
  });
}
