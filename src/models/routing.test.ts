import { expect, test } from 'vitest';
import type { Json } from '../json.ts';
import { NEVER_HEARD, type HealthRecord } from './health.ts';
import { readRequirements } from './requirements.ts';
import { isNamed, route, ruleFor, withRule, type Candidate, type Route } from './routing.ts';
import { readSize, traitsOf } from './traits.ts';

const NOW = 1_000_000;

function model(id: string, more: Partial<Candidate> & { in?: number; out?: number; entry?: object; heard?: Partial<HealthRecord> } = {}): Candidate {
  const { in: input, out: output, entry = {}, heard = {}, ...rest } = more;
  const provider = id.slice(0, id.indexOf('/'));
  return {
    id,
    provider,
    contextWindow: 100_000,
    local: false,
    price: input === undefined ? undefined : { inputPerMillion: input * 1e6, outputPerMillion: (output ?? input * 4) * 1e6 },
    traits: traitsOf(id.slice(provider.length + 1), entry as never),
    record: { ...NEVER_HEARD, ...heard },
    circuit: 'closed',
    ...rest,
  };
}

const MODELS = [
  model('anthropic/claude-opus-4', { in: 15, contextWindow: 200_000 }),
  model('anthropic/claude-haiku-4-5', { in: 1, contextWindow: 200_000, heard: { latencyMs: 900, tokensPerSecond: 120, calls: 9 } }),
  model('openai/gpt-4o-mini', { in: 0.15, heard: { latencyMs: 500, tokensPerSecond: 90, calls: 9 } }),
  model('lab/llama-3.1-8b', { contextWindow: undefined, entry: { capabilities: ['tools'], languages: ['en'] } }),
  model('local/SmolLM2-135M', { local: true, in: 0, contextWindow: 4096, heard: { latencyMs: 300, calls: 9 } }),
];

function choose(requirements: Json, models = MODELS, turn = 0): Route {
  return route(readRequirements(requirements), models, { nowMs: NOW, turn });
}

test('the same state gives the same choice, in whatever order the models come', () => {
  const wanted = { strategy: 'balanced' };
  expect(choose(wanted)).toEqual(choose(wanted));
  expect(choose(wanted, [...MODELS].reverse()).candidates).toEqual(choose(wanted).candidates);
});

test.each<[Json, string]>([
  [{ strategy: 'cheapest' }, 'local/SmolLM2-135M'],
  [{ strategy: 'cheapest', expertise: ['code'] }, 'openai/gpt-4o-mini'],
  [{ strategy: 'cheapest', min_context_window: 150_000 }, 'anthropic/claude-haiku-4-5'],
  [{ strategy: 'fastest' }, 'local/SmolLM2-135M'],
  [{ strategy: 'best' }, 'anthropic/claude-opus-4'],
  [{ expertise: 'very-high' }, 'anthropic/claude-opus-4'],
  [{ strategy: 'best', max_cost_usd: 0.01 }, 'openai/gpt-4o-mini'],
  [{ strategy: 'best', excluded: ['anthropic'] }, 'openai/gpt-4o-mini'],
  [{ preferred: ['lab/llama-3.1-8b', 'openai'] }, 'lab/llama-3.1-8b'],
  [{ preferred: ['nobody', 'anthropic:claude-haiku-4-5'] }, 'anthropic/claude-haiku-4-5'],
  [{ modalities: ['image'], strategy: 'cheapest' }, 'openai/gpt-4o-mini'],
  [{ local: true }, 'local/SmolLM2-135M'],
])('%j chooses %s', (requirements, id) => {
  expect(choose(requirements).chosen).toBe(id);
});

