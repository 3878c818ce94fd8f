import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { OrchestratorError } from '../errors.ts';
import { abortError, throwIfAborted } from './parameters.ts';

export interface Program {
  file: string;
  arguments: string[];
  cwd: string;
  env: Record<string, string>;
  /** What the program reads on its standard input. */
  input: string | undefined;
  timeoutMs: number | undefined;
  /** Bytes kept of each of its two outputs. */
  maxOutput: number;
}

export interface ProgramEnd {
  stdout: string;
  stderr: string;
  returnCode: number;
  durationMs: number;
  truncated: boolean;
}

/** How long a group that was asked to end may take before it is killed. */
const GRACE_MS = 2000;
/** How long to wait for an output that a process outside the group still holds open. */
const DRAIN_MS = 250;

/** The beginning and the end of an output; what lies between is dropped once both are full, so that endless output costs no memory. */
class Capture {
  private head: Buffer[] = [];
  private tail: Buffer[] = [];
  private headSize = 0;
  private tailSize = 0;
  private total = 0;
  private readonly half: number;

  constructor(limit: number) {
    this.half = Math.ceil(limit / 2);
  }

  add(chunk: Buffer): void {
    this.total += chunk.length;
    const room = Math.min(this.half - this.headSize, chunk.length);
    if (room > 0) {
      this.head.push(chunk.subarray(0, room));
      this.headSize += room;
    }
    if (room >= chunk.length) return;
    this.tail.push(chunk.subarray(room));
    this.tailSize += chunk.length - room;
    while (this.tail.length > 1 && this.tailSize - this.tail[0]!.length >= this.half) this.tailSize -= this.tail.shift()!.length;
  }

  get truncated(): boolean {
    return this.total > this.half * 2;
  }

  text(): string {
    if (!this.truncated) return Buffer.concat([...this.head, ...this.tail]).toString();
    const end = Buffer.concat(this.tail).subarray(-this.half);
    return `${Buffer.concat(this.head).toString()}\n[… ${this.total - this.headSize - end.length} bytes left out …]\n${end.toString()}`;
  }
}

/** Groups that are alive: a process that ends on the spot takes them with it. */
const alive = new Set<ChildProcess>();

function killAll(): void {
  for (const child of alive) signalGroup(child, 'SIGKILL');
}

/** Signals the whole group of a child that leads one. A group that is gone is no error. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    /* it has ended */
  }
}

function collect(stream: Readable, capture: Capture): Promise<void> {
  return new Promise(resolve => {
    stream.on('data', (chunk: Buffer) => capture.add(chunk));
    stream.on('close', resolve);
    stream.on('error', () => resolve());
  });
}

function started(child: ChildProcess, program: Program): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      reject(
        new OrchestratorError(
          'ORC-226',
          missing ? `There is no program ${program.file}.` : `The program ${program.file} could not be started: ${error.message}.`,
          { class: missing ? 'not_found' : 'process', retryable: error.code === 'EAGAIN', cause: error },
        ),
      );
    });
  });
}

/**
 * Runs a program as the leader of a group of its own. At the time-out, or when `signal` is aborted, the whole group is asked to end and killed 2 s later;
 * what it leaves behind in the group when it ends is killed too.
 */
export async function runProgram(program: Program, signal: AbortSignal): Promise<ProgramEnd> {
  throwIfAborted(signal);
  const startedAt = performance.now();
  const child = spawn(program.file, program.arguments, { cwd: program.cwd, env: program.env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number>(resolve => child.once('exit', (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name]))));
  await started(child, program);
  if (alive.size === 0) process.once('exit', killAll);
  alive.add(child);

  let stopped: OrchestratorError | undefined;
  let killer: NodeJS.Timeout | undefined;
  const stop = (why: OrchestratorError): void => {
    if (stopped !== undefined) return;
    stopped = why;
    signalGroup(child, 'SIGTERM');
    killer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
  };
  const onAbort = (): void => stop(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const { timeoutMs } = program;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () =>
            stop(
              new OrchestratorError('ORC-226', `The program took longer than ${timeoutMs / 1000} s and was stopped.`, {
                class: 'timeout',
                retryable: true,
                help: ['raise timeout, a parameter of the action'],
              }),
            ),
          timeoutMs,
        );

  const stdout = new Capture(program.maxOutput),
    stderr = new Capture(program.maxOutput);
  const outputs = Promise.all([collect(child.stdout, stdout), collect(child.stderr, stderr)]);
  child.stdin.on('error', () => undefined); // a program that does not read its input is no failure
  child.stdin.end(program.input ?? '');
  const returnCode = await ended;
  signalGroup(child, 'SIGKILL');
  alive.delete(child);
  if (alive.size === 0) process.off('exit', killAll);
  clearTimeout(timer);
  clearTimeout(killer);
  signal.removeEventListener('abort', onAbort);
  const drain = setTimeout(() => {
    child.stdout.destroy();
    child.stderr.destroy();
  }, DRAIN_MS);
  await outputs;
  clearTimeout(drain);
  if (stopped !== undefined) throw stopped;
  return {
    stdout: stdout.text(),
    stderr: stderr.text(),
    returnCode,
    durationMs: Math.round(performance.now() - startedAt),
    truncated: stdout.truncated || stderr.truncated,
  };
}
