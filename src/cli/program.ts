import { existsSync } from 'node:fs';
import { Command, Option, type CommanderError } from 'commander';
import type { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { Flags, usageError, type CommandFunction, type Invocation } from './invocation.ts';
import type { CommandSpec, OptionSpec } from './spec.ts';
import { COMMANDS, GLOBAL_OPTIONS } from './specs.ts';
import { openTerminal, type GlobalFlags, type Terminal } from './terminal.ts';

export type Perform = (load: () => Promise<CommandFunction>, terminal: Terminal, invocation: Invocation) => Promise<void>;

const INTRODUCTION = 'Runs AI pipelines written in YAML, and makes them operable.';
const CLOSING = `
Start here:
  orchestrator init                write a small pipeline
  orchestrator run FILE            run it
  orchestrator show last           see what it did
  orchestrator help COMMAND        more about a command`;

/** Words that only hold commands. */
const PARENTS: Record<string, string> = { auto: 'What models decided: auto explain, auto pin, auto diff' };

/** The parser, made from the table of commands. */
export function buildProgram(perform: Perform): Command {
  const program = new Command('orchestrator').description(INTRODUCTION).usage('<command> [arguments]').addHelpText('after', CLOSING);
  for (const spec of GLOBAL_OPTIONS) program.addOption(makeOption(spec));
  program.option('--version', 'print the version').helpOption('-h, --help', 'show help').helpCommand('help [command]', 'show help for a command');
  program.configureHelp({ sortSubcommands: false, showGlobalOptions: true, subcommandTerm: command => command.name(), formatHelp });
  for (const spec of COMMANDS) addCommand(program, spec, perform);
  return quietly(program);
}

/** Help as commander makes it, but for the list of options that belong to every command: there, only those of the command are told at length. */
function formatHelp(this: import('commander').Help, command: Command, helper: import('commander').Help): string {
  const width = helper.padWidth(command, helper);
  const item = (term: string, description: string): string => helper.formatItem(term, width, description, helper);
  const section = (title: string, items: string[]): string[] => (items.length === 0 ? [] : ['', title, ...items]);
  const paragraphs = helper
    .commandDescription(command)
    .split('\n')
    .map(text => helper.boxWrap(text, helper.helpWidth ?? 80));
  const lines = [...paragraphs, '', `Usage: ${helper.commandUsage(command)}`];
  lines.push(
    ...section(
      'Options:',
      helper.visibleOptions(command).map(option => item(helper.optionTerm(option), helper.optionDescription(option))),
    ),
  );
  lines.push(
    ...section(
      'Options of every command:',
      helper
        .visibleGlobalOptions(command)
        .filter(option => option.long !== '--version')
        .map(option => item(helper.optionTerm(option), helper.optionDescription(option))),
    ),
  );
  const groups = helper.groupItems([...command.commands], helper.visibleCommands(command), other => other.helpGroup() || 'Commands:');
  for (const [title, commands] of groups)
    lines.push(
      ...section(
        title,
        commands.map(other => item(helper.subcommandTerm(other), helper.subcommandDescription(other))),
      ),
    );
  return `${lines.join('\n')}\n`;
}

function makeOption({ flags, description, repeat }: OptionSpec): Option {
  const option = new Option(flags, description);
  if (repeat) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  if (option.long === '--verbose') option.argParser((_: string | undefined, before: number | undefined) => (before ?? 0) + 1);
  return option;
}

function addCommand(program: Command, spec: CommandSpec, perform: Perform): void {
  const words = spec.name.split(' ');
  const name = words.at(-1)!;
  let parent = program;
  if (words.length > 1) {
    const known = program.commands.find(command => command.name() === words[0]);
    parent =
      known ??
      program
        .command(words[0]!)
        .description(PARENTS[words[0]!] ?? '')
        .helpGroup(`${spec.group}:`);
  }
  const command = parent
    .command(`${name}${spec.args === undefined ? '' : ` ${spec.args}`}`)
    .summary(spec.summary)
    .helpGroup(`${spec.group}:`);
  command.description(`${spec.summary}.${spec.description === undefined ? '' : `\n\n${spec.description}`}`);
  for (const option of spec.options ?? []) command.addOption(makeOption(option));
  if (spec.examples !== undefined) command.addHelpText('after', `\nExamples:\n${spec.examples.map(example => `  ${example}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const called = given.at(-1) as Command;
    const all = called.optsWithGlobals<{ [name: string]: unknown }>();
    const terminal = openTerminal(globalFlags(all));
    await perform(spec.load, terminal, { args: called.args, flags: new Flags(all) });
  });
}