test.each<[Json, string, string]>([
  [{ min_context_window: 150_000 }, 'openai/gpt-4o-mini', 'its context of 100000 is below 150000'],
  [{ min_context_window: 1 }, 'lab/llama-3.1-8b', 'its context of unknown length is below 1'],
  [{ cost_limit: 0.001 }, 'anthropic/claude-haiku-4-5', 'a call would cost $0.003, above $0.001'],
  [{ cost_limit: 100 }, 'lab/llama-3.1-8b', 'its price is unknown, and there is a cap'],
  [{ max_cost_per_1k_tokens: 0.001 }, 'anthropic/claude-haiku-4-5', 'its price of $2.5 a million tokens is above $1'],
  [{ capabilities: ['tools'] }, 'local/SmolLM2-135M', 'it is not known to have: tools'],
  [{ modalities: ['vision'] }, 'lab/llama-3.1-8b', 'it is not known to read: image'],
  [{ languages: ['no'] }, 'lab/llama-3.1-8b', 'it does not know: no'],
  [{ expertise: ['code'] }, 'local/SmolLM2-135M', 'it is not known to be good at: code'],
  [{ expertise: 'high' }, 'anthropic/claude-haiku-4-5', 'its expertise is medium, below high'],
  [{ min_size: '7b' }, 'local/SmolLM2-135M', 'its size of 0.135b is below 7b'],
  [{ max_size: '7b' }, 'lab/llama-3.1-8b', 'its size of 8b is above 7b'],
  [{ max_latency: '0.6s' }, 'anthropic/claude-haiku-4-5', 'it takes 900 ms, above 600 ms'],
  [{ min_tokens_per_second: 100 }, 'openai/gpt-4o-mini', 'it gives 90 tokens a second, below 100'],
  [{ excluded_providers: ['openai'] }, 'openai/gpt-4o-mini', 'it is excluded'],
  [{ local: true }, 'openai/gpt-4o-mini', 'it is not on this machine'],
  [{ free: true }, 'lab/llama-3.1-8b', 'its price is unknown'],
])('%j rejects %s: %s', (requirements, id, reason) => {
  expect(choose(requirements).rejected).toContainEqual({ id, reason });
});

test('every key that older pipelines write means something', () => {
  const older = {
    expertise: 'high',
    modalities: ['code'],
    min_size: '7B',
    max_size: '70B',
    cost_limit: 0.1,
    budget_period: 'per-task',
    min_tokens_per_second: 20,
    preferred: ['ollama:deepseek-r1-32b'],
    fallback_strategy: 'best_available',
    tasks: ['generate', 'code'],
    context_window: 8192,
    vision_capable: false,
    supports_function_calling: true,
  };
  expect(readRequirements(older)).toMatchObject({
    minLevel: 'high',
    expertise: ['code', 'code'],
    minSizeBillions: 7,
    maxSizeBillions: 70,
    maxCost: 100_000,
    minTokensPerSecond: 20,
    preferred: ['ollama:deepseek-r1-32b'],
    otherwise: 'best',
    minContextWindow: 8192,
    capabilities: ['tools'],
    modalities: [],
  });
});

test.each<[Json, string]>([
  [{ expertize: ['code'] }, '`expertize` is not a requirement of a model'],
  [{ min_size: 'big' }, "`min_size` of a model's requirements must be a size such as 7b or 135m"],
  [{ strategy: 'dearest' }, "`strategy` of a model's requirements must be one of: "],
  [{ max_cost_usd: -1 }, "`max_cost_usd` of a model's requirements must be a number from 0"],
  [{ capabilities: 5 }, "`capabilities` of a model's requirements must be a name, or a list of names"],
  [[], "`model` of a model's requirements must be the id of a model, or a map of requirements"],
])('%j is refused', (requirements, message) => {
  expect(() => readRequirements(requirements)).toThrow(message);
});

test('what is let go is said, and no fact ever is', () => {
  const wanted = { expertise: ['poetry'], excluded: ['anthropic', 'local', 'lab'], fallback_strategy: 'best_available' };
  expect(choose({ ...wanted, fallback_strategy: 'fail' }).chosen).toBeNull();
  expect(choose(wanted)).toMatchObject({ chosen: 'openai/gpt-4o-mini', relaxed: ['quality'], strategy: 'best' });
  expect(choose({ ...wanted, max_cost_usd: 0 }).chosen).toBeNull();
});

test('who is ill is passed over for a minute, and asked where all are', () => {
  const ill = (id: string, kind: 'auth' | 'network', agoMs: number): Candidate =>
    model(id, { in: 1, heard: { failure: { kind, message: 'no' }, checkedAtMs: NOW - agoMs } });
  const models = [ill('a/x', 'network', 10_000), model('b/x', { in: 2 })];
  expect(choose({ strategy: 'cheapest' }, models)).toMatchObject({ chosen: 'b/x', rejected: [{ id: 'a/x', reason: 'it is not well (network): no' }] });
  expect(choose({ strategy: 'cheapest', healthy: false }, models).chosen).toBe('a/x');
  expect(choose({ strategy: 'cheapest' }, [ill('a/x', 'network', 61_000), models[1]!]).chosen).toBe('a/x');
  expect(choose({}, [ill('a/x', 'auth', 1)])).toMatchObject({ chosen: 'a/x', relaxed: ['health'] });
  expect(choose({ strategy: 'cheapest' }, [model('a/x', { in: 1, circuit: 'open' }), models[1]!]).chosen).toBe('b/x');
});

