/** The guide's snippets about models, in its order, against a real server on loopback. */
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  CircuitBreaker,
  CostMonitor,
  ErrorHandler,
  ModelNotFoundError,
  ModelProfiler,
  ModelRegistry,
  Orchestrator,
  RetryStrategy,
  type ModelResponse,
} from '../../src/index.ts';
import { startModelServer, type Answer, type ModelServer } from '../support/model-server.ts';
import { makePlace, thrownBy, type Place } from './place.ts';

/** A folder whose configuration names one model of a server; both are gone when the test has ended. */
async function makeLab(): Promise<{ place: Place; server: ModelServer; registry: ModelRegistry }> {
  const place = makePlace();
  const server = await startModelServer();
  onTestFinished(() => server.close());
  place.write(
    'orchestrator.config.yaml',
    `models:
  default: lab/small
  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }
  catalog: [ { id: lab/small, cost: { input_per_million: 1, output_per_million: 4 } }, { id: lab/tiny, cost: { input_per_million: 0.1, output_per_million: 0.4 } } ]
`,
  );
  const registry = new ModelRegistry({ cwd: place.folder });
  onTestFinished(() => registry.close());
  return { place, server, registry };
}

describe('Model Integration Issues', () => {
  test('"Model initialization fails": registry.get_model(model_name); await model.health_check()', async () => {
    const { place, registry, server } = await makeLab();
    const model = registry.getModel('lab/small');
    expect(await model.healthCheck()).toMatchObject({ healthy: true, error: null, kind: null });
    await server.close();
    const health = await new ModelRegistry({ cwd: place.folder }).getModel('lab/small').healthCheck();
    expect(health).toMatchObject({ healthy: false, kind: 'network' });
    expect(health.error).toContain('connection refused');
  });

  test.each([
    ['"Check API keys"', { status: 401, body: { error: { message: 'no such key' } } }, 'auth', 'refused the credentials'],
    ['"Check model availability"', { body: { object: 'list', data: [{ id: 'another' }] } }, 'missing', 'has no model called'],
    ['a spent quota', { status: 429, body: { error: { message: 'pay first', code: 'insufficient_quota' } } }, 'quota', 'has no quota left'],
    ['"Verify network connectivity"', { fault: 'reset' }, 'network', 'the connection broke'],
  ] as [string, Answer, string, string][])('"Common fixes": %s', async (_name, answer, kind, words) => {
    const { registry, server } = await makeLab();
    server.reply(answer);
    const health = await registry.getModel('lab/small').healthCheck();
    expect(health).toMatchObject({ healthy: false, kind });
    expect(health.error).toContain(words);
  });

  test('"High API costs": monitor.generate_cost_report()', async () => {
    const { place, server } = await makeLab();
    server.respond(() => ({ text: 'fine', usage: { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 } }));
    place.write(
      'ask.yaml',
      'name: ask\ntasks:\n  - { id: a, action: generate_text, parameters: { prompt: hello } }\n  - { id: b, action: generate_text, parameters: { prompt: hello } }\n',
    );
    const orchestrator = await Orchestrator.open({ cwd: place.folder });
    const { costUsd } = await orchestrator.run('ask.yaml', {}, { user: 'ada' });
    await orchestrator.close();
    expect(costUsd).toBe(0.006);
    await using monitor = new CostMonitor({ cwd: place.folder });
    const report = await monitor.generateCostReport();
    expect(report).toMatchObject({
      totalCost: costUsd,
      topCostModel: 'lab/small',
      byPipeline: { ask: { cost: costUsd, calls: 2 } },
      byUser: { ada: { calls: 2 } },
    });
    expect(report.suggestions.map(({ kind, saving }) => [kind, saving])).toEqual([
      ['cheaper_model', 0.0054],
      ['repeated_prompts', 0.003],
    ]);
    expect((await monitor.generateCostReport({ pipeline: 'other' })).totalCost).toBe(0);
  });

  test('"Model responses are slow": @profiler.profile_model', async () => {
    const { registry, server } = await makeLab();
    server.respond(() => ({ text: 'fine', delayMs: 20 }));
    const profiler = new ModelProfiler();
    const testModelPerformance = profiler.profileModel(async (name: string) => registry.getModel(name).generateResponse('Test prompt'));
    expect(await testModelPerformance('lab/small')).toMatchObject({ text: 'fine', model: 'lab/small', cost: expect.any(Number) });
    const [profile] = profiler.report();
    expect(profile).toMatchObject({ model: 'lab/small', calls: 1, errorRate: 0, cost: expect.any(Number) });
    expect(profile!.p50Ms).toBeGreaterThanOrEqual(15);
  });
});

