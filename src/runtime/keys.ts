import { isObject, type Json } from '../json.ts';
import { KEY_VARIABLES } from '../models/index.ts';
import { hasReference, type LoadedConfig } from './config/index.ts';
import type { Secrets } from './secrets.ts';

/**
 * Has the keys of providers redacted wherever they show up (C11): those in the environment and the configuration from now on, what a file or a command gives
 * once it is asked for. Gives the `resolve` to ask with.
 */
export function guardKeys(secrets: Secrets, { config, resolve }: Pick<LoadedConfig, 'config' | 'resolve'>, env: NodeJS.ProcessEnv): (text: string) => string {
  for (const name of KEY_VARIABLES) secrets.cover(env[name]);
  for (const settings of Object.values(config.models.providers)) {
    const key = settings['api_key'];
    if (typeof key === 'string' && !hasReference(key)) secrets.cover(key);
    for (const variable of variablesIn(settings)) secrets.cover(env[variable]);
  }
  return text => {
    const value = resolve(text);
    if (hasReference(text)) secrets.cover(value);
    return value;
  };
}

/** Names of the variables that a value refers to. */
function variablesIn(value: Json): string[] {
  if (typeof value === 'string') return [...value.matchAll(/\$\{env:([^}]+)\}/g)].map(match => match[1]!);
  if (Array.isArray(value)) return value.flatMap(variablesIn);
  return isObject(value) ? Object.values(value).flatMap(variablesIn) : [];
}
