import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import type { Terminal } from './terminal.ts';

/** A command as it was called. */
export interface Invocation {
  args: string[];
  flags: Flags;
}

export type CommandFunction = (terminal: Terminal, invocation: Invocation) => Promise<number>;

/** A call that the command does not understand (exit 2). */
export function usageError(message: string, help: string[] = []): OrchestratorError {
  return new OrchestratorError('ORC-518', message, { class: 'invalid_input', help });
}

/** The options of a call, read by the type that the command expects. */
export class Flags {
  readonly #values: { [name: string]: unknown };

  constructor(values: { [name: string]: unknown }) {
    this.#values = values;
  }

  on(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  number(name: string, smallest = 0): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < smallest)
      throw usageError(`--${name} wants a number of at least ${smallest}, and was given \`${text}\``);
    return value;
  }

  /** One of several words; `--json` is short for `--output json` where that is one of them. */
  choice<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    if (name === 'output' && this.on('json')) return 'json' as T;
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const found = choices.find(choice => choice === text);
    if (found !== undefined) return found;
    const near = nearest(text, choices, 1)[0];
    throw usageError(`--${name} knows no \`${text}\``, [near === undefined ? `one of: ${choices.join(', ')}` : `did you mean \`${near}\`?`]);
  }
}