test('an unknown price counts as the dearest', () => {
  expect(choose({ strategy: 'cheapest' }, [model('a/unknown'), model('b/dear', { in: 500 })]).candidates.map(({ id }) => id)).toEqual(['b/dear', 'a/unknown']);
});

test('round robin goes through all that qualify, and preferred ones alone where some do', () => {
  const turns = (wanted: object): (string | null)[] => [0, 1, 2, 3].map(turn => choose({ strategy: 'round-robin', ...wanted }, MODELS, turn).chosen);
  expect(turns({ excluded: ['lab', 'local'] })).toEqual([
    'anthropic/claude-haiku-4-5',
    'anthropic/claude-opus-4',
    'openai/gpt-4o-mini',
    'anthropic/claude-haiku-4-5',
  ]);
  expect(turns({ preferred: ['openai'] })).toEqual(Array(4).fill('openai/gpt-4o-mini'));
});

test('sticky choices stay when another model goes, and spread over all', () => {
  const of = (key: string, models: Candidate[]): string | null => choose({ strategy: 'sticky', sticky_key: key }, models).chosen;
  const keys = Array.from({ length: 200 }, (_, index) => `user-${index}`);
  const before = keys.map(key => of(key, MODELS));
  const [gone, ...left] = MODELS;
  for (const [index, key] of keys.entries()) if (before[index] !== gone!.id) expect(of(key, left)).toBe(before[index]);
  for (const { id } of MODELS) expect(before.filter(chosen => chosen === id).length).toBeGreaterThan(15);
});

test('rules of domains are found by name, else by their words', () => {
  const rules = [
    { domain: 'law', words: ['contract', 'court of appeal'], use: { expertise: ['reasoning'], strategy: 'best' } as Json },
    { domain: 'code', words: ['python'], use: 'openai/gpt-4o-mini' as Json },
  ];
  expect(ruleFor(rules, 'code', 'a contract')?.domain).toBe('code');
  expect(ruleFor(rules, undefined, 'Read this Contract.')?.domain).toBe('law');
  expect(ruleFor(rules, undefined, 'the Court of Appeal said')?.domain).toBe('law');
  expect(ruleFor(rules, undefined, 'contractual pythons')).toBeUndefined();
  expect(withRule({ domain: 'law', strategy: 'cheapest' }, rules[0]!)).toEqual({ expertise: ['reasoning'], strategy: 'cheapest' });
  expect(choose(withRule({ preferred: 'anthropic' }, rules[1]!)).chosen).toBe('openai/gpt-4o-mini');
});

test.each([
  ['7B', 7],
  ['135m', 0.135],
  ['8x7b', 56],
  [3, 3],
  ['big', undefined],
  [0, undefined],
])('the size %s is %s', (text, billions) => {
  expect(readSize(text)).toBe(billions);
});

test('a name tells what it can', () => {
  expect(traitsOf('llama-3.1-70b-instruct')).toMatchObject({ sizeBillions: 70, level: 'high' });
  expect(traitsOf('gpt-4o')).toMatchObject({ sizeBillions: undefined, level: 'high', modalities: ['text', 'image', 'file'] });
  expect(traitsOf('whatever')).toMatchObject({ level: undefined, expertise: [] });
  expect(traitsOf('claude-haiku-4-5', { expertise: ['poetry', 'low'], size: '5b' })).toMatchObject({
    level: 'low',
    expertise: ['poetry', 'low'],
    sizeBillions: 5,
  });
});

test('a model is named in several ways', () => {
  const one = { id: 'ollama/deepseek-r1', provider: 'ollama' };
  expect(['ollama/deepseek-r1', 'ollama:deepseek-r1', 'deepseek-r1', 'ollama', 'deepseek', 'llama'].map(name => isNamed(one, name))).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
