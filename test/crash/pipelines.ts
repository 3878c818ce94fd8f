import { below, pick, type Random } from './random.ts';

/** A task run of which the outside can see the effect. */
export interface Visible {
  path: string;
  kind: 'keyed' | 'effectful' | 'vouched' | 'read' | 'file';
  /** The server answers its first request with 503. */
  flaky: boolean;
}

/** The tasks of one list. */
export interface Block {
  ids: string[];
  loop: boolean;
}

export interface Sample {
  yaml: string;
  visible: Visible[];
  /** Paths by block and place, as `scope.opened` numbers them: the root is block 0, each body follows in the order of the file. */
  blocks: Block[];
}

interface Writer {
  random: Random;
  url: string;
  lines: string[];
  visible: Visible[];
  blocks: Sample['blocks'];
  next: number;
}

/** A random pipeline whose effects go to `url` and into files; it ends well, however often it is killed. */
export function samplePipeline(random: Random, url: string): Sample {
  const writer: Writer = { random, url, lines: ['name: crash', 'version: "1"', 'tasks:'], visible: [], blocks: [{ ids: [], loop: false }], next: 0 };
  const ids = writer.blocks[0]!.ids;
  for (let count = 2 + below(random, 5); count > 0; count--) {
    const needs = ids.filter(() => random() < 0.4);
    if (random() < 0.3) writeContainer(writer, ids, needs);
    else writeAction(writer, ids, needs, '  ', '', false);
  }
  const all = [...ids];
  writeAction(writer, ids, all, '  ', '', false, 'final');
  return { yaml: `${writer.lines.join('\n')}\n`, visible: writer.visible, blocks: writer.blocks };
}

function writeContainer(writer: Writer, ids: string[], needs: string[]): void {
  const { random, lines } = writer;
  const id = `t${writer.next++}`;
  ids.push(id);
  lines.push(`  - id: ${id}`, `    dependencies: [${needs.join(', ')}]`);
  const loop = random() < 0.6;
  const count = 1 + below(random, 3);
  if (loop) lines.push(`    for_each: "{{ range(${count}) }}"`, `    max_parallel: ${1 + below(random, 3)}`, '    tasks:');
  else lines.push('    parallel:');
  const inner: string[] = [];
  writer.blocks.push({ ids: inner, loop });
  const before = writer.visible.length;
  for (let tasks = 1 + below(random, 2); tasks > 0; tasks--)
    writeAction(writer, inner, inner.slice(-1), '      ', loop ? `${id}[{{ index }}]/` : `${id}/`, loop);
  if (!loop) return;
  const written = writer.visible.splice(before);
  for (let i = 0; i < count; i++) for (const each of written) writer.visible.push({ ...each, path: each.path.replace('{{ index }}', String(i)) });
}

function writeAction(writer: Writer, ids: string[], needs: string[], indent: string, prefix: string, inLoop: boolean, name?: string): void {
  const { random, lines } = writer;
  const id = name ?? `t${writer.next++}`;
  ids.push(id);
  lines.push(`${indent}- id: ${id}`, `${indent}  dependencies: [${needs.join(', ')}]`);
  const kind = name === undefined ? pick(random, ['keyed', 'keyed', 'keyed', 'effectful', 'vouched', 'read', 'file', 'sleep'] as const) : 'keyed';
  const path = prefix + id;
  if (kind === 'sleep') {
    lines.push(`${indent}  action: sleep`, `${indent}  parameters: { duration: 0.0${below(random, 9) + 1} }`);
    return;
  }
  const flaky = random() < 0.15;
  writer.visible.push({ path, kind, flaky: flaky && kind !== 'file' });
  if (kind === 'file') {
    lines.push(`${indent}  action: filesystem.write`, `${indent}  parameters: { path: "out/${id}${inLoop ? '-{{ index }}' : ''}.txt", content: "${path}" }`);
    return;
  }
  lines.push(`${indent}  action: ${kind === 'read' ? 'http.get' : 'http.post'}`);
  if (kind === 'vouched') lines.push(`${indent}  on_ambiguous: retry`);
  lines.push(`${indent}  retry: { max_attempts: 6, initial_backoff: 0.01, on: [unavailable, network, timeout] }`);
  lines.push(`${indent}  parameters:`, `${indent}    url: "${writer.url}"`, `${indent}    headers: { x-path: "${path}" }`);
  if (kind !== 'read') lines.push(`${indent}    body: { path: "${path}" }`);
  if (kind === 'keyed') lines.push(`${indent}    keyed: true`);
}
