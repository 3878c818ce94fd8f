import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openPseudoTerminal, type PseudoTerminal } from './pseudo-terminal.ts';

const BINARY = join(import.meta.dirname, '../../bin/orchestrator');

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

export interface Project {
  folder: string;
  /** Calls the command line and waits for its end. */
  call(args: readonly string[], options?: { env?: Record<string, string>; input?: string }): Promise<Outcome>;
  /** Calls it at a terminal of its own, of 80 columns and 24 rows. */
  sit(args: readonly string[], env?: Record<string, string>): PseudoTerminal;
  /** Calls it and gives the process, for those who want to meddle with it. */
  start(args: readonly string[], env?: Record<string, string>): { child: ChildProcess; outcome: Promise<Outcome>; said(text: string): Promise<void> };
}

/** A folder with files, and a home of its own, gone when the test has ended. */
export function makeProject(files: Record<string, string>): Project {
  const root = mkdtempSync(join(tmpdir(), 'cli-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
  const folder = join(root, 'project');
  mkdirSync(join(root, 'home'));
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const surroundings = { PATH: process.env['PATH'] ?? '', HOME: join(root, 'home'), NODE_COMPILE_CACHE: join(tmpdir(), 'orchestrator-test-cache') };
  const sit: Project['sit'] = (args, env = {}, under = []) =>
    openPseudoTerminal([...under, BINARY, ...args], { cwd: folder, env: { ...surroundings, ...env } });
  const start: Project['start'] = (args, env = {}) => {
    const child = spawn(BINARY, args, { cwd: folder, env: { ...surroundings, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    const waiting = new Set<() => void>();
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
      for (const look of waiting) look();
    });
    const outcome = new Promise<Outcome>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 128), out, err }));
    });
    const said = (text: string): Promise<void> =>
      new Promise(resolve => {
        const look = (): void => {
          if (!err.includes(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    return { child, outcome, said };
  };
  const call: Project['call'] = (args, { env = {}, input = '' } = {}) => {
    const { child, outcome } = start(args, env);
    child.stdin!.end(input);
    return outcome;
  };
  return { folder, call, sit, start };
}

/** A text without what differs from run to run: ids, times, versions. */
export function steady(text: string): string {
  return text
    .replaceAll(/run_[0-9a-z]{16}/g, 'RUN')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b\d+(\.\d)? (ms|s)\b/g, 'N s')
    .replaceAll(/\b\d+m \d\ds\b/g, 'N s');
}

export const HELLO = `pipeline:
  name: hello
  version: "1.0"
  inputs:
    name: { type: string, default: world }
    times: { type: integer, default: 1, minimum: 1, maximum: 3 }
  tasks:
    - id: greet
      action: echo
      parameters: { text: "Hello, {{ name }}!" }
    - id: shout
      action: echo
      parameters: { text: "{{ greet.result | upper }}" }
  outputs:
    greeting: "{{ shout.result }}"
`;

export const BROKEN = `pipeline:
  name: broken
  version: "1.0"
  tasks:
    - id: first
      action: echo
      parameters: { text: fine }
    - id: boom
      action: fail
      dependencies: [first]
      parameters: { message: "the press is broken" }
    - id: after
      action: echo
      dependencies: [boom]
      parameters: { text: never }
`;

export const ASKING = `pipeline:
  name: asking
  version: "1.0"
  tasks:
    - id: review
      action: approval
      parameters: { prompt: "Publish?", choices: [publish, drop] }
    - id: publish
      action: echo
      parameters: { text: "{{ review.result.choice }}" }
  outputs:
    said: "{{ publish.result }}"
`;
