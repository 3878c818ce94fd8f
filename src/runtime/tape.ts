import { relative } from 'node:path';
import { OrchestratorError, toFailure, type Failure } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import type { Model, ModelReply, ModelRequest } from '../models/index.ts';
import { BUILTIN_ACTIONS, type Action } from '../tools/index.ts';
import type { StartOptions } from './api.ts';
import { Cassette, CassetteWriter, keyOf, type Answer, type Found, type Place } from './cassette.ts';
import { differencesOf, distanceBetween, tellDifferences } from './difference.ts';
import type { LiveRun } from './live.ts';
import type { Secrets } from './secrets.ts';
import { plainJson } from './values.ts';

/** Where an exchange happens: the slot only for its log. */
export interface Spot {
  slot: number;
  path(): string;
  attempt: number;
}

/** One question to the world outside: what is asked of whom. */
export interface Question {
  /** Name of the action, or what the model is asked for. */
  of: string;
  request: JsonObject;
}

export interface TapesOptions {
  secrets: Secrets;
  now(): number;
  /** Told what could not be recorded. */
  warn(run: LiveRun, slot: number, text: string): void;
}

/** The cassettes of the runs of a process: what a run was started with stands in its first event, so that it holds after a crash too. */
export class Tapes {
  readonly #options: TapesOptions;
  readonly #tapes = new WeakMap<LiveRun, Tape>();

  constructor(options: TapesOptions) {
    this.#options = options;
  }

  /** Undefined for a run that neither records nor replays. */
  of(run: LiveRun): Tape | undefined {
    const cassette = run.state.created?.cassette;
    if (cassette === undefined) return undefined;
    let tape = this.#tapes.get(run);
    if (tape === undefined) {
      tape = cassette.mode === 'record' ? new Recording(run, cassette.folder, this.#options) : new Replay(run, cassette.folder, this.#options);
      this.#tapes.set(run, tape);
    }
    return tape;
  }
}

/** What of the start of a run is about a cassette; `resolve` makes a path absolute. Throws ORC-518, ORC-517, ORC-521. */
export function cassetteOf({ record, replay }: StartOptions, resolve: (path: string) => string): { mode: 'record' | 'replay'; folder: string } | undefined {
  if (record !== undefined && replay !== undefined)
    throw new OrchestratorError('ORC-518', 'a run is recorded or replayed, not both', { class: 'invalid_input', help: ['take --record or --replay'] });
  if (record !== undefined) {
    void new CassetteWriter(resolve(record));
    return { mode: 'record', folder: resolve(record) };
  }
  if (replay === undefined) return undefined;
  void new Cassette(resolve(replay));
  return { mode: 'replay', folder: resolve(replay) };
}

/** Records a run, or answers in the place of the world. */
export interface Tape {
  readonly replays: boolean;
  /** Id and beginning of the run that is replayed, as its expressions saw them. */
  readonly origin: { id: string; at: number } | undefined;
  /** The answer to a question: of the world, and then recorded as `keep` gives it; or the recorded one, which `play` reads. */
  exchange<T>(question: Question, spot: Spot, how: { perform: () => Promise<T> | T; keep: (result: T) => Json; play: (reply: Json) => T }): Promise<T>;
  /** What an expression sees of the world. */
  observe(path: string, call: string, argument: string | null, look: () => Json): Json;
}

/** Counts how often the same question went out from one place. */
class Repeats {
  readonly #counts = new Map<string, number>();

  next(request: JsonObject, { path: pathOf, attempt }: Spot): Place {
    const path = pathOf();
    const key = `${path}\n${attempt}\n${keyOf(request)}`;
    const repeat = this.#counts.get(key) ?? 0;
    this.#counts.set(key, repeat + 1);
    return { path, attempt, repeat };
  }
}

class Recording implements Tape {
  readonly replays = false;
  readonly origin = undefined;
  readonly #run: LiveRun;
  readonly #writer: CassetteWriter;
  readonly #options: TapesOptions;
  readonly #repeats = new Repeats();

