import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import type { Event } from '../../src/engine/index.ts';
import { openModels, type Models } from '../../src/models/index.ts';
import { compileText, EmbeddedShell, Secrets, type Compiled, type ShellSettings } from '../../src/runtime/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { actionSpecs, BUILTIN_ACTIONS, type Action } from '../../src/tools/index.ts';
import { DEFAULT_POLICY, type Policy } from '../../src/tools/port.ts';
import { probes } from './probes.ts';

/** A folder that is gone when the test has ended. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'promise-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export interface BenchOptions {
  folder?: string;
  store?: Store;
  /** Lays faults over the store. */
  faults?: (store: Store) => Partial<Store>;
  secrets?: { [name: string]: string };
  policy?: Partial<Policy>;
  models?: Models;
  actions?: Action[];
  concurrency?: number;
  budget?: NonNullable<ShellSettings['budget']>;
  clock?: Clock;
}

export interface Bench {
  folder: string;
  store: Store;
  shell: EmbeddedShell;
  /** A pipeline whose tasks are given as YAML, indented by two. */
  compile(tasks: string, head?: string): Promise<Compiled>;
  events(run: string): Promise<Event[]>;
  /** How often the probes have performed what, in this process and in others that share the folder. */
  performed(): string[];
}

/** A shell over a real SQLite file, with the probes beside the built-in actions. */
export async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const folder = options.folder ?? makeFolder();
  const real = options.store ?? (await openStore('sqlite:state/state.db', { base: folder }));
  const store = options.faults === undefined ? real : layFaults(real, options.faults(real));
  const actions = [...BUILTIN_ACTIONS, ...probes(folder), ...(options.actions ?? [])];
  const shell = new EmbeddedShell({
    cwd: folder,
    store,
    stateFolder: join(folder, 'state'),
    actions,
    concurrency: options.concurrency ?? 256,
    program: 'test',
    models: options.models ?? openModels({}, { env: {}, folder }),
    policy: { ...DEFAULT_POLICY, ...options.policy },
    secrets: new Secrets(name => options.secrets?.[name]),
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  onTestFinished(() => shell.close().catch(() => {}));
  return {
    folder,
    store,
    shell,
    compile: (tasks, head = '') => compileText('p.yaml', pipelineOf(tasks, head), folder, actionSpecs(actions)),
    events: async run => (await store.read(run)).map(({ event }) => event),
    performed: () => performedIn(folder),
  };
}

export function pipelineOf(tasks: string, head = ''): string {
  return `pipeline:\n  name: promise\n  version: "1"\n${indented(head)}  tasks:\n${indented(tasks, '    ')}`;
}

function indented(text: string, by = '  '): string {
  return text
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => `${by}${line}\n`)
    .join('');
}

/** A store in which some methods are replaced. */
export function layFaults(store: Store, faults: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(faults, name)) return Reflect.get(faults, name) as unknown;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member as () => unknown).bind(target) : member;
    },
  });
}

export function performedIn(folder: string): string[] {
  const file = join(folder, 'performed');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

/** A process of its own with `bench` (the same folder, its own store) and `say`. */
export function startChild(
  folder: string,
  script: string,
  { flags = [], quiet = false }: { flags?: string[]; quiet?: boolean } = {},
): { process: ChildProcess; line(): Promise<string>; kill(): Promise<void>; ended: Promise<number | null> } {
  const url = (file: string): string => new URL(file, import.meta.url).href;
  const file = join(folder, `child-${readdirSync(folder).length}.mjs`);
  writeFileSync(
    file,
    `
    import { writeSync } from 'node:fs';
    import { openProcess } from '${url('process.ts')}';
    const say = value => writeSync(1, JSON.stringify(value) + '\\n');
    const { shell, compile, store } = await openProcess(${JSON.stringify(folder)});
    ${script}`,
  );
  const child = spawn(process.execPath, [...flags, file], { stdio: ['pipe', 'pipe', quiet ? 'ignore' : 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    process: child,
    ended,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error('the process ended without a word');
      return JSON.parse(value) as string;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Looks again and again until something holds. */
export async function until(holds: () => unknown, limitMs = 8000): Promise<void> {
  for (const end = Date.now() + limitMs; !(await holds());) {
    if (Date.now() > end) throw new Error('it did not come to hold in time');
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

/** Every byte of every file under a folder, as one latin-1 text. */
export function bytesUnder(folder: string): string {
  return readdirSync(folder)
    .map(name => join(folder, name))
    .map(path => (statSync(path).isDirectory() ? bytesUnder(path) : readFileSync(path, 'latin1')))
    .join('\n');
}

/** Fails the test where a promise is rejected and nobody listens. */
export function watchRejections(): void {
  const seen: unknown[] = [];
  const listener = (reason: unknown): void => void seen.push(reason);
  process.on('unhandledRejection', listener);
  onTestFinished(async () => {
    await new Promise(resolve => setTimeout(resolve, 20));
    process.off('unhandledRejection', listener);
    expect(seen).toEqual([]);
  });
}
