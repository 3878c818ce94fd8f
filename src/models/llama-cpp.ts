import { join } from 'node:path';
import type { ChatHistoryItem, Llama, LlamaChat, LlamaContextSequence, LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp';
import { systemClock, type Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { checkAbilities } from './abilities.ts';
import { parseAnswer } from './answer-text.ts';
import { spelledOut, textOf } from './content.ts';
import { aborted, unlessAborted } from './failures.ts';
import { grammarSchema } from './grammar.ts';
import { findFile, listFiles } from './model-files.ts';
import type { Abilities, EmbedOptions, EmbedReply, GenerateOptions, Model, ModelInfo, ModelReply, ModelRequest, Provider } from './port.ts';
import { toolsByShape } from './tool-choice.ts';

export interface LlamaCppOptions {
  /** Name of the provider in the configuration. */
  name: string;
  /** Absolute path of the folder that holds `*.gguf` files. */
  modelsDir: string;
  /** More than one makes a busy machine much slower: llama.cpp spins while it waits for its threads. */
  threads?: number;
  /** Tokens of context at most; memory grows with it. */
  contextSize?: number;
  clock?: Clock;
}

const THREADS = 1;
const CONTEXT_SIZE = 4096;
/** Where a request names no limit; a model that does not stop is stopped. */
const OUTPUT_TOKENS_MAX = 1024;
/** What the template of a chat adds to each message, at most. */
const TEMPLATE_TOKENS = 16;
/** Tools come by a grammar, and vectors out of any model. */
const ABILITIES: Abilities = { tools: false, images: false, files: false, embeddings: true };
const EMBEDS_AT_ONCE = 64;

type Library = typeof import('node-llama-cpp');

type GrammarInput = Parameters<Llama['createGrammarForJsonSchema']>[0];

interface Conversation {
  chat: LlamaChat;
  sequence: LlamaContextSequence;
}

/** A model whose contexts are made when they are first used: each takes memory of its own. */
interface Loaded {
  library: Library;
  llama: Llama;
  model: LlamaModel;
  contextSize: number;
  conversation(): Promise<Conversation>;
  embedding(): Promise<LlamaEmbeddingContext>;
}

/** Models on this machine, by llama.cpp on the CPU: free, private, one call at a time. Needs the optional package node-llama-cpp. */
export function llamaCpp(options: LlamaCppOptions): Provider {
  const { name, modelsDir, threads = THREADS, clock = systemClock } = options;
  const loaded = new Map<string, Promise<Loaded>>();
  let backend: Promise<{ library: Library; llama: Llama }> | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  const info = (model: string): ModelInfo => ({
    id: `${name}/${model}`,
    provider: name,
    contextWindow: options.contextSize ?? CONTEXT_SIZE,
    local: true,
    price: { inputPerMillion: 0, outputPerMillion: 0 },
    abilities: ABILITIES,
  });

  async function load(model: string): Promise<Loaded> {
    const file = findFile(model, await listFiles(modelsDir), name, modelsDir);
    backend ??= openBackend(threads);
    backend.catch(() => (backend = undefined));
    const { library, llama } = await backend;
    let ready = loaded.get(file);
    if (ready === undefined) {
      ready = loadFile(library, llama, join(modelsDir, file), options.contextSize ?? CONTEXT_SIZE, threads);
      loaded.set(file, ready);
      ready.catch(() => loaded.delete(file));
    }
    return ready;
  }

  /** One call after another: a second one would only slow the first. */
  function inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const turn = queue.then(() => {
      if (signal.aborted) throw aborted(signal);
      return work();
    });
    queue = turn.catch(() => {});
    return unlessAborted(turn, signal);
  }

  return {
    name,
    list: async () => (await listFiles(modelsDir)).map(file => info(file.slice(0, -'.gguf'.length))),
    model: (model): Model => ({
      ...info(model),
      probe: async () => void findFile(model, await listFiles(modelsDir), name, modelsDir),
      generate: async (request, how) => {
        checkAbilities(info(model), request);
        const asked = { provider: name, model, baseUrl: modelsDir, secrets: [] };
        return inTurn(how.signal, async () => {
          const ready = await load(model);
          return toolsByShape(asked, (inner, innerHow) => answer(ready, model, inner, innerHow, clock))(request, how);
        });
      },
      embed: ({ texts }, how) => inTurn(how.signal, async () => embed(await load(model), model, texts, how, clock)),
      embedsAtOnce: EMBEDS_AT_ONCE,
    }),
    async close() {
      await queue;
      const models = await Promise.allSettled(loaded.values());
      loaded.clear();
      for (const model of models) if (model.status === 'fulfilled') await model.value.model.dispose();
      await (await backend?.catch(() => undefined))?.llama.dispose();
      backend = undefined;
    },
  };
}

async function openBackend(threads: number): Promise<{ library: Library; llama: Llama }> {
  let library: Library;
  try {
    library = await import('node-llama-cpp');
  } catch (cause) {
    throw new OrchestratorError('ORC-407', 'models of llama.cpp need the package node-llama-cpp, which is not installed', {
      class: 'not_found',
      help: ['npm install node-llama-cpp'],
      cause,
    });
  }
  try {
    // Never compiles or downloads anything: what the package brings is used, or nothing.
    const llama = await library.getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      maxThreads: threads,
      progressLogs: false,
      logLevel: library.LlamaLogLevel.disabled,
    });
    return { library, llama };
  } catch (cause) {
    throw new OrchestratorError('ORC-407', `llama.cpp does not start on this machine: ${messageOf(cause)}`, {
      class: 'unavailable',
      help: ['npm install node-llama-cpp'],
      cause,
    });
  }
}

