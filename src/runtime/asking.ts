import { compute, namesOf, taskOfSlot, type Answer, type Asker, type Computing } from '../engine/index.ts';
import { OrchestratorError, toFailure } from '../errors.ts';
import { evaluate, EXPRESSIONS, parseTemplate, references } from '../language/expression/index.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../json.ts';
import { askStructured, autoRequest, type Model, type ModelRequest, type Models } from '../models/index.ts';
import type { PlanAuto, PlanValue } from '../plan/index.ts';
import type { Action } from '../tools/port.ts';
import type { Caps } from './budgets.ts';
import type { LiveRun } from './live.ts';
import { listening } from './heard.ts';
import { Meter, type Chosen } from './meter.ts';
import { deferredBy, isPutOff } from './patience.ts';
import { pinnedAnswer } from './pins.ts';
import { Flight, redacted, type Workshop } from './perform.ts';
import { isMiss, silentModel } from './tape.ts';
import type { ValueStore } from './values.ts';

/** What asking models needs of its process. */
export interface AskingShop extends Workshop {
  models: Models;
  /** Caps of the configuration on spending. */
  caps: Caps;
}

const ASK_TIMEOUT_MS = 120_000;

/** Asks a model the question of an AUTO tag and sends the answer, or the reason for which there is none. */
export function ask(shop: AskingShop, run: LiveRun, slot: number, index: number): void {
  const flight = new Flight();
  const key = -2 - slot;
  run.inFlight.set(key, flight);
  flight.limit(ASK_TIMEOUT_MS, 'the model did not answer in time');
  void answerTag(shop, run, slot, index, flight)
    .catch((error: unknown): Answer => {
      const failure = redacted(shop, toFailure(flight.stopReason instanceof OrchestratorError ? flight.stopReason : error, 'ORC-314'));
      return { ok: false, failure, ...(flight.held ? { held: true } : {}), ...deferredBy(failure) };
    })
    .then(answer => {
      flight.done();
      run.inFlight.delete(key);
      if (answer.ok || !(answer.held === true || answer.deferred !== undefined)) run.heard.delete(slot);
      shop.loop.send(run, { type: 'answered', slot, index, answer, now: shop.loop.now() });
      shop.loop.freed(run, slot);
    });
}

async function answerTag(shop: AskingShop, run: LiveRun, slot: number, index: number, flight: Flight): Promise<Answer> {
  const tag = tagOf(run, slot, index);
  const given = slot < 0 ? givenInput(shop.values, run, index) : undefined;
  if (given !== undefined) return { ok: true, value: shop.values.refer(given, run.blobs), source: 'pinned', model: null, reason: 'given to the run' };
  const pinned = pinnedAnswer(run, slot, index);
  if (pinned !== undefined) return { ok: true, value: shop.values.refer(pinned, run.blobs), source: 'pinned', model: null, reason: null };
  const takeDefault = (reason: string): Answer => ({
    ok: true,
    value: shop.values.refer(tag.default!, run.blobs),
    source: 'default',
    model: null,
    reason: shop.secrets.redactText(reason),
  });
  const chosen = await shop.values.settle(() => modelFor(shop, run, slot, tag.model));
  if (chosen === undefined && shop.tapes.of(run) === undefined) {
    if (tag.default !== undefined) return takeDefault(NO_MODEL);
    throw noModel(tag);
  }
  const computing = shop.computing(run, [], slot);
  const { request, schema } = await shop.values.settle(() => requestFor(shop, run, slot, tag, computing));
  const meter = new Meter(shop, run, slot, 'auto', chosen ?? { model: silentModel(undefined), route: undefined }, flight);
  try {
    const answer = await flight.guard(
      askStructured(listening(run, slot, chosen === undefined ? nobody(meter, tag) : meter, shop.secrets), request, schema, {
        signal: flight.signal,
        onToken: flight.writing(),
        ...(tag.cache ? {} : { cache: false }),
      }),
    );
    if (answer.ok)
      return {
        ok: true,
        value: shop.values.refer(shop.secrets.redact(answer.value), run.blobs),
        source: 'model',
        model: answer.replies.at(-1)?.fallback?.id ?? chosen?.model.id ?? null,
        reason: answer.remark === undefined ? null : shop.secrets.redactText(answer.remark),
      };
    if (tag.default !== undefined) return takeDefault(answer.problem);
    throw new OrchestratorError('ORC-314', `no answer to the <AUTO> tag at \`${tag.target}\` fitted: ${answer.problem}`, {
      class: 'invalid_output',
      retryable: true,
    });
  } catch (error) {
    if (tag.default === undefined || flight.held || isPutOff(error) || isMiss(error) || run.state.status === 'cancelling') throw error;
    return takeDefault(error instanceof Error ? error.message : String(error));
  }
}

const NO_MODEL = 'no model is configured';

function noModel(tag: PlanAuto): OrchestratorError {
  return new OrchestratorError('ORC-402', `the <AUTO> tag at \`${tag.target}\` needs a model, and none is configured`, {
    class: 'not_found',
    help: ['set a model in orchestrator.config.yaml under models: default', 'or give the tag a default="…"'],
  });
}

