import type { Block } from './pipelines.ts';
import { below, pick, type Random } from './random.ts';

export interface ModelSample {
  yaml: string;
  config: string;
  /** Marks of all questions that a whole run asks, each of which is asked and answered once where nothing is killed. */
  marks: string[];
  blocks: Block[];
}

interface Writer {
  random: Random;
  lines: string[];
  marks: string[];
  blocks: Block[];
  next: number;
}

/** A random pipeline whose tasks and tags all ask one model; each question carries a mark of its own. */
export function sampleModelPipeline(random: Random, url: string): ModelSample {
  const writer: Writer = { random, lines: ['name: crash-models', 'version: "1"', 'tasks:'], marks: [], blocks: [{ ids: [], loop: false }], next: 0 };
  const { ids } = writer.blocks[0]!;
  for (let count = 2 + below(random, 4); count > 0; count--) {
    const needs = ids.filter(() => random() < 0.4);
    if (random() < 0.3) writeLoop(writer, ids, needs);
    else writeTask(writer, ids, needs, '  ', null);
  }
  writeTask(writer, ids, [...ids], '  ', null);
  return { yaml: `${writer.lines.join('\n')}\n`, config: configOf(url), marks: writer.marks, blocks: writer.blocks };
}

/** Prices as the server bills them. */
function configOf(url: string): string {
  return `models:
  default: lab/crash-1
  providers: { lab: { type: openai-compatible, base_url: "${url}" } }
  catalog: [ { id: lab/crash-1, context_window: 8192, cost: { input_per_million: 1.5, output_per_million: 6 } } ]
`;
}

function writeLoop(writer: Writer, ids: string[], needs: string[]): void {
  const { random, lines } = writer;
  const id = `t${writer.next++}`;
  ids.push(id);
  const count = 1 + below(random, 3);
  lines.push(`  - id: ${id}`, `    dependencies: [${needs.join(', ')}]`, `    for_each: "{{ range(${count}) }}"`);
  lines.push(`    max_parallel: ${1 + below(random, 3)}`, '    tasks:');
  const inner: string[] = [];
  writer.blocks.push({ ids: inner, loop: true });
  for (let tasks = 1 + below(random, 2); tasks > 0; tasks--) writeTask(writer, inner, inner.slice(-1), '      ', count);
}

/** `count`: how often its loop runs it. */
function writeTask(writer: Writer, ids: string[], needs: string[], indent: string, count: number | null): void {
  const { random, lines } = writer;
  const id = `t${writer.next++}`;
  ids.push(id);
  const mark = (name: string): string => {
    // The length of a mark decides whether its first request is refused.
    const whole = `q-${id}${name}${'x'.repeat(below(random, 8))}`;
    for (let i = 0; i < (count ?? 1); i++) writer.marks.push(count === null ? whole : `${whole}-${i}`);
    return count === null ? whole : `${whole}-{{ index }}`;
  };
  lines.push(`${indent}- id: ${id}`, `${indent}  dependencies: [${needs.join(', ')}]`, `${indent}  retry: { max_attempts: 4, initial_backoff: 0.01 }`);
  const kind = pick(random, ['text', 'text', 'structured', 'structured', 'number', 'tag', 'tags', 'both'] as const);
  if (kind === 'structured') {
    const schema = '{ type: object, properties: { said: { type: string } }, required: [said] }';
    lines.push(`${indent}  action: generate_structured`, `${indent}  parameters: { prompt: "What of ${mark('s')}?", schema: ${schema} }`);
  } else if (kind === 'text') {
    lines.push(`${indent}  action: generate_text`, `${indent}  parameters: { prompt: "Write about ${mark('t')}" }`);
  } else if (kind === 'number') {
    lines.push(`${indent}  action: echo`, `${indent}  parameters: { text: "<AUTO type='integer'>A number for ${mark('n')}</AUTO>" }`);
  } else if (kind === 'both') {
    lines.push(
      `${indent}  action: generate_text`,
      `${indent}  parameters: { prompt: "Write about ${mark('t')}", system: "<AUTO>A role for ${mark('a')}</AUTO>" }`,
    );
  } else {
    const second = kind === 'tags' ? ` and <AUTO>A colour for ${mark('b')}</AUTO>` : '';
    lines.push(`${indent}  action: echo`, `${indent}  parameters: { text: "<AUTO>A word for ${mark('a')}</AUTO>${second}" }`);
  }
}