export function globalFlags(values: { [name: string]: unknown }): GlobalFlags {
  return {
    color: values['color'] !== false,
    quiet: values['quiet'] === true,
    verbose: typeof values['verbose'] === 'number' ? values['verbose'] : 0,
    ...(typeof values['config'] === 'string' ? { config: values['config'] } : {}),
    ...(typeof values['env'] === 'string' ? { env: values['env'] } : {}),
  };
}

/** Nothing is printed and nothing exits on commander's account: what it has to say is thrown. */
function quietly(command: Command): Command {
  command.exitOverride().configureOutput({ outputError: () => undefined });
  for (const inner of command.commands) {
    inner.copyInheritedSettings(command);
    quietly(inner);
  }
  return command;
}

/** What commander says about a call, in our words; undefined where it only showed help. */
export function usageProblem(error: CommanderError, argv: readonly string[]): OrchestratorError | undefined {
  if (error.exitCode === 0 || error.code === 'commander.help' || error.code === 'commander.helpDisplayed') return undefined;
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const meant = /Did you mean (?:one of )?(.*?)\?\)/.exec(error.message)?.[1];
  const command = argv.find(word => COMMANDS.some(spec => spec.name.split(' ')[0] === word));
  const usage = `orchestrator help${command === undefined ? '' : ` ${command}`}`;
  const near = meant === undefined ? [] : [`did you mean \`${meant}\`?`];
  switch (error.code) {
    case 'commander.unknownCommand':
      if (/\.ya?ml$/.test(quoted) || (quoted.includes('.') && existsSync(quoted)))
        return usageError(`\`${quoted}\` is a file, not a command`, [`orchestrator run ${quoted}`, `orchestrator validate ${quoted}`]);
      return usageError(`there is no command \`${quoted}\``, [...near, usage]);
    case 'commander.unknownOption':
      return usageError(`${command === undefined ? 'there is no' : `\`${command}\` has no`} option \`${quoted}\``, [
        ...(near.length > 0 ? near : nearOption(quoted, command)),
        usage,
      ]);
    case 'commander.missingArgument':
      return usageError(`\`${command}\` needs ${quoted.toUpperCase()}`, [usage]);
    case 'commander.excessArguments':
      return usageError(`\`${command}\` was given more arguments than it takes`, [...inputsMeant(command, argv), usage]);
    case 'commander.optionMissingArgument':
      return usageError(`the option \`${quoted}\` needs a value`, [usage]);
    default:
      return usageError(error.message.replace(/^error: /, '').split('\n')[0]!, [usage]);
  }
}

/** An option that is spelled nearly so, of the command or of all. */
function nearOption(written: string, command: string | undefined): string[] {
  const options = [...GLOBAL_OPTIONS, ...COMMANDS.filter(spec => spec.name.split(' ')[0] === command).flatMap(spec => spec.options ?? [])];
  const names = options.flatMap(({ flags }) => /--[\w-]+/.exec(flags)?.[0] ?? []);
  return nearest(written, names, 1).map(name => `did you mean \`${name}\`?`);
}

/** `run FILE topic=stars` means an input. */
function inputsMeant(command: string | undefined, argv: readonly string[]): string[] {
  if (command !== 'run') return [];
  const meant = argv.filter((word, i) => /^[A-Za-z_][\w-]*=/.test(word) && !(argv[i - 1] ?? '').startsWith('-'));
  return meant.length === 0 ? [] : [`inputs are given with -i: ${meant.map(word => `-i ${word}`).join(' ')}`];
}
