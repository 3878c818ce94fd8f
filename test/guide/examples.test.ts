/** What the examples give, beyond their exit codes (`test/examples/run.ts` runs their commands). */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Orchestrator, type RunResult } from '../../src/index.ts';
import type { Json, JsonObject } from '../../src/json.ts';
import { makePlace } from './place.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Runs an example in a folder that holds nothing but examples/. */
async function run(name: string, inputs: JsonObject = {}): Promise<{ folder: string; result: RunResult }> {
  const { folder } = makePlace();
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
  return { folder, result: await orchestrator.run(`examples/${name}`, inputs) };
}

describe('films.yaml', () => {
  test('works on the data of the package, byte by byte', () => {
    const [ours, theirs] = ['examples/films', 'node_modules/vega-datasets/data'].map(folder => readFileSync(join(ROOT, folder, 'movies.json')));
    expect(ours!.equals(theirs!)).toBe(true);
    expect(JSON.parse(ours!.toString())).toHaveLength(3201);
  });

  test('draws a chart and writes a report without a model, and says which defaults it took', async () => {
    const { folder, result } = await run('films.yaml');
    expect(result.outputs).toEqual({ report: 'out/films.html', headline: 'What we watch, and what we love', films_counted: 2520, films_left_out: 681 });
    expect(result.autos.map(({ path, source }) => [path, source])).toEqual([
      ['headline', 'default'],
      ['closing', 'default'],
    ]);
    const [chart, report] = ['films.svg', 'films.html'].map(name => readFileSync(join(folder, 'out', name), 'utf8'));
    expect(chart).toMatch(/^<svg [\s\S]+<\/svg>\s*$/);
    expect(report).toContain(chart);
    expect(chart, 'docs/films.svg is the chart that README shows').toBe(readFileSync(join(ROOT, 'docs/films.svg'), 'utf8'));
    expect(report).toContain('The Shawshank Redemption');
    expect(report).toContain('22 dates lay a century ahead');
    expect(`${report}${chart}`).not.toMatch(/\{\{|\{%|NaN|undefined|null/);
  });

  test('reads titles that are numbers, and years that lie a century ahead', async () => {
    const { result } = await run('films.yaml');
    const { data } = result.tasks['clean']!.output as { data: { title: string; year: number }[] };
    expect(data.filter(({ title }) => title === '1941' || title === '300').map(film => film.year)).toEqual([1979, 2007]);
    expect(data.find(({ title }) => title === 'Gone with the Wind')?.year).toBe(1939);
    expect(Math.max(...data.map(film => film.year))).toBe(2011);
  });

  test('says so where hardly any film is left', async () => {
    const { result } = await run('films.yaml', { min_votes: 400_000 });
    expect([result.status, result.error?.message]).toEqual(['failed', expect.stringContaining('Take a smaller min_votes')]);
  });
});

test('fan-out.yaml writes a line for each file', async () => {
  const { folder, result } = await run('fan-out.yaml');
  const index = readFileSync(join(folder, 'out/examples.md'), 'utf8');
  expect(index.match(/^- /gm)).toHaveLength(result.outputs['files'] as number);
  expect(index).toContain('- `approval.yaml`');
});

test('refine.yaml comes as close as it was asked to', async () => {
  const { result } = await run('refine.yaml', { wanted: 300, tolerance: 3 });
  expect(Math.abs((result.outputs['films'] as number) - 300)).toBeLessThanOrEqual(3);
});

test('errors.yaml recovers twice', async () => {
  const { result } = await run('errors.yaml');
  expect(result).toMatchObject({ success: true, outputs: { total: '112.50', rate_is_a_fallback: true }, tasks: { rate: { attempts: 3, recovered: true } } });
});

test('approval.yaml goes on in another process where the first one stopped', async () => {
  const { folder, state } = makePlace();
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  await using first = await Orchestrator.open({ cwd: folder, state });
  const waiting = await first.run('examples/approval.yaml');
  expect([waiting.status, waiting.tasks['publish']?.status]).toEqual(['waiting', 'pending']);
  await first.close();
  await using second = await Orchestrator.open({ cwd: folder, state });
  await second.approve(waiting.run, 'review', { choice: 'publish', by: 'Ada' });
  const result = await (await second.resume(waiting.run)).result();
  expect(result.outputs).toEqual({ decision: 'publish', by: 'Ada' });
  expect(result.tasks['draft']?.attempts).toBe(1);
  expect(existsSync(join(folder, 'out/published.md'))).toBe(true);
});

test('sub/main.yaml compares what its part found', async () => {
  const { result } = await run('sub/main.yaml', { genres: ['Drama', 'Horror'] });
  expect(result.outputs['best']).toBe('Drama');
  expect(result.tasks['each[1]/look/best']?.status).toBe('completed');
});

test('mail.yaml answers what asks for something, with recorded results in place of the models', async () => {
  const { folder } = makePlace();
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
  const recorded = (name: string): Json => JSON.parse(readFileSync(join(folder, 'examples/mail', `${name}.json`), 'utf8')) as Json;
  const mocks = { facts: recorded('facts'), answer: recorded('answer') };
  const other = await orchestrator.run('examples/mail.yaml', {}, { mocks: { ...mocks, kind: recorded('other') } });
  expect([other.outputs, other.tasks['answer']!.status, existsSync(join(folder, 'out/answer.md'))]).toEqual([{ label: 'other', steps: 0 }, 'skipped', false]);
  const refund = await orchestrator.run('examples/mail.yaml', {}, { mocks: { ...mocks, kind: recorded('kind') } });
  expect(refund.outputs).toEqual({ label: 'refund', steps: 1 });
  expect(readFileSync(join(folder, 'out/answer.md'), 'utf8')).toMatch(/^Order 4711\n\nDear Ada/);
});
