/**
 * What our layer over models costs, against a service on loopback: `node bench/models.ts`. A call over a bare `fetch`, a thousand calls at once through the
 * limiter, a choice among 500 models. Prints its table and writes its part of docs/benchmarks.md.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { openModels, type Models } from '../src/models/index.ts';
import { openShell } from '../src/runtime/index.ts';
import { figureTable, machineLine, quantile, writePart, type Figure } from './page.ts';

const MODELS = 500;
const CALLS = 1000;
const AT_ONCE = 50;
const DELAY_MS = 100;
const SIZES = ['1b', '8b', '32b', '70b'];
const MESSAGES = [{ role: 'user' as const, content: 'hi' }];
const signal = new AbortController().signal;

/** The service, on a thread of its own: it shall not take the time of those who ask it. What is asked of `/slow` takes a while. */
function serve(): void {
  const reply = JSON.stringify({
    id: 'x',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 1 },
  });
  const server = createServer((request, response) => {
    const answer = (): unknown => response.writeHead(200, { 'content-type': 'application/json' }).end(reply);
    request.resume().on('end', () => (request.url!.startsWith('/slow') ? setTimeout(answer, DELAY_MS) : answer()));
  });
  server.listen(0, '127.0.0.1', () => parentPort!.postMessage((server.address() as AddressInfo).port));
}

function open(baseUrl: string, concurrency?: number): Models {
  const limits = concurrency === undefined ? {} : { limits: { concurrency } };
  return openModels(
    {
      providers: { lab: { type: 'openai-compatible', base_url: baseUrl } },
      catalog: [{ id: 'lab/m', cost: { input_per_million: 1, output_per_million: 2 }, ...limits }],
    },
    { env: {} },
  );
}

async function askBare(baseUrl: string): Promise<void> {
  const response = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'm', messages: MESSAGES }) });
  await response.json();
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The middle one of three times. */
async function threeTimes(work: () => unknown): Promise<number> {
  return quantile([await timed(work), await timed(work), await timed(work)], 0.5);
}

/** One completion, bare and through provider, limits, circuit and price; by turns, so that the minute is the same for both. */
async function measureOverhead(host: string): Promise<Figure[]> {
  const models = open(`${host}/v1`);
  const model = models.get('lab/m');
  const [bare, ours]: [number[], number[]] = [[], []];
  for (let round = 0; round < CALLS + 200; round++) {
    const times = [await timed(() => askBare(`${host}/v1`)), await timed(() => model.generate({ messages: MESSAGES }, { signal }))] as const;
    if (round < 200) continue;
    bare.push(times[0]);
    ours.push(times[1]);
  }
  await models.close();
  const [floor, middle] = [quantile(bare, 0.5), quantile(ours, 0.5)];
  const detail = `p50 ${middle.toFixed(2)} ms on ${floor.toFixed(2)} ms, ${(middle / floor).toFixed(2)} ×; p95 ${quantile(ours, 0.95).toFixed(2)} on ${quantile(bare, 0.95).toFixed(2)} ms`;
  return [{ name: 'a call, over a bare `fetch`', value: middle - floor, unit: 'ms', detail, bar: ['<=', 1] }];
}

async function askInTurn(baseUrl: string, times: number): Promise<void> {
  for (let done = 0; done < times; done++) await askBare(baseUrl);
}

