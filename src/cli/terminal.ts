import { coloured, plain, type Paint } from './text.ts';

/** Where a command reads and writes. Data goes to `out`, everything else to `err`. */
export interface Terminal {
  cwd: string;
  env: { [name: string]: string | undefined };
  out(text: string): void;
  err(text: string): void;
  /** Colours for `err`, and for `out`. */
  paint: Paint;
  paintOut: Paint;
  /** Columns of the terminal behind `err` as it is now; 100 where it is none. */
  readonly columns: number;
  outIsTerminal: boolean;
  /** A picture that changes may be drawn on `err`. */
  canRedraw: boolean;
  /** Somebody sits there: questions may be asked on `err` and answered on stdin. */
  canAsk: boolean;
  quiet: boolean;
  /** 1 tells more, 2 also where errors come from. */
  verbose: number;
  config: string | undefined;
  environment: string | undefined;
}

export interface GlobalFlags {
  color: boolean;
  quiet: boolean;
  verbose: number;
  config?: string;
  env?: string;
}

/** The terminal of this process. */
export function openTerminal(flags: GlobalFlags): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const hasColour = (stream: NodeJS.WriteStream): boolean => {
    if (!flags.color || (env['NO_COLOR'] ?? '') !== '') return false;
    if ((env['FORCE_COLOR'] ?? '') !== '') return env['FORCE_COLOR'] !== '0';
    return stream.isTTY && env['TERM'] !== 'dumb';
  };
  return {
    cwd: process.cwd(),
    env,
    out: text => void stdout.write(text),
    err: text => void stderr.write(text),
    paint: hasColour(stderr) ? coloured : plain,
    paintOut: hasColour(stdout) ? coloured : plain,
    get columns() {
      return stderr.isTTY ? Math.max(40, stderr.columns) : 100;
    },
    outIsTerminal: stdout.isTTY,
    canRedraw: stderr.isTTY && env['TERM'] !== 'dumb' && (env['CI'] ?? '') === '' && !flags.quiet,
    canAsk: stdin.isTTY && stderr.isTTY && (env['CI'] ?? '') === '',
    quiet: flags.quiet,
    verbose: flags.verbose,
    config: flags.config,
    environment: flags.env,
  };
}
