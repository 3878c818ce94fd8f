import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { OrchestratorError } from '../../errors.ts';
import { position } from '../../language/source.ts';
import {
  CONFIG_NAME,
  findConfig,
  findPowers,
  isTrusted,
  nameFor,
  readConfigFile,
  revokeTrust,
  trustFile,
  trustRecordFile,
  userFolder,
} from '../../runtime/index.ts';
import type { Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';
import { escapeLine } from '../text.ts';

export function trust(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const { cwd, env, paint } = terminal;
  const path = args[0] === undefined ? findConfig(cwd) : resolve(cwd, args[0]);
  if (path === undefined || !existsSync(path)) {
    throw new OrchestratorError('ORC-517', path === undefined ? `there is no ${CONFIG_NAME} here or above` : `there is no file ${args[0]}`, {
      class: 'not_found',
      help: ['orchestrator init'],
    });
  }
  const record = trustRecordFile(userFolder(env));
  const name = nameFor(path, cwd);
  if (flags.on('revoke')) {
    const was = revokeTrust(path, record);
    if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, file: path, trusted: false, revoked: was })}\n`);
    else terminal.err(`${was ? `${paint('ok', '✓')} ${name} is no longer trusted` : `${name} was not trusted`}\n`);
    return Promise.resolve(0);
  }
  const file = readConfigFile(path, cwd);
  const powers = [undefined, ...environmentsOf(file.value['environments'])].flatMap(environment => findPowers(file, environment));
  const grants = [...new Map(powers.map(power => [power.path.join('.'), power])).values()].map(({ path: where, message }) => ({
    key: where.join('.'),
    line: position(file.source, file.spanOf(where).start).line,
    message,
  }));
  const before = isTrusted(file, record);
  trustFile(file, record);
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, file: path, trusted: true, grants }, null, 2)}\n`);
  else if (!terminal.quiet) {
    terminal.err(
      `${paint('ok', '✓')} ${name} ${before ? 'was trusted already' : 'is trusted, as it is now'}${grants.length === 0 ? '; it grants no power' : '; it grants:'}\n`,
    );
    for (const { key, line, message } of grants) terminal.err(`  ${name}:${line}  ${escapeLine(key)} ${message}\n`);
  }
  return Promise.resolve(0);
}

function environmentsOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