/** Models whose limits are kept in a store, for all processes on it, as those of a run are. */
async function openStored(baseUrl: string): Promise<{ models: Models; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-models-'));
  const models = { providers: { lab: { type: 'openai-compatible', base_url: baseUrl } }, catalog: [{ id: 'lab/m', limits: { concurrency: AT_ONCE } }] };
  writeFileSync(join(folder, 'orchestrator.config.yaml'), JSON.stringify({ models }));
  const shell = await openShell({ cwd: folder, env: { HOME: folder }, state: `sqlite:${join(folder, 'state.db')}` });
  return {
    models: shell.shop.models,
    close: async () => {
      await shell.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A thousand calls that want to go at once, fifty at a time: the ideal is twenty rounds of the service's own time. */
async function measureLimiter(host: string): Promise<Figure[]> {
  const bareMs = await threeTimes(() => Promise.all(Array.from({ length: AT_ONCE }, () => askInTurn(`${host}/slow`, CALLS / AT_ONCE))));
  const own = open(`${host}/slow`, AT_ONCE);
  const [ownMs, ownMB] = await askAtOnce(own);
  await own.close();
  const stored = await openStored(`${host}/slow`);
  const [storedMs] = await askAtOnce(stored.models);
  await stored.close();
  const idealMs = (CALLS / AT_ONCE) * DELAY_MS;
  const detail = (ms: number): string => `${ms.toFixed(0)} ms on ${idealMs} ms (${AT_ONCE} lanes of bare \`fetch\`: ${bareMs.toFixed(0)} ms)`;
  return [
    {
      name: '1,000 calls at once through the limiter, 50 at a time of 100 ms each',
      value: ownMs / idealMs,
      unit: '× ideal',
      detail: detail(ownMs),
      bar: ['<=', 1.25],
    },
    { name: 'the same, limits kept in the store', value: storedMs / idealMs, unit: '× ideal', detail: detail(storedMs), bar: ['<=', 1.5] },
    { name: 'memory that they take', value: ownMB, unit: 'MB', detail: 'above what the process had before', bar: ['<=', 100] },
  ];
}

/** How long a thousand calls take that all want to go now, in ms, and by how many MB the process grows. */
async function askAtOnce(models: Models): Promise<[number, number]> {
  const model = models.get('lab/m');
  const ask = (calls: number): Promise<unknown> => Promise.all(Array.from({ length: calls }, () => model.generate({ messages: MESSAGES }, { signal })));
  await ask(2 * AT_ONCE);
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
  const tookMs = await threeTimes(() => ask(CALLS));
  clearInterval(watch);
  return [tookMs, (peak - before) / 1e6];
}

/** Choices by requirements that leave many, few and none out. */
function measureChoices(): Figure[] {
  const catalog = Array.from({ length: MODELS }, (_, index) => ({
    id: `lab/model-${index}`,
    context_window: 4096 << (index % 6),
    expertise: [['fast'], ['code', 'high'], ['reasoning', 'very-high'], ['medium']][index % 4]!,
    size: SIZES[index % SIZES.length]!,
    cost: { input_per_million: (index % 50) / 10, output_per_million: (index % 50) / 2 },
  }));
  const models = openModels({ providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1' } }, catalog }, { env: {} });
  const wishes = {
    'of all': {},
    'by expertise and price': { expertise: ['code'], max_cost_usd: 0.01 },
    'the cheapest that is large enough': { strategy: 'cheapest', min_context_window: 32_768, min_size: '8b' },
    sticky: { strategy: 'sticky', sticky_key: 'u' },
  };
  return Object.entries(wishes).map(([name, wanted]) => {
    const times: number[] = [];
    for (let round = 0; round < 500; round++) {
      const start = performance.now();
      models.route(wanted);
      if (round >= 100) times.push(performance.now() - start);
    }
    const detail = `p95 ${quantile(times, 0.95).toFixed(2)} ms`;
    return { name: `a choice among ${MODELS} models, ${name}`, value: quantile(times, 0.5), unit: 'ms', detail, bar: ['<=', 1] };
  });
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const port = await new Promise<number>(resolve => worker.once('message', resolve));
  const host = `http://127.0.0.1:${port}`;
  const table = figureTable([...(await measureOverhead(host)), ...(await measureLimiter(host)), ...measureChoices()]);
  await worker.terminate();
  console.log(table);
  writePart('models', `## Models\n\nPrinted by \`node bench/models.ts\`, against a service on loopback; medians. ${machineLine()}\n\n${table}`);
} else serve();