async function loadFile(library: Library, llama: Llama, path: string, contextSize: number, threads: number): Promise<Loaded> {
  let model: LlamaModel | undefined;
  try {
    model = await llama.loadModel({ modelPath: path });
    const opened = model;
    const size = Math.min(contextSize, model.trainContextSize);
    const conversation = once(path, async () => {
      const sequence = (await opened.createContext({ contextSize: size, threads, sequences: 1 })).getSequence();
      return { chat: new library.LlamaChat({ contextSequence: sequence }), sequence };
    });
    const embedding = once(path, () => opened.createEmbeddingContext({ contextSize: size, batchSize: size, threads }));
    return { library, llama, model, contextSize: size, conversation, embedding };
  } catch (cause) {
    await model?.dispose();
    throw unloadable(path, cause);
  }
}

function unloadable(path: string, cause: unknown): OrchestratorError {
  return new OrchestratorError('ORC-408', `the model file ${path} cannot be loaded: ${messageOf(cause)}`, {
    class: 'failed',
    help: ['fetch it again: orchestrator models pull'],
    cause,
  });
}

/** The same result each time, made when it is first asked for; made anew where that failed. */
function once<T>(path: string, make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => {
    try {
      return await (made ??= make());
    } catch (cause) {
      made = undefined;
      throw unloadable(path, cause);
    }
  };
}

async function answer(
  { library, llama, model, contextSize, conversation }: Loaded,
  name: string,
  request: ModelRequest,
  { signal, onToken }: GenerateOptions,
  clock: Clock,
): Promise<ModelReply> {
  const maxTokens = outputRoom(model, name, request, contextSize);
  const startedAt = clock.monotonic();
  let firstTokenMs: number | undefined;
  const grammar = request.schema === undefined ? undefined : await llama.createGrammarForJsonSchema(grammarSchema(request.schema) as GrammarInput);
  const { chat, sequence } = await conversation();
  await sequence.clearHistory();
  const meter = sequence.tokenMeter.getState();
  try {
    const { response, metadata } = await chat.generateResponse(historyOf(request), {
      signal,
      maxTokens,
      temperature: request.temperature ?? 0,
      ...(grammar === undefined ? {} : { grammar }),
      ...(request.seed === undefined ? {} : { seed: request.seed }),
      onTextChunk: text => {
        firstTokenMs ??= clock.monotonic() - startedAt;
        if (text !== '') onToken?.(text);
      },
    });
    const used = library.TokenMeter.diff(sequence.tokenMeter, meter);
    const object = request.schema === undefined ? undefined : parseAnswer(response);
    return {
      model: name,
      text: response,
      ...(object === undefined ? {} : { object }),
      usage: { inputTokens: used.usedInputTokens, outputTokens: used.usedOutputTokens, cachedInputTokens: 0, reasoningTokens: 0 },
      finishReason: metadata.stopReason === 'maxTokens' ? 'length' : 'stop',
      latencyMs: clock.monotonic() - startedAt,
      firstTokenMs,
    };
  } catch (cause) {
    if (signal.aborted) throw aborted(signal);
    throw new OrchestratorError('ORC-405', `${name} failed to answer: ${messageOf(cause)}`, { class: 'invalid_output', retryable: true, cause });
  }
}

/** Vectors of length 1, as services make them: their product is their likeness. */
async function embed({ contextSize, embedding }: Loaded, name: string, texts: readonly string[], { signal }: EmbedOptions, clock: Clock): Promise<EmbedReply> {
  const startedAt = clock.monotonic();
  const context = await embedding();
  const lengths = texts.map(text => context.calculateInputLength(text));
  const longest = Math.max(...lengths);
  if (longest >= contextSize) {
    throw new OrchestratorError('ORC-409', `a text has ${longest} tokens, and ${name} has a context of ${contextSize}`, {
      class: 'invalid_input',
      help: ['make vectors of parts of it', 'or give the model more room: context_size of the provider in orchestrator.config.yaml'],
    });
  }
  const vectors: number[][] = [];
  for (const text of texts) {
    if (signal.aborted) throw aborted(signal);
    const { vector } = await context.getEmbeddingFor(text);
    const length = Math.hypot(...vector) || 1;
    vectors.push(vector.map(value => value / length));
  }
  const inputTokens = lengths.reduce((sum, tokens) => sum + tokens, 0);
  const usage = { inputTokens, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };
  return { model: name, vectors, usage, latencyMs: clock.monotonic() - startedAt };
}

/** How many tokens an answer may have; a prompt that leaves too few is refused, since llama.cpp would silently drop its beginning. */
function outputRoom(model: LlamaModel, name: string, request: ModelRequest, contextSize: number): number {
  const prompt = request.messages.reduce((sum, { content }) => sum + model.tokenize(textOf(spelledOut(content))).length + TEMPLATE_TOKENS, 0);
  const wanted = request.maxTokens ?? OUTPUT_TOKENS_MAX;
  const room = contextSize - prompt;
  if (room < Math.min(wanted, contextSize / 4)) {
    throw new OrchestratorError('ORC-409', `the prompt has about ${prompt} tokens, and ${name} has a context of ${contextSize} for prompt and answer`, {
      class: 'invalid_input',
      help: ['shorten the prompt', 'or give the model more room: context_size of the provider in orchestrator.config.yaml'],
    });
  }
  return Math.min(wanted, room);
}

function historyOf({ messages }: ModelRequest): ChatHistoryItem[] {
  const history = messages.flatMap(({ role, content }): ChatHistoryItem[] => {
    if (role === 'tool') return [];
    const text = textOf(spelledOut(content));
    return [role === 'assistant' ? { type: 'model', response: [text] } : { type: role, text }];
  });
  return [...history, { type: 'model', response: [] }];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
