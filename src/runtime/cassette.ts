import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OrchestratorError, type Failure } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, type Json, type JsonObject } from '../json.ts';

/** What came back. */
export type Answer = { reply: Json } | { failure: Failure };

/** One file of a cassette: what went out, and what came back. */
export interface Exchange {
  v: 1;
  request: JsonObject;
  answer: Answer;
}

/** Where in a run something happened. */
export interface Place {
  path: string;
  attempt: number;
  /** How often the same request went out from there before, in this attempt of this process. */
  repeat: number;
}

/** A line of the index: the beginning of a recorded run, an exchange, or what an expression saw of the world. */
type Line =
  | { v: 1; type: 'run'; at: number; run: string; pipeline: string }
  | ({ v: 1; type: 'exchange'; at: number; run: string; of: string; file: string } & Place)
  | { v: 1; type: 'observed'; at: number; run: string; path: string; call: string; argument: string | null; value: Json };

export type ExchangeLine = Extract<Line, { type: 'exchange' }>;
export type RunLine = Extract<Line, { type: 'run' }>;

const INDEX = 'index.ndjson';
const EXCHANGES = 'exchanges';
/** Nothing else is opened, whatever an index says. */
const FILE_NAME = /^([0-9a-f]{64})(?:\.\d+)?\.json$/;

export function keyOf(request: JsonObject): string {
  return sha256(canonicalJson(request));
}

/** Writes a cassette: one file an exchange, named by the hash of its request, and an index of them in the order in which they happened. It only ever adds. */
export class CassetteWriter {
  readonly #folder: string;

  /** Throws ORC-521 where nothing can be written. */
  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(join(folder, EXCHANGES), { recursive: true });
      // A process that was killed may have left half a line: what follows begins its own.
      const isCut = existsSync(this.#index) && /[^\n]$/.test(readFileSync(this.#index, 'utf8'));
      appendFileSync(this.#index, isCut ? '\n' : '');
    } catch (error) {
      throw new OrchestratorError('ORC-521', `the cassette ${folder} cannot be written: ${(error as Error).message}`, { class: 'unavailable', cause: error });
    }
  }

  get #index(): string {
    return join(this.#folder, INDEX);
  }

  begin(run: string, at: number, pipeline: string): void {
    this.#append({ v: 1, type: 'run', at, run, pipeline });
  }

  /** The file comes first: an exchange that the index names is whole. */
  add(request: JsonObject, answer: Answer, about: Pick<ExchangeLine, 'at' | 'run' | 'of'> & Place): void {
    const file = this.#create(keyOf(request), `${JSON.stringify({ v: 1, request, answer } satisfies Exchange, null, 2)}\n`);
    this.#append({ v: 1, type: 'exchange', ...about, file });
  }

  observe(about: Omit<Extract<Line, { type: 'observed' }>, 'v' | 'type'>): void {
    this.#append({ v: 1, type: 'observed', ...about });
  }

