// What our layer over models costs: a choice among 500 models, a call over a bare fetch, 1,000 calls through the limiter: node bench/routing.ts
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openModels, readRequirements, type Limit } from '../src/models/index.ts';

const MODELS = 500;
const CALLS = 300;
const SIZES = ['1b', '8b', '32b', '70b'];
const signal = new AbortController().signal;
const write = (line: string): void => void process.stdout.write(`${line}\n`);

function percentiles(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): string => sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(3);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`;
}

/** Choices by requirements that leave many, few and none out. */
function benchRouting(): void {
  const catalog = Array.from({ length: MODELS }, (_, index) => ({
    id: `lab/model-${index}`,
    context_window: 4096 << (index % 6),
    expertise: [['fast'], ['code', 'high'], ['reasoning', 'very-high'], ['medium']][index % 4]!,
    size: SIZES[index % SIZES.length]!,
    cost: { input_per_million: (index % 50) / 10, output_per_million: (index % 50) / 2 },
  }));
  const models = openModels({ providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1' } }, catalog }, { env: {} });
  for (const wanted of [
    {},
    { expertise: ['code'], max_cost_usd: 0.01 },
    { strategy: 'cheapest', min_context_window: 32_768, min_size: '8b' },
    { strategy: 'sticky', sticky_key: 'u' },
  ]) {
    readRequirements(wanted);
    const times: number[] = [];
    for (let round = 0; round < 400; round++) {
      const start = performance.now();
      models.route(wanted);
      if (round >= 100) times.push(performance.now() - start);
    }
    write(`route among ${MODELS} models by ${JSON.stringify(wanted)}: ${percentiles(times)} (bar: 1 ms)`);
  }
}

/** One completion, bare and through provider, limits, circuit and price. */
async function benchOverhead(): Promise<void> {
  const reply = JSON.stringify({
    id: 'x',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 1 },
  });
  const server = createServer(
    (request, response) => void request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(reply)),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const models = openModels(
    { providers: { lab: { type: 'openai-compatible', base_url: base } }, catalog: [{ id: 'lab/m', cost: { input_per_million: 1, output_per_million: 2 } }] },
    { env: {} },
  );
  const model = models.get('lab/m');
  const messages = [{ role: 'user' as const, content: 'hi' }];
  const bare = async (): Promise<void> =>
    void (await (await fetch(`${base}/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'm', messages }) })).json());
  const ours = async (): Promise<void> => void (await model.generate({ messages }, { signal }));
  const times = { bare: [] as number[], ours: [] as number[] };
  for (let round = 0; round < CALLS + 50; round++) {
    for (const [name, call] of [
      ['bare', bare],
      ['ours', ours],
    ] as const) {
      const start = performance.now();
      await call();
      if (round >= 50) times[name].push(performance.now() - start);
    }
  }
  const middle = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;
  write(
    `a call: bare fetch ${percentiles(times.bare)}; ours ${percentiles(times.ours)}; overhead at p50 ${(middle(times.ours) - middle(times.bare)).toFixed(3)} ms (bar: 1 ms)`,
  );
  await models.close();
  server.closeAllConnections();
  server.close();
}

/** A thousand calls that want to go at once, fifty at a time. */
async function benchLimiter(): Promise<void> {
  const models = openModels({ providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1' } } }, { env: {} });
  const limits: Limit[] = [{ key: 'lab' }, { key: 'lab/m', concurrency: 50 }];
  let under = 0;
  let most = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      const entry = await models.limiter.enter(limits, { tokens: 10, leaseMs: 60_000, signal });
      most = Math.max(most, ++under);
      await new Promise(resolve => setImmediate(resolve));
      under--;
      await models.limiter.leave(entry, { usedTokens: 10 });
    }),
  );
  write(`1,000 calls through the limiter, 50 at once (most seen: ${most}): ${(performance.now() - start).toFixed(0)} ms in all`);
}

benchRouting();
await benchLimiter();
await benchOverhead();
