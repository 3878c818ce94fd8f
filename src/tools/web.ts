import { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Action, ActionSpec } from './port.ts';

/** An action that is declared so that pipelines compile, and that nothing performs until a provider is configured. */
export function byProvider(spec: ActionSpec & Required<Pick<ActionSpec, 'provider'>>): Action {
  return {
    ...spec,
    run: () => {
      throw new OrchestratorError('ORC-407', `${spec.name} needs a provider, and none is configured.`, { class: 'unavailable', help: ['orchestrator doctor'] });
    },
  };
}

function schema(properties: JsonObject, required: string[]): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

export const WEB_ACTIONS: Action[] = [
  byProvider({
    name: 'web_search',
    summary: 'Searches the web.',
    effect: 'read',
    powers: ['network'],
    provider: 'web_search',
    parameters: schema(
      {
        query: { type: 'string', description: 'What to search for; else the description of the pipeline, else its name.' },
        max_results: { type: 'integer', minimum: 1, maximum: 100, default: 10, description: 'The most results to give.' },
      },
      [],
    ),
    result: schema(
      {
        results: {
          type: 'array',
          description: 'The results, best first.',
          items: schema(
            {
              title: { type: 'string', description: 'Title of the page.' },
              url: { type: 'string', description: 'Its address.' },
              snippet: { type: 'string', description: 'An excerpt.' },
              score: { type: 'number', description: 'How well it fits, from 0 to 1.' },
            },
            ['title', 'url', 'snippet', 'score'],
          ),
        },
        count: { type: 'integer', description: 'Number of results.' },
      },
      ['results', 'count'],
    ),
    example: '- id: search\n  action: web_search\n  parameters: { query: "{{ topic }}", max_results: 5 }',
  }),
  byProvider({
    name: 'web_fetch',
    summary: 'Fetches a page as text.',
    effect: 'read',
    powers: ['network'],
    provider: 'web_search',
    parameters: schema({ url: { type: 'string', format: 'uri', 'x-auto': false, description: 'Address of the page.' } }, ['url']),
    result: schema(
      {
        url: { type: 'string', description: 'Address that answered.' },
        title: { type: 'string', description: 'Title of the page.' },
        text: { type: 'string', description: 'What can be read on it.' },
        links: { type: 'array', items: { type: 'string' }, description: 'Addresses that it links to.' },
      },
      ['url', 'title', 'text', 'links'],
    ),
    example: '- id: page\n  action: web_fetch\n  parameters: { url: "{{ item.url }}" }',
  }),
];
