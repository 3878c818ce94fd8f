/** The guide's snippets about models, in its order, against a real server on loopback. */
import { expect, onTestFinished, test } from 'vitest';
import { CircuitBreaker, CostMonitor, ErrorHandler, ModelNotFoundError, ModelProfiler, ModelRegistry, Orchestrator, RetryStrategy } from '../../src/index.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
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

test('"Model initialization fails": registry.get_model(model_name); await model.health_check()', async () => {
  const { place, registry, server } = await makeLab();
  const model = registry.getModel('lab/small');
  expect(await model.healthCheck()).toMatchObject({ healthy: true, error: null, kind: null });
  await server.close();
  const health = await new ModelRegistry({ cwd: place.folder }).getModel('lab/small').healthCheck();
  expect(health).toMatchObject({ healthy: false, kind: 'network' });
  expect(health.error).toContain('connection refused');
});

test('a model that is not there is a ModelNotFoundError with the nearest names', async () => {
  const { registry } = await makeLab();
  const error = await thrownBy(() => registry.getModel('lap/small'));
  expect(error).toBeInstanceOf(ModelNotFoundError);
  expect(error).toMatchObject({ code: 'ORC-401', model: 'lap/small', suggestions: ['lab/small'] });
  expect(registry.listModels()).toEqual(['lab/small', 'lab/tiny']);
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

test('"API rate limiting": ErrorHandler(retry_strategy=RetryStrategy(…)); @error_handler.retry_on_rate_limit', async () => {
  const { registry, server } = await makeLab();
  server.reply({ status: 429, headers: { 'retry-after': '0' } }, { status: 429 });
  const errorHandler = new ErrorHandler({ retryStrategy: new RetryStrategy({ maxAttempts: 5, backoffFactor: 2, initialBackoff: 0.001, maxBackoff: 60 }) });
  const callModel = errorHandler.retryOnRateLimit(async (prompt: string) => registry.getModel('lab/small').generateResponse(prompt));
  expect((await callModel('hello')).text).toBe('ok');
  expect(server.requests).toHaveLength(3);
});

test('a circuit that opened lets nothing through until its time has come', async () => {
  const breaker = new CircuitBreaker({ failureThreshold: 1, resetAfter: 60 });
  const failing = async (): Promise<never> => {
    throw new Error('down');
  };
  await expect(breaker.execute(failing)).rejects.toThrow('down');
  await expect(breaker.execute(async () => 1)).rejects.toMatchObject({ code: 'ORC-404' });
});
