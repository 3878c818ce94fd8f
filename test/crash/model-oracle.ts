import type { ModelSample } from './model-pipelines.ts';
import type { Bill } from './model-server.ts';
import type { Fact, Journal } from './store.ts';

/** What the product says of its costs when all is over. */
export interface Report {
  /** `costUsd` of `show --json`. */
  showUsd: number;
  /** `totalCost` of `cost --json`. */
  costUsd: number;
  /** Calls that are marked uncertain, and the most that they can have cost. */
  uncertainCalls: number;
  uncertainUsd: number;
}

interface Call {
  mark: string;
  turn: number;
  inputTokens: number;
  outputTokens: number;
  microUsd: number;
}

/** Judges runs that ask a model, by what the model's own process saw and billed, and by what the disk held after each kill. */
export class ModelOracle {
  readonly problems: string[] = [];
  readonly #sample: ModelSample;
  readonly #told: { seq: number; type: string }[] = [];
  #last: Journal | null = null;
  /** Questions whose reply is in the journal. */
  #answered = new Set<string>();
  #asked = 0;

  constructor(sample: ModelSample) {
    this.#sample = sample;
  }

  get run(): string | null {
    return this.#last?.run ?? null;
  }

  get ended(): string | null {
    const end = this.#last?.facts.findLast(fact => fact.type === 'run.ended');
    return end === undefined ? null : String(end.status);
  }

  /** A request that is billed has reached the model. */
  asked(mark: string, turn: number): void {
    this.#asked++;
    if (!this.#sample.marks.includes(mark)) this.problems.push(`S2 nobody wrote the question ${mark}`);
    if (this.#answered.has(`${mark}#${turn}`)) this.problems.push(`S12 ${mark} is asked and paid again, and its reply is in the journal`);
  }

  printed(line: string): void {
    let told: { seq?: number; type?: string };
    try {
      told = JSON.parse(line) as typeof told;
    } catch {
      return; // The last line of a process that was killed may be cut.
    }
    if (typeof told.seq === 'number') this.#told.push({ seq: told.seq, type: String(told.type) });
  }

  look(journal: Journal | null): void {
    const last = this.#last;
    if (journal === null) {
      if (last !== null || this.#told.length > 0 || this.#asked > 0) this.problems.push('S1 the run that was accepted is gone');
      return;
    }
    if (last?.texts.some((text, i) => text !== journal.texts[i])) this.problems.push('S5 the journal has lost or changed what it held');
    for (const { seq, type } of this.#told)
      if (journal.facts[seq - 1]?.type !== type) this.problems.push(`S5 event ${seq} (${type}) was told, and is not in the journal`);
    this.#told.length = 0;
    this.#checkAnswers(journal.facts);
    this.#last = journal;
    this.#answered = new Set(callsOf(journal.facts).map(({ mark, turn }) => `${mark}#${turn}`));
  }

  /** S6: a tag is answered once, and by the model, since none has a default. */
  #checkAnswers(facts: Fact[]): void {
    const answered = new Set<string>();
    for (const { type, slot, index, source } of facts) {
      if (type !== 'auto.resolved') continue;
      const key = `${slot}#${index}`;
      if (answered.has(key)) this.problems.push(`S6 the tag ${key} was answered twice`);
      if (source !== 'model') this.problems.push(`the tag ${key} was answered by ${String(source)}`);
      answered.add(key);
    }
  }

  /** S12: each bill is one of our calls, or was lost with its process and is marked uncertain; and each of our calls is a bill. */
  atEnd(bills: readonly Bill[], kills: number, report: Report): void {
    if (this.ended !== 'completed') this.problems.push(`S8 the run is ${this.ended ?? 'not ended'}`);
    const calls = callsOf(this.#last?.facts ?? []);
    const open = [...bills];
    for (const call of calls) {
      const at = open.findIndex(bill => bill.mark === call.mark && bill.inputTokens === call.inputTokens && bill.outputTokens === call.outputTokens);
      if (at < 0) this.problems.push(`S12 the journal holds a call for ${call.mark} that nobody billed`);
      else if (microUsdOf(open[at]!) !== call.microUsd)
        this.problems.push(`S12 ${call.mark} was billed ${microUsdOf(open[at]!)} and is written as ${call.microUsd}`);
      if (at >= 0) open.splice(at, 1);
    }
    for (const mark of this.#sample.marks) {
      const turns = calls.flatMap(call => (call.mark === mark ? [call.turn] : []));
      if (turns.length === 0) this.problems.push(`S6 the journal holds no reply to ${mark}`);
      if (new Set(turns).size < turns.length) this.problems.push(`S6 the journal holds ${turns.length} replies to ${mark}`);
    }
    const settled = calls.reduce((sum, { microUsd }) => sum + microUsd, 0);
    const lost = open.reduce((sum, bill) => sum + microUsdOf(bill), 0);
    const total = bills.reduce((sum, bill) => sum + microUsdOf(bill), 0);
    if (micro(report.showUsd) !== settled) this.problems.push(`S12 show says ${micro(report.showUsd)}, and its calls cost ${settled}`);
    if (micro(report.costUsd) !== total - lost)
      this.problems.push(`S12 cost says ${micro(report.costUsd)}, and the server billed ${total} of which ${lost} were lost`);
    const heard = open.filter(({ isDelivered }) => isDelivered).length;
    if (heard > 0 && kills === 0) this.problems.push(`S12 ${heard} bills are unknown, and nothing was killed`);
    if (open.length > report.uncertainCalls) this.problems.push(`S12 ${open.length} replies were lost, and ${report.uncertainCalls} calls are uncertain`);
    if (lost > micro(report.uncertainUsd)) this.problems.push(`S12 ${lost} were lost, and at most ${micro(report.uncertainUsd)} are marked uncertain`);
  }
}

/** What the journal says was paid, by the mark in each prompt. */
function callsOf(facts: readonly Fact[]): Call[] {
  return facts.flatMap(({ type, call, prompt }) => {
    // What failed gave no reply: it was refused and costs nothing, or it was lost and is uncertain.
    if (type !== 'model.called' || (call as { failed?: string }).failed !== undefined) return [];
    const { inputTokens, outputTokens, costMicroUsd } = call as { inputTokens: number; outputTokens: number; costMicroUsd: number | null };
    const mark = /q-[\w-]+/.exec(JSON.stringify(prompt))?.[0] ?? 'none';
    const { length: turn } = (prompt as { v: unknown[] }).v;
    return [{ mark, turn, inputTokens, outputTokens, microUsd: costMicroUsd ?? -1 }];
  });
}

/** Rounded up once a call, as S12 says. */
function microUsdOf({ nanoUsd }: Bill): number {
  return Math.ceil(nanoUsd / 1000);
}

function micro(usd: number): number {
  return Math.round(usd * 1_000_000);
}
