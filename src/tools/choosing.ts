import { OrchestratorError } from '../errors.ts';
import type { Json, JsonObject, JsonSchema } from '../json.ts';
import { badParameter, given, optionalText, required, text } from './parameters.ts';
import type { Action, ActionContext, ModelCall } from './port.ts';
import { answerStep, ATTACHMENT_PARAMETERS, MODEL_PARAMETERS, settingsOf, systemMessages, userMessage } from './prompts.ts';

const WANTED: JsonObject = { type: ['string', 'object'], description: 'A model, a word for what it should be good at, or what it must be able to do.' };

async function route(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const choice = await context.models.route(given(parameters, 'requirements'), optionalText(parameters, 'prompt') ?? '');
  return { ...choice };
}

/** What came of one model. */
interface Entry extends JsonObject {
  asked: Json;
  model: string | null;
  text: string | null;
  cost_usd: number | null;
  latency_ms: number | null;
  input_tokens: number | null;
  output_tokens: number | null;
  error: { code: string; message: string } | null;
}

async function compare(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const models = required(parameters, 'models');
  if (!Array.isArray(models)) throw badParameter('models', 'a list of models');
  const schema = given(parameters, 'schema') as JsonSchema | undefined;
  const call: ModelCall = {
    purpose: 'model.compare',
    messages: [...systemMessages(parameters), await userMessage(text(parameters, 'prompt'), parameters, context)],
    ...settingsOf(parameters),
    ...(schema === undefined ? {} : { schema }),
  };
  let done = 0;
  const failures: unknown[] = [];
  const results = await Promise.all(
    models.map(async (model, index) => {
      try {
        return await entryOf(model, { ...call, model, step: answerStep(context, `model-${index}`) }, context);
      } catch (error) {
        // A budget and a stop are about the task, not about one model.
        if (context.signal.aborted || (error instanceof OrchestratorError && error.class === 'budget')) throw error;
        failures.push(error);
        return failedEntry(model, error);
      } finally {
        context.progress(++done, models.length);
      }
    }),
  );
  if (failures.length === models.length) throw failures[0];
  return { results, fastest: least(results, 'latency_ms'), cheapest: least(results, 'cost_usd') };
}

async function entryOf(asked: Json, call: ModelCall, context: ActionContext): Promise<Entry> {
  const { text: said, object, model, usage, costMicroUsd, latencyMs } = await context.models.ask(call);
  return {
    asked,
    model,
    text: said,
    ...(object === undefined ? {} : { object }),
    cost_usd: costMicroUsd === undefined ? null : costMicroUsd / 1_000_000,
    latency_ms: latencyMs,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    error: null,
  };
}

function failedEntry(asked: Json, error: unknown): Entry {
  const code = error instanceof OrchestratorError ? error.code : 'ORC-216';
  const message = error instanceof Error ? error.message : String(error);
  return { asked, model: null, text: null, cost_usd: null, latency_ms: null, input_tokens: null, output_tokens: null, error: { code, message } };
}

/** The model that needed least of something; null where that is unknown of one that answered. */
function least(results: readonly Entry[], of: 'latency_ms' | 'cost_usd'): string | null {
  const answered = results.filter(({ error }) => error === null);
  if (answered.some(entry => entry[of] === null)) return null;
  return answered.reduce((best, entry) => (entry[of]! < best[of]! ? entry : best)).model;
}

const MODEL: JsonObject = { type: ['string', 'null'] };
const NUMBER: JsonObject = { type: ['number', 'null'] };

/** Choosing among models. */
export const CHOOSING_ACTIONS: Action[] = [
  {
    name: 'model.route',
    summary: 'Tells which model would be taken, and why. It asks none.',
    effect: 'read',
    powers: [],
    parameters: {
      type: 'object',
      additionalProperties: false,
      properties: {
        requirements: { ...WANTED, description: `${String(WANTED['description'])} Without it, what the task or the pipeline says.` },
        prompt: { type: 'string', description: 'The text that rules of domains in the configuration look at.' },
      },
    },
    result: {
      type: 'object',
      required: ['chosen', 'strategy', 'candidates', 'rejected', 'relaxed', 'rule'],
      additionalProperties: false,
      properties: {
        chosen: { ...MODEL, description: 'The model; null where none qualifies.' },
        strategy: { type: 'string', description: 'How it was chosen: cheapest, fastest, best, balanced, round-robin, sticky; or named.' },
        candidates: {
          type: 'array',
          description: 'All that qualify, the best first: { id, score, parts }.',
          items: {
            type: 'object',
            properties: {
              id: { type: 'string' },
              score: { type: 'number' },
              parts: {
                type: 'object',
                properties: { cost: { type: 'number' }, speed: { type: 'number' }, quality: { type: 'number' }, health: { type: 'number' } },
              },
            },
          },
        },
        rejected: {
          type: 'array',
          description: 'Those that do not, with the reason: { id, reason }.',
          items: { type: 'object', properties: { id: { type: 'string' }, reason: { type: 'string' } } },
        },
        relaxed: { type: 'array', items: { type: 'string' }, description: 'What was let go, so that there was one at all.' },
        rule: { type: ['string', 'null'], description: 'The rule of the configuration that led here.' },
      },
    },
    example: '- id: which\n  action: model.route\n  parameters: { requirements: { expertise: [code], max_cost_usd: 0.01 } }',
    run: route,
  },
  {
    name: 'model.compare',
    summary: 'Asks several models the same, and puts their answers side by side.',
    effect: 'read',
    powers: ['model'],
    description: 'All are asked at once. One that fails stands beside the others with its error; only where all fail does the task.',
    parameters: {
      type: 'object',
      required: ['prompt', 'models'],
      additionalProperties: false,
      properties: {
        prompt: { type: 'string', minLength: 1, description: 'What to ask.' },
        models: { type: 'array', minItems: 1, maxItems: 20, items: { type: ['string', 'object'] }, description: 'The models, each as model: takes it.' },
        schema: { type: 'object', 'x-auto': false, 'x-schema': true, description: 'JSON Schema of the answers, where they are to be objects.' },
        ...ATTACHMENT_PARAMETERS,
        ...Object.fromEntries(Object.entries(MODEL_PARAMETERS).filter(([name]) => name !== 'model')),
      },
    },
    result: {
      type: 'object',
      required: ['results', 'fastest', 'cheapest'],
      additionalProperties: false,
      properties: {
        results: {
          type: 'array',
          description: 'One for each model, in their order: { asked, model, text, object, cost_usd, latency_ms, input_tokens, output_tokens, error }.',
          items: {
            type: 'object',
            required: ['asked', 'model', 'text', 'cost_usd', 'latency_ms', 'input_tokens', 'output_tokens', 'error'],
            additionalProperties: false,
            properties: {
              asked: { type: ['string', 'object'] },
              model: MODEL,
              text: { type: ['string', 'null'] },
              object: true,
              cost_usd: NUMBER,
              latency_ms: NUMBER,
              input_tokens: NUMBER,
              output_tokens: NUMBER,
              error: { type: ['object', 'null'], properties: { code: { type: 'string' }, message: { type: 'string' } } },
            },
          },
        },
        fastest: { ...MODEL, description: 'The model that answered first.' },
        cheapest: { ...MODEL, description: 'The model that cost least; null where a price is unknown.' },
      },
    },
    example: '- id: which\n  action: model.compare\n  parameters: { prompt: "Say hello in French", models: [openai/gpt-4o-mini, fast] }',
    run: compare,
  },
];
