import { isObject, own, type Json } from '../../json.ts';
import type { Diagnostic } from '../../language/diagnostic.ts';
import type { ConfigFile } from './file.ts';
import { IDLE } from './schema.ts';

/** What a file sets and this version does nothing about: it is accepted, so that a file for a later version is no mistake, but never in silence. */
export function findIdle(file: ConfigFile, environment: string | undefined): Diagnostic[] {
  const environments = own(file.value, 'environments');
  const variant = environment !== undefined && isObject(environments) ? own(environments, environment) : undefined;
  return [...idleIn(file, file.value, []), ...(isObject(variant) ? idleIn(file, variant, ['environments', environment!]) : [])];
}

function idleIn(file: ConfigFile, value: Json, base: string[]): Diagnostic[] {
  return Object.entries(IDLE).flatMap(([key, { lacks, help }]): Diagnostic[] => {
    const parts = key.split('.');
    const set = parts.reduce<Json | undefined>((here, part) => (isObject(here ?? null) ? own(here as { [name: string]: Json }, part) : undefined), value);
    if (set === undefined || saysNothing(set)) return [];
    const path = [...base, ...parts];
    return [
      {
        code: 'ORC-519',
        severity: 'warning',
        message: `\`${path.join('.')}\` is not acted on by this version: ${lacks}`,
        source: file.source,
        span: file.spanOf(path, true),
        label: 'has no effect yet',
        path: path.join('.'),
        help: [help],
      },
    ];
  });
}

/** Maps and lists that hold nothing but such. */
function saysNothing(value: Json): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.values(value).every(saysNothing);
}
