import { expect, test } from 'vitest';
import { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { forgetsTools } from './abilities.ts';
import type { Abilities } from './port.ts';
import { abilitiesOf, traitsOf } from './traits.ts';

const ALL = { tools: true, images: true, files: true, embeddings: false };

test.each<[string, JsonObject, Abilities]>([
  ['gpt-4o', {}, ALL],
  ['gpt-4.1-nano', {}, ALL],
  ['o4-mini', {}, ALL],
  ['o3-mini', {}, { ...ALL, images: false, files: false }],
  ['anthropic.claude-sonnet-4-5-20250929-v1:0', {}, ALL],
  ['gemini-2.5-flash-lite', {}, ALL],
  ['SmolLM2-135M-Instruct', {}, { tools: false, images: false, files: false, embeddings: false }],
  // Some of the family see, so that it is left open.
  ['pixtral-large-latest', {}, { tools: true, embeddings: false }],
  ['text-embedding-3-small', {}, { embeddings: true }],
  ['nomic-embed-text', {}, { embeddings: true }],
  ['bge-m3', {}, { embeddings: true }],
  ['whatever', {}, {}],
  ['whatever', { capabilities: ['tools'], modalities: ['vision', 'pdf'] }, ALL],
  ['whatever', { capabilities: ['embeddings'] }, { tools: false, embeddings: true }],
  ['gpt-4o', { capabilities: [], modalities: ['text'] }, { tools: false, images: false, files: false, embeddings: false }],
])('what %s can, with %j in the catalog', (name, entry, abilities) => {
  expect(abilitiesOf(name, entry)).toEqual(abilities);
});

test('what makes vectors gives no answers, unless the catalog says that it does both', () => {
  expect(traitsOf('text-embedding-3-small').capabilities).toEqual(['embeddings']);
  expect(traitsOf('both', { capabilities: ['embeddings', 'tools'] }).capabilities).toEqual(['structured', 'streaming', 'embeddings', 'tools']);
});

test.each([
  ['registry.ollama.ai/library/gemma:2b does not support tools', true],
  ['`tools` is not supported with this model', true],
  ['This model does not support function calling', true],
  ['"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', true],
  ['tools.0.name: must match the pattern ^[a-zA-Z0-9_-]{1,64}$', false],
  ['temperature is not supported by this model', false],
  ['maximum number of tools exceeded', false],
])('%j: the model has no tools: %j', (message, isSo) => {
  expect(forgetsTools(new OrchestratorError('ORC-406', message, { class: 'invalid_input' }))).toBe(isSo);
  expect(forgetsTools(new OrchestratorError('ORC-404', message, { class: 'unavailable' }))).toBe(false);
});
