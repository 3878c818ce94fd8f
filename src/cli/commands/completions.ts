import { nearest } from '../../ids.ts';
import { usageError, type CommandFunction } from '../invocation.ts';
import type { CommandSpec, OptionSpec } from '../spec.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** The table of commands, and the options that all of them take. */
interface Table {
  commands: readonly CommandSpec[];
  options: readonly OptionSpec[];
}

export function completionsOf(table: Table): CommandFunction {
  return (terminal, { args }) => {
    terminal.out(scriptFor(args[0]!, table));
    return Promise.resolve(0);
  };
}

function scriptFor(given: string, table: Table): string {
  const shell = SHELLS.find(name => name === given);
  if (shell === undefined)
    throw usageError(`there are no completions for \`${given}\``, [
      nearest(given, SHELLS, 1).length > 0 ? `orchestrator completions ${nearest(given, SHELLS, 1)[0]}` : `one of: ${SHELLS.join(', ')}`,
    ]);
  return { bash, zsh, fish }[shell](table);
}

/** `--input` and `-i` of `-i, --input <key=value>`. */
function flagsOf({ flags }: OptionSpec): string[] {
  return flags.split(', ').map(flag => flag.split(' ')[0]!);
}

/** First words: `run`, `actions`, `auto`. */
function firstWords(commands: readonly CommandSpec[]): Map<string, CommandSpec[]> {
  const words = new Map<string, CommandSpec[]>();
  for (const spec of commands) {
    const [word] = spec.name.split(' ') as [string];
    words.set(word, [...(words.get(word) ?? []), spec]);
  }
  return words;
}

function optionsOf(specs: readonly CommandSpec[], options: readonly OptionSpec[]): OptionSpec[] {
  return [...specs.flatMap(spec => spec.options ?? []), ...options];
}

function secondWords(specs: readonly CommandSpec[]): string[] {
  return specs.flatMap(spec => spec.name.split(' ').slice(1));
}

/** Does the command take a run, so that `last` and ids are offered? */
function takesRun(specs: readonly CommandSpec[]): boolean {
  return specs.some(spec => spec.args?.startsWith('<run>') === true || spec.name === 'diff');
}

const RUN_IDS = 'orchestrator runs --output plain --limit 50 --quiet 2>/dev/null | cut -f1';

function bash({ commands, options }: Table): string {
  const cases = [...firstWords(commands)].map(([word, specs]) => {
    const words = [...secondWords(specs), ...optionsOf(specs, options).flatMap(flagsOf)].join(' ');
    const runs = takesRun(specs) ? ` last last-failed $(${RUN_IDS})` : '';
    return `    ${word}) words="${words}${runs}" ;;`;
  });
  return `# Completions of orchestrator for bash.
_orchestrator() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...firstWords(commands).keys(), 'help'].join(' ')}" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
    help) words="${[...firstWords(commands).keys()].join(' ')}" ;;
    completions) words="${SHELLS.join(' ')}" ;;
${cases.filter(line => !line.includes(' completions)')).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}
complete -o filenames -F _orchestrator orchestrator orc
`;
}

function zsh({ commands, options }: Table): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(':', '\\:').replaceAll('[', '\\[').replaceAll(']', '\\]');
  const described = [...firstWords(commands)].map(([word, specs]) => `    '${word}:${quote(specs[0]!.summary)}'`);
  const cases = [...firstWords(commands)].map(([word, specs]) => {
    const flags = optionsOf(specs, options).flatMap(option => flagsOf(option).map(flag => `'${flag}[${quote(option.description)}]'`));
    const rest = takesRun(specs) ? "'*:run:_orchestrator_runs'" : "'*:file:_files'";
    return `    ${word}) _arguments ${[...flags, rest].join(' ')} ;;`;
  });
  return `#compdef orchestrator orc
# Completions of orchestrator for zsh.
_orchestrator_runs() {
  local -a runs
  runs=(last last-failed \${(f)"$(${RUN_IDS})"})
  compadd -a runs
}
_orchestrator() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words; (( CURRENT-- ))
  case $words[1] in
${cases.join('\n')}
  esac
}
compdef _orchestrator orchestrator orc
`;
}

function fish({ commands, options }: Table): string {
  const quote = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  const lines = ['# Completions of orchestrator for fish.', 'complete -c orchestrator -f'];
  const option = ({ description }: OptionSpec, flags: string[], when: string): string => {
    const short = flags.find(flag => !flag.startsWith('--'));
    const long = flags.find(flag => flag.startsWith('--'));
    return `complete -c orchestrator${when}${short === undefined ? '' : ` -s ${short.slice(1)}`}${long === undefined ? '' : ` -l ${long.slice(2)}`} -d '${quote(description)}'`;
  };
  for (const [word, specs] of firstWords(commands)) {
    const when = ` -n '__fish_seen_subcommand_from ${word}'`;
    lines.push(`complete -c orchestrator -n __fish_use_subcommand -a ${word} -d '${quote(specs[0]!.summary)}'`);
    for (const spec of specs.flatMap(one => one.options ?? [])) lines.push(option(spec, flagsOf(spec), when));
    if (takesRun(specs)) lines.push(`complete -c orchestrator${when} -a 'last last-failed (${RUN_IDS})'`);
    else if (specs.some(spec => spec.args?.includes('file') === true)) lines.push(`complete -c orchestrator${when} -F`);
  }
  for (const spec of options) lines.push(option(spec, flagsOf(spec), ''));
  lines.push(`complete -c orchestrator -n '__fish_seen_subcommand_from completions' -a '${SHELLS.join(' ')}'`, 'complete -c orc -w orchestrator');
  return `${lines.join('\n')}\n`;
}
