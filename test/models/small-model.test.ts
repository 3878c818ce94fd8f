import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../src/json.ts';
import { AUTO_TYPES } from '../../src/language/index.ts';
import { askStructured, autoRequest, openModels, type AutoShape, type StructuredAnswer } from '../../src/models/index.ts';
import { checkSchema } from '../../src/schema.ts';

/** Beside the project, never in it: ../shared/models from the project's root. */
const MODELS = fileURLToPath(new URL('../../../shared/models', import.meta.url));
const isHere = existsSync(join(MODELS, 'SmolLM2-135M-Instruct.Q4_1.gguf'));
if (!isHere) console.warn('SKIPPED: fifty questions to a real model; there is no SmolLM2-135M-Instruct.Q4_1.gguf in ../shared/models');

const movies = JSON.parse(readFileSync(fileURLToPath(new URL('../../node_modules/vega-datasets/data/movies.json', import.meta.url)), 'utf8')) as JsonObject[];
const GENRES = ['Drama', 'Comedy', 'Action', 'Horror', 'Documentary'];

const ANY: AutoShape = { type: undefined, min: undefined, max: undefined, choices: undefined, pattern: undefined, items: undefined };

/** Questions of every type that a tag may have, each over five films. A `pattern` is not among them: no grammar holds so small a model to one. */
const QUESTIONS: [string, Partial<AutoShape>][] = [
  ['a keyword to search for this film', { type: 'string', min: 3, max: 60 }],
  ['how many results to fetch', { type: 'integer', min: 3, max: 20 }],
  ['how much the film matters, from 0 to 1', { type: 'number', min: 0, max: 1 }],
  ['is this a film for children', { type: 'boolean' }],
  ['the mood of the film', { type: 'choice', choices: ['light', 'dark', 'neutral'] }],
  ['how many stars to give', { type: 'integer', choices: ['1', '2', '3', '4', '5'] }],
  ['words that describe it', { type: 'list', min: 1, max: 4, items: { type: 'string', minLength: 2 } }],
  ['labels for it', { type: 'list', min: 1, max: 2, choices: ['old', 'new', 'long', 'short'] }],
  ['the year in which it is set', { type: 'integer', min: 1900, max: 2030 }],
  ['facts about it', { type: 'json', items: undefined }],
];

describe.skipIf(!isHere)('a real model of 135 million parameters', () => {
  const models = openModels({ default: 'local/smollm2', providers: { local: { type: 'llama.cpp', models_dir: MODELS } } }, { env: {} });
  const signal = new AbortController().signal;
  afterAll(() => models.close());

  function ask(question: string, shape: Partial<AutoShape>, film: JsonObject): { schema: Json; answer: Promise<StructuredAnswer> } {
    const { request, schema } = autoRequest(
      { ...ANY, ...shape },
      { question, task: { id: 'describe' }, data: { film: { title: film['Title']!, year: film['Release Date']! } } },
    );
    return { schema: schema as Json, answer: askStructured(models.default(), request, schema, { signal, attempts: 5 }) };
  }

  test('C5 fifty AUTO questions of every type get fifty valid values, for nothing', { timeout: 900_000 }, async () => {
    expect(new Set(QUESTIONS.map(([, { type }]) => type))).toEqual(new Set(AUTO_TYPES));
    const films = movies.filter((_, index) => index % 600 === 77).slice(0, 5);
    const valid: string[] = [];
    let calls = 0;
    for (const [question, shape] of QUESTIONS) {
      for (const film of films) {
        const { schema, answer } = ask(question, shape, film);
        const got = await answer;
        calls += got.replies.length;
        expect(got, `${question} of ${String(film['Title'])}`).toMatchObject({ ok: true });
        if (got.ok) expect(checkSchema(schema as never, got.value, { formats: true }), JSON.stringify(got.value)).toEqual([]);
        expect(got.replies.every(({ costMicroUsd }) => costMicroUsd === 0)).toBe(true);
        valid.push(question);
      }
    }
    console.log(`50 questions: ${valid.length} valid values in ${calls} calls`);
    expect(valid).toHaveLength(50);
  });

  test('the genre of real films by their titles is told with its accuracy, which is measured and not asserted', { timeout: 400_000 }, async () => {
    const sample = GENRES.flatMap(genre => movies.filter(film => film['Major Genre'] === genre).slice(10, 13));
    let right = 0;
    for (const film of sample) {
      const got = await ask('Which genre is this film?', { type: 'choice', choices: GENRES }, film).answer;
      expect(got).toMatchObject({ ok: true });
      if (got.ok && got.value === film['Major Genre']) right++;
    }
    console.log(`genre of ${sample.length} films by title: ${right} right (${Math.round((100 * right) / sample.length)} %; chance is 20 %)`);
  });
});