/** That no model was there is recorded as its answer, so that the replay takes the same default. */
function nobody(meter: Meter, tag: PlanAuto): Pick<Model, 'generate'> {
  const absent = tag.default === undefined ? noModel(tag) : new OrchestratorError('ORC-402', NO_MODEL, { class: 'not_found' });
  const refuse = (): never => {
    throw absent;
  };
  return { generate: (request, options) => meter.generate(request, options, refuse) };
}

function tagOf(run: LiveRun, slot: number, index: number): PlanAuto {
  return slot < 0 ? run.plan.inputs.flatMap(input => input.autos ?? [])[index]! : taskOfSlot(run.plan, run.state, slot).autos[index]!;
}

/** The value that the caller gave for the input whose default holds the tag. */
function givenInput(values: ValueStore, run: LiveRun, index: number): Json | undefined {
  let at = 0;
  for (const input of run.plan.inputs) {
    const tags = input.autos?.length ?? 0;
    if (index < at + tags) {
      const given = run.state.inputs === null ? {} : values.load(run.state.inputs);
      return isObject(given) && Object.hasOwn(given, input.name) ? given[input.name] : undefined;
    }
    at += tags;
  }
  return undefined;
}

/** The question with what it refers to, fenced and named as data (C16). */
function requestFor(shop: AskingShop, run: LiveRun, slot: number, tag: PlanAuto, computing: Computing): { request: ModelRequest; schema: PlanAuto['schema'] } {
  const asker: Asker = { slot };
  const rendered = compute(tag.question, computing, asker);
  const task = slot < 0 ? undefined : taskOfSlot(run.plan, run.state, slot);
  const action: Action | undefined = task === undefined ? undefined : shop.actions.get(task.action);
  const [, parameter] = /^parameters\.([^.[]+)/.exec(tag.target) ?? [];
  const properties = action !== undefined && isObject(action.parameters) && isObject(action.parameters['properties']) ? action.parameters['properties'] : {};
  const spec = parameter === undefined ? undefined : properties[parameter];
  const description = isObject(spec ?? null) ? (spec as JsonObject)['description'] : undefined;
  const { request } = autoRequest(
    { type: undefined, min: undefined, max: undefined, choices: undefined, pattern: undefined, items: undefined },
    {
      question: typeof rendered === 'string' ? rendered : JSON.stringify(rendered),
      task: { id: task?.id ?? 'inputs' },
      ...(action === undefined ? {} : { action: { name: action.name, summary: action.summary } }),
      ...(parameter === undefined ? {} : { parameter: { name: parameter, ...(typeof description === 'string' ? { description } : {}) } }),
      data: dataOf(tag.question, computing, asker),
    },
  );
  return { request, schema: tag.schema };
}

/** Inputs and results that the question names, by the text by which it names them. */
function dataOf(question: PlanValue, computing: Computing, asker: Asker): { [name: string]: Json } {
  const data: { [name: string]: Json } = {};
  for (const text of textsOf(question)) {
    const { template } = parseTemplate(text);
    for (const reference of template === null ? [] : references(template)) {
      const name = text.slice(reference.start, reference.end);
      try {
        setOwn(data, name, evaluate(EXPRESSIONS.of(name), { scope: namesOf(computing, asker), host: computing.host }));
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        // What the question guards with `default()` may be absent.
      }
    }
  }
  return data;
}

function textsOf(value: PlanValue): string[] {
  if ('t' in value) return [value.t];
  if ('e' in value) return [`{{ ${value.e} }}`];
  if ('m' in value) return value.m.flatMap(textsOf);
  return [];
}

/** What a call, else its task, else the pipeline asks of a model: an id, what it should be good at, or requirements; undefined where all leave it open. */
export function wantedFor(shop: AskingShop, run: LiveRun, slot: number, named: Json | undefined): Json | undefined {
  const isAsked = (wanted: Json | undefined): boolean => (typeof wanted === 'string' ? wanted !== '' && wanted !== 'none' : isObject(wanted ?? null));
  if (isAsked(named)) return named;
  const task = slot < 0 ? undefined : taskOfSlot(run.plan, run.state, slot);
  for (const value of [task?.model, run.plan.defaultModel]) {
    if (value === undefined) continue;
    const wanted = compute(value, shop.computing(run, [], slot), { slot });
    if (isAsked(wanted)) return wanted;
  }
  return undefined;
}

/** The model for what is wanted, else the default; undefined where none is configured. `text` is what rules of domains look at. */
export function modelFor(shop: AskingShop, run: LiveRun, slot: number, named: Json | undefined, text = ''): Chosen | undefined {
  const wanted = wantedFor(shop, run, slot, named);
  const about = wanted === undefined ? {} : { wanted };
  if (shop.tapes.of(run)?.replays === true) return { model: silentModel(wanted), route: undefined, ...about };
  if (wanted !== undefined) return { ...shop.models.choose(wanted, text), ...about };
  return shop.models.hasDefault() ? { model: shop.models.default(), route: undefined } : undefined;
}
