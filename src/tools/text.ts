import { OrchestratorError } from '../errors.ts';
import { fence, FENCE_RULE } from '../fence.ts';
import { isObject, own, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { badParameter, optionalText, required, text } from './parameters.ts';
import type { Action, ActionContext, ModelAnswer } from './port.ts';
import { answerStep, ATTACHMENT_PARAMETERS, MODEL_PARAMETERS, objectOf, settingsOf, systemMessages, userMessage } from './prompts.ts';

const ANALYSES = ['general', 'summary', 'sentiment', 'entities', 'keywords', 'topics'];

async function ask(purpose: string, prompt: string, parameters: JsonObject, context: ActionContext, schema?: JsonSchema): Promise<ModelAnswer> {
  const messages = [...systemMessages(parameters, purpose === 'analyze_text' ? FENCE_RULE : undefined), await userMessage(prompt, parameters, context)];
  // An answer of a shape may take several replies, none of which is paid for twice.
  const shape = schema === undefined ? {} : { schema, step: answerStep(context) };
  return context.models.ask({ purpose, messages, ...shape, ...settingsOf(parameters) });
}

async function generateStructured(parameters: JsonObject, context: ActionContext): Promise<Json> {
  const schema = required(parameters, 'schema');
  if (!isObject(schema)) throw badParameter('schema', 'a JSON Schema');
  return objectOf(await ask('generate_structured', text(parameters, 'prompt'), parameters, context, schema));
}

function listOf(items: JsonObject): JsonObject {
  return { type: 'array', items };
}

/** What each kind of analysis adds to the text of the analysis. A kind that is not here is put to the model in its own words. */
const FIELDS = new Map<string, JsonObject>([
  [
    'sentiment',
    {
      sentiment: { type: 'string', enum: ['positive', 'neutral', 'negative', 'mixed'] },
      score: { type: 'number', minimum: -1, maximum: 1, description: '-1 is negative, 1 is positive.' },
    },
  ],
  [
    'entities',
    {
      entities: listOf({
        type: 'object',
        properties: { text: { type: 'string' }, type: { type: 'string', description: 'person, organisation, place, date, product, other' } },
        required: ['text', 'type'],
        additionalProperties: false,
      }),
    },
  ],
  ['keywords', { keywords: listOf({ type: 'string' }) }],
  ['topics', { topics: listOf({ type: 'string' }) }],
]);

function analysisSchema(fields: JsonObject): JsonObject {
  const properties: JsonObject = { analysis: { type: 'string', description: 'The analysis in one or two sentences.' }, ...fields };
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

async function analyzeText(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const subject = optionalText(parameters, 'text');
  const prompt = optionalText(parameters, 'prompt');
  if (subject === undefined && prompt === undefined)
    throw new OrchestratorError('ORC-211', 'One of the parameters text and prompt is required.', { class: 'invalid_input' });
  const type = text(parameters, 'analysis_type');
  const task = type === 'summary' ? 'Summarise the text.' : `Analyse the text${type === 'general' ? '' : `; kind of analysis: ${type}`}.`;
  const question = subject === undefined ? `${task}\n\n${prompt}` : [prompt ?? task, fence('text', subject)].join('\n\n');
  const fields = FIELDS.get(type);
  if (fields === undefined) return { analysis: (await ask('analyze_text', question, parameters, context)).text, analysis_type: type };
  const found = objectOf(await ask('analyze_text', question, parameters, context, analysisSchema(fields)));
  if (!isObject(found) || typeof own(found, 'analysis') !== 'string')
    throw new OrchestratorError('ORC-405', 'The model gave an analysis without its text.', { class: 'invalid_output', retryable: true });
  return { ...found, analysis_type: type };
}

/** Asking a model. Parameters that these do not know are left alone: older pipelines give a query or a context beside the prompt. */
export const TEXT_ACTIONS: Action[] = [
  {
    name: 'generate_text',
    summary: 'Has a model write a text.',
    effect: 'read',
    powers: ['model'],
    parameters: {
      type: 'object',
      required: ['prompt'],
      properties: { prompt: { type: 'string', minLength: 1, description: 'What to write.' }, ...ATTACHMENT_PARAMETERS, ...MODEL_PARAMETERS },
    },
    result: { type: 'string', description: 'The text.' },
    example: '- id: draft\n  action: generate_text\n  parameters: { prompt: "Write a haiku about {{ topic }}", max_tokens: 100 }',
    run: async (parameters, context) => (await ask('generate_text', text(parameters, 'prompt'), parameters, context)).text,
  },
  {
    name: 'generate_structured',
    summary: 'Has a model fill an object of a given shape.',
    effect: 'read',
    powers: ['model'],
    description: 'The answer is checked against the schema; one that does not fit is asked for again.',
    parameters: {
      type: 'object',
      required: ['prompt', 'schema'],
      properties: {
        prompt: { type: 'string', minLength: 1, description: 'What to find out.' },
        schema: { type: 'object', 'x-auto': false, 'x-schema': true, description: 'JSON Schema of the object.' },
        ...ATTACHMENT_PARAMETERS,
        ...MODEL_PARAMETERS,
      },
    },
    result: { description: 'The object, as the schema describes it.' },
    example:
      '- id: extract\n  action: generate_structured\n  parameters:\n    prompt: "Who wrote {{ text }}?"\n    schema: { type: object, properties: { author: { type: string } }, required: [author] }',
    run: generateStructured,
  },
  {
    name: 'analyze_text',
    summary: 'Has a model analyse a text.',
    effect: 'read',
    powers: ['model'],
    description:
      'sentiment adds sentiment and score to the analysis, entities adds entities, keywords adds keywords, topics adds topics; every other kind gives the analysis alone.',
    parameters: {
      type: 'object',
      anyOf: [{ required: ['text'] }, { required: ['prompt'] }],
      properties: {
        text: { type: 'string', description: 'The text.' },
        prompt: { type: 'string', description: 'What to look for; with no text, the text itself.' },
        analysis_type: {
          type: 'string',
          default: 'general',
          examples: ANALYSES,
          description: `Kind of analysis: ${ANALYSES.join(', ')}, or any other in your words.`,
        },
        ...ATTACHMENT_PARAMETERS,
        ...MODEL_PARAMETERS,
      },
    },
    result: {
      type: 'object',
      required: ['analysis', 'analysis_type'],
      properties: {
        analysis: { type: 'string', description: 'The analysis.' },
        analysis_type: { type: 'string', description: 'Its kind.' },
        sentiment: { type: 'string', description: 'positive, neutral, negative or mixed.' },
        score: { type: 'number', description: 'From -1 (negative) to 1 (positive).' },
        entities: {
          type: 'array',
          description: 'What is named in the text: { text, type }.',
          items: { type: 'object', properties: { text: { type: 'string' }, type: { type: 'string' } } },
        },
        keywords: { type: 'array', items: { type: 'string' }, description: 'Its keywords.' },
        topics: { type: 'array', items: { type: 'string' }, description: 'What it is about.' },
      },
    },
    example: '- id: mood\n  action: analyze_text\n  parameters: { text: "{{ review }}", analysis_type: sentiment }',
    run: analyzeText,
  },
];
