import type { CommandFunction } from './invocation.ts';

/** One option: its flags as commander writes them, and what it does. `repeat` collects several. */
export interface OptionSpec {
  flags: string;
  description: string;
  repeat?: true;
}

/** A command as data: parsing, help, completions and the reference page are all made of this. */
export interface CommandSpec {
  /** `actions sync` is the command `sync` below `actions`. */
  name: string;
  args?: string;
  group: 'Run' | 'Language' | 'Look' | 'Models' | 'Act' | 'Housekeeping';
  summary: string;
  /** More for its help and its page. */
  description?: string;
  options?: OptionSpec[];
  examples?: string[];
  load: () => Promise<CommandFunction>;
}

export const JSON_FLAG: OptionSpec = { flags: '--json', description: 'print one JSON document' };
