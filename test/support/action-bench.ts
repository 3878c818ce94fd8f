import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../src/json.ts';
import { findAction } from '../../src/tools/index.ts';
import { DEFAULT_POLICY, type ActionContext, type ModelAnswer, type ModelCall, type ModelGateway, type Policy } from '../../src/tools/port.ts';

/** A folder of its own for one test, with a state folder inside that is named but not made. */
export interface Bench extends AsyncDisposable {
  folder: string;
  context: ActionContext;
  logged: string[];
  asked: ModelCall[];
  /** Performs a built-in action in the folder. */
  perform(action: string, parameters: JsonObject): Promise<Json>;
}

export type BenchOptions = Partial<Pick<ActionContext, 'signal' | 'evaluate' | 'reveal' | 'key' | 'literal' | 'attempt' | 'step' | 'perform'>> & {
  policy?: Partial<Policy>;
  answer?: (call: ModelCall) => Partial<ModelAnswer>;
  embed?: ModelGateway['embed'];
  route?: ModelGateway['route'];
};

const noOne = (): never => {
  throw new Error('nobody is here');
};

/** What an action gets from the shell, with nothing behind it but a folder. */
export async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const { policy, answer, embed = noOne, route = noOne, ...rest } = options;
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'tools-')));
  const logged: string[] = [];
  const asked: ModelCall[] = [];
  const context: ActionContext = {
    run: 'run_1',
    path: 'task',
    attempt: 1,
    key: 'run_1/task',
    signal: new AbortController().signal,
    workspace: folder,
    stateFolder: join(folder, '.orchestrator'),
    policy: { ...DEFAULT_POLICY, ...policy },
    pipeline: { name: 'test', description: undefined },
    log: (level, text) => {
      logged.push(`${level}: ${text}`);
    },
    progress: () => undefined,
    step: async (_name, _effect, perform) => perform('run_1/task/step'),
    models: {
      ask: async call => {
        asked.push(call);
        return { text: '', model: 'test/model', usage: { inputTokens: 1, outputTokens: 1 }, costMicroUsd: 0, latencyMs: 1, ...answer?.(call) };
      },
      embed,
      route,
    },
    action: name => findAction(name),
    perform: noOne,
    evaluate: () => {
      throw new Error('no expressions here');
    },
    reveal: value => value,
    ...rest,
  };
  return {
    folder,
    context,
    logged,
    asked,
    perform: async (name, parameters) => findAction(name)!.run(parameters, context),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
