import { parseDocument } from 'yaml';
import { setOwn, type Json, type JsonObject } from '../../json.ts';
import type { ForkOptions } from '../../runtime/api.ts';
import { readArgument, splitPair } from '../inputs.ts';
import { usageError, type Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';
import { compileFor, takeUp } from './resume.ts';

export async function fork(terminal: Terminal, invocation: Invocation): Promise<number> {
  const { args, flags } = invocation;
  const at = flags.text('at');
  const file = flags.text('pipeline');
  if (at === undefined && file === undefined)
    throw usageError('`fork` needs --at TASK or --at N, the point from which the new run goes its own way, or --pipeline FILE', [
      'orchestrator fork RUN --at TASK',
      'orchestrator show RUN',
    ]);
  const set: JsonObject = {};
  for (const pair of flags.list('set')) {
    const [path, text] = splitPair(pair, '--set', 'PATH=VALUE');
    setOwn(set, path, yamlValue(readArgument(text, terminal)));
  }
  const options: ForkOptions = { ...(at === undefined ? {} : { at: /^\d+$/.test(at) ? Number(at) : at }), ...(Object.keys(set).length > 0 ? { set } : {}) };
  return takeUp(terminal, invocation, async shell =>
    shell.fork(args[0]!, file === undefined ? options : { ...options, pipeline: await compileFor(terminal, shell, file) }),
  );
}

/** A value as YAML: `5` is a number, `[a, b]` a list, anything that is not YAML a text. */
function yamlValue(text: string): Json {
  const document = parseDocument(text, { logLevel: 'silent' });
  return document.errors.length > 0 ? text : (document.toJS({ maxAliasCount: 0 }) as Json);
}
