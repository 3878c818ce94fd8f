import type { CommandSpec, OptionSpec } from './spec.ts';
import { COMMANDS, GLOBAL_OPTIONS } from './specs.ts';

/** The reference page of the command line, as Markdown. */
export function cliReference(): string {
  const groups = [...new Set(COMMANDS.map(spec => spec.group))];
  const lines = [
    '# The command line',
    '',
    'This page is made from the definitions of the commands; `orchestrator help COMMAND` prints the same.',
    'Data goes to standard output, everything else to standard error. `orc` is short for `orchestrator`.',
    '',
    ...groups.flatMap(group => [
      `- ${group}: ${COMMANDS.filter(spec => spec.group === group)
        .map(spec => `[\`${spec.name}\`](#${anchor(spec)})`)
        .join(', ')}`,
    ]),
    '',
    '## Options of every command',
    '',
    ...optionTable(GLOBAL_OPTIONS),
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '|--:|---|',
    ...EXITS.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    ...COMMANDS.flatMap(commandSection),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

const EXITS: [number, string][] = [
  [0, 'completed'],
  [1, 'the run failed'],
  [2, 'the pipeline or its inputs are invalid, or the command was called wrongly'],
  [3, 'not found'],
  [4, 'the environment is not ready: store, credentials, model'],
  [5, 'the run waits or is paused'],
  [6, 'a budget or rate limit is used up; the run can be resumed'],
  [7, "the pipeline's own `timeout` passed"],
  [70, 'a fault of the program; it says where its report lies'],
  [129, 'the terminal was closed; the run goes on with `resume`'],
  [130, 'interrupted by Ctrl-C'],
  [143, 'drained on SIGTERM'],
];

function anchor({ name }: CommandSpec): string {
  return `orchestrator-${name.replaceAll(' ', '-')}`;
}

function commandSection(spec: CommandSpec): string[] {
  const { name, args, summary, description, options = [], examples = [] } = spec;
  return [
    `## orchestrator ${name}`,
    '',
    `\`\`\`\norchestrator ${name}${options.length > 0 ? ' [options]' : ''}${args === undefined ? '' : ` ${args}`}\n\`\`\``,
    '',
    `${summary}.`,
    ...(description === undefined ? [] : ['', description]),
    '',
    ...(options.length > 0 ? [...optionTable(options), ''] : []),
    ...(examples.length > 0 ? ['```sh', ...examples, '```', ''] : []),
  ];
}

function optionTable(options: readonly OptionSpec[]): string[] {
  return [
    '| option | meaning |',
    '|---|---|',
    ...options.map(
      ({ flags, description, repeat }) => `| \`${flags.replaceAll('|', '\\|')}\` | ${description.replaceAll('|', '\\|')}${repeat ? ' (several times)' : ''} |`,
    ),
  ];
}