  /** The same request may have been answered before: each answer keeps its file. */
  #create(key: string, text: string): string {
    for (let number = 1; ; number++) {
      const file = number === 1 ? `${key}.json` : `${key}.${number}.json`;
      try {
        writeFileSync(join(this.#folder, EXCHANGES, file), text, { flag: 'wx' });
        return file;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  #append(line: Line): void {
    appendFileSync(this.#index, `${JSON.stringify(line)}\n`);
  }
}

/** A recorded answer, and the file in which it stands. */
export interface Found {
  line: ExchangeLine;
  exchange: Exchange;
}

/** A cassette as it is read for a replay. */
export class Cassette {
  readonly folder: string;
  readonly runs: RunLine[] = [];
  readonly #exchanges: ExchangeLine[] = [];
  readonly #byKey = new Map<string, ExchangeLine[]>();
  readonly #observed = new Map<string, Json[]>();
  readonly #used = new Set<ExchangeLine>();

  /** Throws ORC-517 where there is none, ORC-521 where it cannot be read. */
  constructor(folder: string) {
    this.folder = folder;
    if (!existsSync(join(folder, INDEX)))
      throw new OrchestratorError('ORC-517', `there is no cassette in ${folder}`, {
        class: 'not_found',
        help: [`record one: orchestrator run FILE --record ${folder}`],
      });
    for (const line of linesOf(folder)) this.#take(line);
  }

  #take(line: Line): void {
    if (line.type === 'run') this.runs.push(line);
    else if (line.type === 'observed') listAt(this.#observed, observationKey(line)).push(line.value);
    else {
      const [, key] = FILE_NAME.exec(line.file) ?? [];
      if (key === undefined) throw damaged(this.folder, `its index names ${JSON.stringify(line.file)}, which is no exchange`);
      this.#exchanges.push(line);
      listAt(this.#byKey, key).push(line);
    }
  }

  /**
   * The answer to a request. Of several: that of the same place in `run`, the last where a killed process had asked before; else one that was not given yet,
   * of the same run and task if there is one; else, since no request of the recording goes unanswered, one that was.
   */
  find(request: JsonObject, run: string, { path, attempt, repeat }: Place): Found | undefined {
    let best: ExchangeLine | undefined;
    let most = -1;
    for (const line of this.#byKey.get(keyOf(request)) ?? []) {
      const isSame = line.run === run && line.path === path && line.attempt === attempt && line.repeat === repeat;
      const worth = isSame ? 8 : (line.run === run ? 4 : 0) + (this.#used.has(line) ? 0 : 2) + (line.path === path ? 1 : 0);
      if (worth > most || (isSame && worth === most)) [best, most] = [line, worth];
    }
    if (best === undefined) return undefined;
    this.#used.add(best);
    return { line: best, exchange: this.read(best) };
  }

  /** Everything that was asked of one action or model purpose, newest last. */
  of(kind: string): ExchangeLine[] {
    return this.#exchanges.filter(({ of }) => of === kind);
  }

  observed(run: string, path: string, call: string, argument: string | null): Json[] {
    return this.#observed.get(observationKey({ run, path, call, argument })) ?? [];
  }

  /** Throws ORC-521 where the file is not what the index says. */
  read({ file }: ExchangeLine): Exchange {
    let exchange: unknown;
    try {
      exchange = JSON.parse(readFileSync(join(this.folder, EXCHANGES, file), 'utf8'));
    } catch (error) {
      throw damaged(this.folder, `${EXCHANGES}/${file}: ${(error as Error).message}`);
    }
    if (!isExchange(exchange)) throw damaged(this.folder, `${EXCHANGES}/${file} is no exchange of version 1`);
    if (keyOf(exchange.request) !== file.slice(0, 64)) throw damaged(this.folder, `the request in ${EXCHANGES}/${file} is not the one that it is named by`);
    return exchange;
  }
}

function linesOf(folder: string): Line[] {
  const texts = readFileSync(join(folder, INDEX), 'utf8').split('\n');
  return texts.flatMap((text, i) => {
    if (text === '') return [];
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      // A process that was killed while it wrote leaves half a line; nobody was told of what it names.
      return [];
    }
    if (!isLine(line)) throw damaged(folder, `line ${i + 1} of its index is not of version 1`);
    return [line];
  });
}

function isLine(line: unknown): line is Line {
  if (!isObject(line) || line['v'] !== 1 || typeof line['run'] !== 'string') return false;
  if (line['type'] === 'run') return typeof line['at'] === 'number' && typeof line['pipeline'] === 'string';
  if (typeof line['path'] !== 'string') return false;
  return line['type'] === 'observed' ? 'value' in line : line['type'] === 'exchange' && typeof line['file'] === 'string' && typeof line['of'] === 'string';
}

function isExchange(value: unknown): value is Exchange {
  if (!isObject(value) || value['v'] !== 1 || !isObject(value['request']) || !isObject(value['answer'])) return false;
  const { reply, failure } = value['answer'];
  return reply !== undefined || (isObject(failure) && typeof failure['code'] === 'string' && typeof failure['message'] === 'string');
}

function damaged(folder: string, what: string): OrchestratorError {
  return new OrchestratorError('ORC-521', `the cassette ${folder} cannot be read: ${what}`, {
    class: 'invalid_input',
    help: [`record it anew, into an empty folder: orchestrator run FILE --record DIR`],
  });
}

function observationKey({ run, path, call, argument }: { run: string; path: string; call: string; argument: string | null }): string {
  return canonicalJson([run, path, call, argument]);
}

function listAt<T>(lists: Map<string, T[]>, key: string): T[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}
