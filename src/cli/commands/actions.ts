import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import { isObject, type JsonObject, type JsonSchema } from '../../json.ts';
import { CONFIG_NAME, loadConfig } from '../../runtime/index.ts';
import { describeSchema } from '../../schema.ts';
import type { ActionSpec } from '../../tools/index.ts';
import { readManifest, syncManifest } from '../../tools/own.ts';
import { surroundingsOf } from '../compiling.ts';
import { EXIT } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { configOptions } from '../opening.ts';
import { plainRows, tableLines } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, wrap } from '../text.ts';

const OUTPUTS = ['human', 'plain', 'json'] as const;

export function actions(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const { specs } = surroundingsOf(terminal);
  const output = flags.choice('output', OUTPUTS, 'human');
  const [name] = args;
  if (name !== undefined) showAction(terminal, findSpec(name, specs), output === 'json');
  else if (output === 'json') terminal.out(`${JSON.stringify({ v: 1, actions: specs }, null, 2)}\n`);
  else if (output === 'plain') terminal.out(plainRows(specs.map(spec => [spec.name, spec.effect, spec.powers.join(','), spec.summary])));
  else {
    const rows = specs.map(spec => [{ text: spec.name, style: 'strong' as const }, spec.effect, spec.powers.join(', '), spec.summary]);
    terminal.out(
      `${tableLines([{ title: 'action' }, { title: 'effect' }, { title: 'needs' }, { title: '', flexible: true }], rows, terminal.outIsTerminal ? terminal.columns : 120, terminal.paintOut).join('\n')}\n`,
    );
    if (!terminal.quiet) terminal.err(`${count(specs.length, 'action')}; more about one: orchestrator actions http.get\n`);
  }
  return Promise.resolve(0);
}

function findSpec(name: string, specs: readonly ActionSpec[]): ActionSpec {
  const spec = specs.find(candidate => candidate.name === name);
  if (spec !== undefined) return spec;
  const near = nearest(
    name,
    specs.map(candidate => candidate.name),
    1,
  )[0];
  throw new OrchestratorError('ORC-210', `there is no action called \`${name}\``, {
    class: 'not_found',
    help: [near === undefined ? 'orchestrator actions' : `orchestrator actions ${near}`],
  });
}

function showAction({ out, paintOut }: Terminal, spec: ActionSpec, asJson: boolean): void {
  if (asJson) return out(`${JSON.stringify({ v: 1, ...spec }, null, 2)}\n`);
  const lines = [
    `${paintOut('strong', spec.name)}  ${spec.summary}`,
    '',
    ...(spec.description === undefined ? [] : [...spec.description.split('\n').flatMap(text => wrap(text, 80)), '']),
  ];
  const facts = [
    `effect: ${spec.effect}`,
    ...(spec.powers.length > 0 ? [`needs: ${spec.powers.join(', ')}`] : []),
    ...(spec.provider === undefined ? [] : ['needs a provider to be configured']),
  ];
  lines.push(paintOut('faint', facts.join(' · ')), '', ...fieldLines('Parameters', spec.parameters), ...fieldLines('Result', spec.result));
  if (spec.example !== undefined)
    lines.push(
      'Example:',
      ...spec.example
        .trimEnd()
        .split('\n')
        .map(line => `  ${line}`),
    );
  out(`${lines.join('\n').trimEnd()}\n`);
}

function fieldLines(title: string, schema: JsonSchema): string[] {
  const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {};
  const names = Object.keys(properties);
  if (names.length === 0) return [`${title}: ${describeSchema(schema)}`, ''];
  const required = isObject(schema) && Array.isArray(schema['required']) ? schema['required'] : [];
  const width = Math.max(...names.map(name => name.length));
  const lines = names.flatMap(name => {
    const property = properties[name] as JsonObject | boolean;
    const facts = isObject(property) ? property : {};
    const more =
      required.includes(name) && title === 'Parameters' ? ', required' : facts['default'] === undefined ? '' : `, default ${JSON.stringify(facts['default'])}`;
    const text = `${describeSchema(property)}${more}${facts['description'] === undefined ? '' : `. ${String(facts['description'])}`}`;
    return wrap(text, Math.max(40, 96 - width)).map((part, i) => `  ${(i === 0 ? name : '').padEnd(width)}  ${part}`);
  });
  return [`${title}:`, ...lines, ''];
}

/** Imports the modules of own actions once and writes down what they declare. Only a trusted configuration may name any. */
export async function sync(terminal: Terminal): Promise<number> {
  const { cwd, paint } = terminal;
  const loaded = loadConfig(configOptions(terminal));
  const leftOut = loaded.warnings.find(warning => warning.path?.endsWith('actions'));
  if (leftOut !== undefined) {
    const { renderProblem } = await import('../frame.ts');
    terminal.err(renderProblem({ ...leftOut, severity: 'error' }, { paint, columns: terminal.columns }));
    return EXIT.notReady;
  }
  if (loaded.config.actions.length === 0) {
    throw new OrchestratorError('ORC-513', 'the configuration names no modules of own actions', {
      class: 'invalid_input',
      help: [`add to ${CONFIG_NAME}: actions: [./actions/weather.mjs]`],
    });
  }
  const text = await syncManifest(loaded.config.actions, loaded.folder);
  const path = join(loaded.folder, 'orchestrator.actions.json');
  writeFileSync(path, text);
  const added = readManifest(text).modules.flatMap(module => module.actions).length;
  if (!terminal.quiet)
    terminal.err(
      `${paint('ok', '✓')} recorded ${count(added, 'action')} of ${count(loaded.config.actions.length, 'module')} in ${relative(cwd, path) || path}\n`,
    );
  return EXIT.ok;
}
