import { OrchestratorError } from '../../errors.ts';
import type { JsonSchema } from '../../json.ts';
import { formatUsd } from '../../money.ts';
import { askStructured, embedAll, type Limit, type Model, type ModelReply, type Models, type ModelTool } from '../../models/index.ts';
import { checkSchema } from '../../schema.ts';
import { EXIT } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';
import { messageOf, msText } from './models.ts';

const LIST_PATIENCE_MS = 10_000;
/** A model that has not answered a question of one line by then is not ready. */
const CHECK_PATIENCE_MS = 60_000;
const CHECKS = ['text', 'structured', 'tools', 'streaming', 'vectors', 'limits'] as const;

interface Finding {
  check: (typeof CHECKS)[number];
  /** Null: it was not asked, because it is nothing that the model does. */
  ok: boolean | null;
  text: string;
}

interface Examined {
  id: string;
  findings: Finding[];
  costMicroUsd: number | null;
}

/** Asks models small questions and says what they can do: the configured ones, or those of a name. */
export async function test(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const examined = await withShell(terminal, async shell => {
    const { models } = shell.shop;
    const ids = await namedModels(models, args[0]);
    if (!terminal.quiet) terminal.err(`asking ${count(ids.length, 'model')} a few small questions\n`);
    return Promise.all(ids.map(id => examine(models, id)));
  });
  const failed = examined.filter(({ findings }) => findings.some(({ ok }) => ok === false));
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, ok: failed.length === 0, models: examined }, null, 2)}\n`);
  else {
    terminal.out(`${testTable(examined, terminal).join('\n')}\n`);
    for (const { id, findings } of failed)
      for (const { check, ok, text } of findings)
        if (ok === false) terminal.err(`${terminal.paint('error', '✕')} ${escapeLine(id)}, ${check}: ${escapeLine(text)}\n`);
    if (!terminal.quiet) terminal.err(`${costText(examined)}\n`);
  }
  return failed.length === 0 ? EXIT.ok : EXIT.notReady;
}

/** Without a name, those that the configuration names; where it names none, all that are there. */
async function namedModels(models: Models, name: string | undefined): Promise<string[]> {
  if (name === undefined && models.known().length > 0) return models.known();
  await models.list(AbortSignal.timeout(LIST_PATIENCE_MS));
  const known = models.known();
  if (name === undefined) {
    if (known.length > 0) return known;
    return [models.default().id];
  }
  const meant = known.filter(id => id === name || id.startsWith(`${name}/`) || id.slice(id.indexOf('/') + 1) === name);
  return meant.length > 0 ? meant : [models.get(name).id];
}

/** A kept reply would say nothing of how the model is now. */
const FRESH = { cache: false } as const;

async function examine(models: Models, id: string): Promise<Examined> {
  const replies: Pick<ModelReply, 'rates' | 'costMicroUsd'>[] = [];
  let model: Model;
  try {
    model = models.get(id);
  } catch (error) {
    if (!(error instanceof OrchestratorError)) throw error;
    return { id, findings: CHECKS.map(check => ({ check, ok: false, text: error.message })), costMicroUsd: 0 };
  }
  const metered: Pick<Model, 'generate'> = {
    generate: async (request, how) => {
      const reply = await model.generate(request, { ...how, ...FRESH });
      replies.push(reply);
      return reply;
    },
  };
  const answers = models.describe(id).traits.capabilities.includes('streaming');
  const asked = async (check: Finding['check'], does: boolean, work: () => Promise<Omit<Finding, 'check'>>): Promise<Finding> =>
    does ? attempt(check, work) : { check, ok: null, text: check === 'vectors' ? 'it makes none' : 'it makes vectors, and no text' };
  const findings = [
    await asked('text', answers, () => checkText(metered)),
    await asked('structured', answers, () => checkStructured(metered)),
    await asked('tools', answers, () => checkTools(metered, model.abilities?.tools !== false)),
    await asked('streaming', answers, () => checkStreaming(metered)),
    await asked('vectors', model.embed !== undefined && (!answers || model.abilities?.embeddings === true), () => checkVectors(model, replies)),
  ];
  const limits: Finding = { check: 'limits', ok: true, text: limitsText(replies, models.limitsOf(id)) };
  const costs = replies.map(({ costMicroUsd }) => costMicroUsd);
  return {
    id,
    findings: [...findings, limits],
    costMicroUsd: costs.some(cost => cost === undefined) ? null : costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0),
  };
}

async function attempt(check: Finding['check'], work: () => Promise<Omit<Finding, 'check'>>): Promise<Finding> {
  try {
    return { check, ...(await work()) };
  } catch (error) {
    const late = error instanceof DOMException && error.name === 'TimeoutError';
    if (!late && !(error instanceof OrchestratorError)) throw error;
    return { check, ok: false, text: late ? `no answer within ${CHECK_PATIENCE_MS / 1000} s` : messageOf(error) };
  }
}

const patience = (): AbortSignal => AbortSignal.timeout(CHECK_PATIENCE_MS);

async function checkText(model: Pick<Model, 'generate'>): Promise<Omit<Finding, 'check'>> {
  const reply = await model.generate(
    { messages: [{ role: 'user', content: 'Reply with the single word: ok' }], temperature: 0, maxTokens: 64 },
    { signal: patience() },
  );
  return reply.text.trim() === '' ? { ok: false, text: 'an empty answer' } : { ok: true, text: msText(reply.latencyMs) };
}

const ANSWER: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['word', 'number'],
  properties: { word: { type: 'string' }, number: { type: 'integer', minimum: 1, maximum: 10 } },
};

async function checkStructured(model: Pick<Model, 'generate'>): Promise<Omit<Finding, 'check'>> {
  const answer = await askStructured(
    model,
    { messages: [{ role: 'user', content: 'Give a word, and a number from 1 to 10.' }], temperature: 0, maxTokens: 256 },
    ANSWER,
    { signal: patience() },
  );
  if (!answer.ok) return { ok: false, text: answer.problem };
  const asked = answer.replies.length;
  return { ok: true, text: asked === 1 ? msText(answer.replies[0]!.latencyMs) : `at the ${asked === 2 ? 'second' : 'third'} try` };
}

const ADD: ModelTool = {
  name: 'add',
  description: 'Adds two whole numbers.',
  parameters: { type: 'object', additionalProperties: false, required: ['a', 'b'], properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
};

async function checkTools(model: Pick<Model, 'generate'>, hasOwn: boolean): Promise<Omit<Finding, 'check'>> {
  const { toolCalls = [], latencyMs } = await model.generate(
    { messages: [{ role: 'user', content: 'Add 2 and 3 with the tool.' }], tools: [ADD], toolChoice: 'required', temperature: 0, maxTokens: 256 },
    { signal: patience() },
  );
  const [call] = toolCalls;
  if (call?.name !== ADD.name) return { ok: false, text: 'it asked for no tool, though it had to' };
  const [problem] = checkSchema(ADD.parameters, call.arguments);
  if (problem !== undefined) return { ok: false, text: `its arguments do not fit: ${[...problem.path, problem.message].join(' ')}` };
  return { ok: true, text: hasOwn ? msText(latencyMs) : `${msText(latencyMs)} by shape` };
}

async function checkVectors(model: Model, replies: Pick<ModelReply, 'rates' | 'costMicroUsd'>[]): Promise<Omit<Finding, 'check'>> {
  const made = await embedAll(model, ['a cat', 'a dog'], { signal: patience(), ...FRESH });
  replies.push(...made.replies);
  return { ok: true, text: `${count(made.vectors[0]!.length, 'number')} each` };
}

async function checkStreaming(model: Pick<Model, 'generate'>): Promise<Omit<Finding, 'check'>> {
  let pieces = 0;
  const reply = await model.generate(
    { messages: [{ role: 'user', content: 'Count from one to five.' }], temperature: 0, maxTokens: 64 },
    { signal: patience(), onToken: () => void pieces++ },
  );
  if (pieces === 0) return { ok: false, text: 'the answer came, but not piece by piece' };
  return { ok: true, text: reply.firstTokenMs === undefined ? count(pieces, 'piece') : `first after ${msText(reply.firstTokenMs)}` };
}

/** What the service last said of its limits, else what the configuration sets. */
function limitsText(replies: readonly Pick<ModelReply, 'rates'>[], configured: readonly Limit[]): string {
  const told = replies.at(-1)?.rates ?? [];
  const windows = told.map(({ of, limit, remaining }) => `${remaining ?? '?'}/${limit ?? '?'} ${of} left`);
  if (windows.length > 0) return windows.join(', ');
  const own = configured.flatMap(({ requestsPerMinute, tokensPerMinute, concurrency }) => [
    ...(requestsPerMinute === undefined ? [] : [`${requestsPerMinute} requests/min`]),
    ...(tokensPerMinute === undefined ? [] : [`${tokensPerMinute} tokens/min`]),
    ...(concurrency === undefined ? [] : [`${concurrency} at once`]),
  ]);
  return own.length > 0 ? `${own.join(', ')} (configured)` : 'none told';
}

function testTable(examined: readonly Examined[], { columns, outIsTerminal, paintOut }: Terminal): string[] {
  const rows = examined.map(({ id, findings }): (Cell | string)[] => [
    { text: id, style: 'strong' },
    ...findings.map(({ check, ok, text }): Cell => {
      if (check === 'limits') return { text };
      if (ok === null) return { text: '–', style: 'faint' };
      return ok ? { text: `✓ ${text}`, style: 'ok' } : { text: '✕ failed', style: 'error' };
    }),
  ]);
  const titles = [{ title: 'model', flexible: true as const }, ...CHECKS.map(title => ({ title }))];
  return tableLines(titles, rows, outIsTerminal ? columns : 120, paintOut);
}

function costText(examined: readonly Examined[]): string {
  const costs = examined.map(({ costMicroUsd }) => costMicroUsd);
  const sum = costs.reduce<number>((total, cost) => total + (cost ?? 0), 0);
  return `the questions cost ${formatUsd(sum)}${costs.includes(null) ? ', and what models of an unknown price took' : ''}`;
}