describe('Connection and Network Issues', () => {
  const makeHandler = (waits: number[]): ErrorHandler =>
    new ErrorHandler({
      retryStrategy: new RetryStrategy({ maxAttempts: 5, backoffFactor: 2, maxBackoff: 60, initialBackoff: 0.02, jitter: false }),
      sleep: async ms => void waits.push(ms),
    });

  test('"API rate limiting": ErrorHandler(retry_strategy=RetryStrategy(…)); @error_handler.retry_on_rate_limit', async () => {
    const { registry, server } = await makeLab();
    server.reply({ status: 429 }, { status: 429, headers: { 'retry-after': '0.2' } }, { status: 429 });
    const waits: number[] = [];
    const makeApiRequest = makeHandler(waits).retryOnRateLimit(async (prompt: string) => registry.getModel('lab/small').generateResponse(prompt));
    expect((await makeApiRequest('hello')).text).toBe('ok');
    expect(server.requests).toHaveLength(4);
    // "Implement exponential backoff": each wait is twice the one before; what the service asks for is waited instead where it is longer.
    expect(waits).toEqual([20, 200, 80]);
  });

  test('it stops after max_attempts, waits at most max_backoff, and tries nothing again that is no rate limit', async () => {
    const { registry, server } = await makeLab();
    const waits: number[] = [];
    const strategy = new RetryStrategy({ maxAttempts: 5, backoffFactor: 10, maxBackoff: 60, jitter: false });
    const handler = new ErrorHandler({ retryStrategy: strategy, sleep: async ms => void waits.push(ms) });
    const ask = handler.retryOnRateLimit(async () => registry.getModel('lab/small').generateResponse('hello'));
    server.respond(() => ({ status: 429 }));
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-601', class: 'rate_limit' });
    expect(server.requests).toHaveLength(5);
    expect(waits).toEqual([1000, 10_000, 60_000, 60_000]);
    server.respond(() => ({ status: 401 }));
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-403' });
    expect(server.requests).toHaveLength(6);
  });

  test('retry_on_rate_limit decorates a method, as a standard decorator', async () => {
    const waits: number[] = [];
    class Client {
      calls = 0;
      async ask(prompt: string): Promise<string> {
        if (++this.calls < 3) throw Object.assign(new Error('slow down'), { status: 429 });
        return `${prompt} after ${this.calls}`;
      }
    }
    Client.prototype.ask = makeHandler(waits).retryOnRateLimit(Client.prototype.ask, { kind: 'method', name: 'ask' });
    expect(await new Client().ask('answered')).toBe('answered after 3');
    expect(waits).toEqual([20, 40]);
  });
});

describe('Runtime Errors', () => {
  test('"Error: Model not found": except ModelNotFoundError: registry.list_models()', async () => {
    const { registry } = await makeLab();
    const error = await thrownBy(() => registry.getModel('nonexistent-model'));
    expect(error).toBeInstanceOf(ModelNotFoundError);
    expect(error).toMatchObject({ code: 'ORC-401', model: 'nonexistent-model' });
    // "Fix: Check available models"
    expect(`Available models: ${registry.listModels()}`).toBe('Available models: lab/small,lab/tiny');
    expect((error as ModelNotFoundError).help.join()).toContain('orchestrator models');
    expect(await thrownBy(() => registry.getModel('lap/small'))).toMatchObject({ suggestions: ['lab/small'] });
    // A name that only one provider has is enough.
    expect(registry.getModel('tiny').id).toBe('lab/tiny');
  });
});

describe('Best Practices for Troubleshooting', () => {
  test('"Implement Circuit Breakers: Prevent cascading failures"', async () => {
    const { registry, server } = await makeLab();
    const clock = { at: 0, now: () => clock.at, monotonic: () => clock.at };
    const breaker = new CircuitBreaker({ failureThreshold: 2, resetAfter: 60, clock });
    const ask = (): Promise<ModelResponse> => breaker.execute(() => registry.getModel('lab/small').generateResponse('hello'));
    server.reply({ status: 503 }, { status: 503 }, { status: 503 });
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-404' });
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-404' });
    // Open: who is down is left alone, and the caller is told until when.
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-404', retryAfterMs: 60_000 });
    expect(server.requests).toHaveLength(2);
    // Half-open: one call on trial, and closed to all others.
    clock.at = 60_000;
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-404' });
    await expect(ask()).rejects.toMatchObject({ code: 'ORC-404' });
    expect(server.requests).toHaveLength(3);
    clock.at = 120_000;
    expect((await ask()).text).toBe('ok');
    expect(breaker.state).toBe('closed');
  });
});
