import type { JsonObject } from '../json.ts';
import { badParameter, given, required, texts } from './parameters.ts';
import type { Action, ActionContext } from './port.ts';

async function embed(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  required(parameters, 'texts');
  const list = texts(parameters, 'texts');
  if (list.length === 0) throw badParameter('texts', 'at least one text');
  const model = given(parameters, 'model');
  const found = await context.models.embed({ purpose: 'embed', texts: list, ...(model === undefined ? {} : { model }) });
  return { vectors: found.vectors, count: found.vectors.length, dimensions: found.vectors[0]?.length ?? 0, model: found.model };
}

export const EMBED_ACTIONS: Action[] = [
  {
    name: 'embed',
    summary: 'Has a model turn texts into vectors that lie the closer, the closer the texts are in meaning.',
    effect: 'read',
    powers: ['model'],
    description: 'The vectors of two models cannot be compared, so that no other model answers in the place of the one that is asked.',
    parameters: {
      type: 'object',
      required: ['texts'],
      additionalProperties: false,
      properties: {
        texts: { type: ['string', 'array'], items: { type: 'string', minLength: 1 }, minLength: 1, minItems: 1, description: 'The texts, or one.' },
        model: { type: ['string', 'object'], description: 'A model that makes vectors; else the model of the task, else the default.' },
      },
    },
    result: {
      type: 'object',
      required: ['vectors', 'count', 'dimensions', 'model'],
      additionalProperties: false,
      properties: {
        vectors: { type: 'array', items: { type: 'array', items: { type: 'number' } }, description: 'One for each text, in their order.' },
        count: { type: 'integer', description: 'How many there are.' },
        dimensions: { type: 'integer', description: 'How many numbers each has.' },
        model: { type: 'string', description: 'The model that made them.' },
      },
    },
    example: '- id: vectors\n  action: embed\n  parameters: { texts: "{{ titles }}", model: openai/text-embedding-3-small }',
    run: embed,
  },
];