  constructor(run: LiveRun, folder: string, options: TapesOptions) {
    this.#run = run;
    this.#options = options;
    this.#writer = new CassetteWriter(folder);
    this.#try(-1, () => this.#writer.begin(run.id, run.state.created!.at, run.plan.pipeline.name));
  }

  async exchange<T>({ of, request }: Question, spot: Spot, { perform, keep }: { perform: () => Promise<T> | T; keep: (result: T) => Json }): Promise<T> {
    const asked = this.#options.secrets.redact(plainJson(request)) as JsonObject;
    const place = this.#repeats.next(asked, spot);
    const add = (answer: () => Answer): void =>
      this.#try(spot.slot, () => this.#writer.add(asked, answer(), { at: this.#options.now(), run: this.#run.id, of, ...place }));
    try {
      const result = await perform();
      add(() => ({ reply: this.#options.secrets.redact(keep(result)) }));
      return result;
    } catch (error) {
      const failure = toFailure(error);
      // What was stopped from here says nothing about the world.
      if (failure.class !== 'cancelled') add(() => ({ failure: this.#options.secrets.redact(failure as unknown as Json) as unknown as Failure }));
      throw error;
    }
  }

  observe(path: string, call: string, argument: string | null, look: () => Json): Json {
    const value = look();
    this.#try(-1, () => this.#writer.observe({ at: this.#options.now(), run: this.#run.id, path, call, argument, value }));
    return value;
  }

  /** What cannot be recorded has happened all the same, and may have been paid: the run goes on, and its log says so. */
  #try(slot: number, write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#options.warn(this.#run, slot, `this could not be recorded: ${(error as Error).message}`);
    }
  }
}

class Replay implements Tape {
  readonly replays = true;
  readonly origin: { id: string; at: number };
  readonly #run: LiveRun;
  readonly #cassette: Cassette;
  readonly #options: TapesOptions;
  readonly #repeats = new Repeats();
  /** How many observations were given, by what was looked at. */
  readonly #seen = new Map<string, number>();

  constructor(run: LiveRun, folder: string, options: TapesOptions) {
    this.#run = run;
    this.#options = options;
    this.#cassette = new Cassette(folder);
    const { runs } = this.#cassette;
    const { run: id, at } = runs.findLast(({ pipeline }) => pipeline === run.plan.pipeline.name) ?? runs.at(-1) ?? { run: run.id, at: run.state.created!.at };
    this.origin = { id, at };
  }

  async exchange<T>({ of, request }: Question, spot: Spot, { play }: { play: (reply: Json) => T }): Promise<T> {
    const asked = this.#options.secrets.redact(plainJson(request)) as JsonObject;
    const found = this.#cassette.find(asked, this.origin.id, this.#repeats.next(asked, spot));
    if (found === undefined) throw this.#miss(of, asked, spot.path());
    const { answer } = found.exchange;
    if ('reply' in answer) return play(answer.reply);
    const { code, message, ...how } = answer.failure;
    throw new OrchestratorError(code, message, how);
  }

  /** What was seen at the same place, in its turn; once all of it was given, the last of it, and of a time, what has passed since. */
  observe(path: string, call: string, argument: string | null, look: () => Json): Json {
    const recorded = this.#cassette.observed(this.origin.id, path, call, argument);
    const key = JSON.stringify([path, call, argument]);
    const number = this.#seen.get(key) ?? 0;
    this.#seen.set(key, number + 1);
    if (number < recorded.length) return recorded[number]!;
    const last = recorded.at(-1);
    if (call === 'now') return (typeof last === 'number' ? last : this.origin.at) + this.#options.now() - this.#run.state.created!.at;
    return last ?? look();
  }

  #miss(of: string, asked: JsonObject, path: string): OrchestratorError {
    const nearest = this.#nearest(of, asked, path);
    const { plan } = this.#run;
    const help = [`record it anew: orchestrator run ${plan.files[0]?.file ?? 'FILE'} --record ${relative(process.cwd(), this.#cassette.folder) || '.'}`];
    const first = `the cassette holds no answer to a request of \`${path}\` (${of})`;
    const how = { class: 'not_found', help } as const;
    if (nearest === undefined) return new OrchestratorError('ORC-520', `${first}, nor to anything like it`, how);
    const differences = differencesOf(nearest.exchange.request, asked);
    const { line } = nearest;
    const told = `the nearest request was recorded at \`${line.path}\` (exchanges/${line.file}) and differs, - recorded, + asked now:`;
    return new OrchestratorError('ORC-520', [first, told, ...tellDifferences(differences)].join('\n'), {
      ...how,
      details: { nearest: { path: line.path, file: line.file }, differences: differences.slice(0, 20) as unknown as Json },
    });
  }

  /** Of all that was asked of the same, the request that differs least; between two, one of the same task, and then the later. */
  #nearest(of: string, asked: JsonObject, path: string): Found | undefined {
    let nearest: Found | undefined;
    let least = Infinity;
    for (const line of this.#cassette.of(of).slice(-LOOKED_AT_MOST)) {
      const exchange = this.#cassette.read(line);
      const distance = distanceBetween(exchange.request, asked) - (line.path === path ? 0.01 : 0);
      if (distance <= least) [nearest, least] = [{ line, exchange }, distance];
    }
    return nearest;
  }
}

/** So many recorded requests are compared with one that is missing. */
const LOOKED_AT_MOST = 2000;

/** The result of an action: its own, or that of the cassette where the run has one that answers for such an action. */
export function actThrough(tape: Tape | undefined, action: Action, parameters: JsonObject, spot: Spot, act: () => Promise<Json> | Json): Promise<Json> | Json {
  if (tape === undefined || !isOutside(action, parameters)) return act();
  return tape.exchange({ of: action.name, request: { action: action.name, parameters } }, spot, { perform: act, keep: plainJson, play: reply => reply });
}

const BUILT_IN: ReadonlySet<Action> = new Set(BUILTIN_ACTIONS);

/**
 * Whether a cassette answers for an action as a whole: for all that touches something outside, reads and writes alike, so that a replay touches nothing; and for
 * every own action, since nobody here knows what it does. What asks a model is performed: its calls, and those of its tools, are on the tape.
 */
function isOutside(action: Action, parameters: JsonObject): boolean {
  if (!BUILT_IN.has(action)) return true;
  const { powers } = action;
  if (powers.length === 0 || powers.includes('model')) return false;
  return (action.effectOf?.(parameters) ?? action.effect) !== 'pure';
}

/** A reply of a model as a cassette keeps it: with the id of the model that gave it. */
export function keepReply(reply: ModelReply, asked: Model): Json {
  const { fallback, ...rest } = reply;
  return plainJson({ id: fallback?.id ?? asked.id, ...rest });
}

/** A recorded reply, with the cost and the time that it took then: what is decided by them is decided so again. Throws ORC-521 where it is none. */
export function playReply(reply: Json): ModelReply {
  if (!isObject(reply) || typeof reply['id'] !== 'string' || typeof reply['text'] !== 'string' || !isObject(reply['usage']))
    throw new OrchestratorError('ORC-521', 'what the cassette holds as the reply of a model is none', { class: 'invalid_input' });
  const { id, ...rest } = reply;
  return { ...(rest as unknown as ModelReply), fallback: { id, tried: [] } };
}

/** What is asked of a model, whoever it is: the id only where the pipeline names one, so that a replay needs no configuration. */
export function modelQuestion(purpose: string, wanted: Json | undefined, request: ModelRequest): Question {
  return { of: `model: ${purpose}`, request: plainJson({ model: wanted ?? null, ...request }) as JsonObject };
}

/** Stands for the model in a replay. It is never asked: the cassette answers. */
export function silentModel(wanted: Json | undefined): Model {
  return {
    id: typeof wanted === 'string' ? wanted : 'cassette',
    provider: 'cassette',
    contextWindow: undefined,
    local: true,
    price: { inputPerMillion: 0, outputPerMillion: 0 },
    generate: () => Promise.reject(new OrchestratorError('ORC-520', 'in a replay no model is asked', { class: 'internal' })),
  };
}

/** Whether a cassette could not answer, which nothing makes good: neither a default nor another try. */
export function isMiss(error: unknown): boolean {
  return error instanceof OrchestratorError && (error.code === 'ORC-520' || error.code === 'ORC-521');
}
