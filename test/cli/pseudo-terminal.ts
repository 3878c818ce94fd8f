import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { Screen } from '../support/screen.ts';

const PYTHON = '/usr/bin/python3';
export const hasPseudoTerminals = existsSync(PYTHON);

/** Runs a command in a terminal of its own: what comes in is typed there, what is shown there comes out; its exit code is ours. */
const IN_TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
size = struct.pack('HHHH', int(sys.argv[2]), int(sys.argv[1]), 0, 0)
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    os.execvp(sys.argv[3], sys.argv[3:])
sources = [terminal, 0]
while True:
    ready = select.select(sources, [], [])[0]
    if terminal in ready:
        try: shown = os.read(terminal, 65536)
        except OSError: break
        if not shown: break
        os.write(1, shown)
    if 0 in ready:
        typed = os.read(0, 65536)
        if typed: os.write(terminal, typed)
        else: sources.remove(0)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
`;

export interface PseudoTerminal {
  screen: Screen;
  /** All that came, with its control sequences. */
  raw(): string;
  type(keys: string): void;
  /** Resolves when a text is on the screen. */
  shows(text: string | RegExp): Promise<void>;
  /** Closes the terminal, as one closes a window. */
  close(): void;
  /** The exit code. */
  ended: Promise<number>;
}

export interface PseudoTerminalOptions {
  cwd: string;
  env: Record<string, string>;
  columns?: number;
  rows?: number;
}

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';

/** A command at a terminal, as a person has it before them. */
export function openPseudoTerminal(command: readonly string[], { cwd, env, columns = 80, rows = 24 }: PseudoTerminalOptions): PseudoTerminal {
  const child = spawn(PYTHON, ['-c', IN_TERMINAL, String(columns), String(rows), ...command], {
    cwd,
    env: { TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const screen = new Screen(columns);
  const waiting = new Set<() => void>();
  let raw = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    raw += text;
    screen.write(text);
    for (const look of waiting) look();
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve(code ?? 255));
  });
  const shows = (text: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!(typeof text === 'string' ? screen.text.includes(text) : text.test(screen.text))) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      void ended.then(code => reject(new Error(`it ended with ${code} and never showed ${String(text)}:\n${screen.text}`)));
    });
  return { screen, raw: () => raw, type: keys => void child.stdin.write(keys), shows, close: () => void child.kill('SIGKILL'), ended };
}
