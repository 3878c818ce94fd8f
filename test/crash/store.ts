import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Block } from './pipelines.ts';

/** An event as it lies in the journal, read without any code of the product. */
export interface Fact {
  seq: number;
  type: string;
  slot?: number;
  owner?: number;
  block?: number;
  index?: number;
  attempt?: number;
  status?: string;
  retryAt?: number | null;
  [key: string]: unknown;
}

export interface Journal {
  run: string;
  status: string;
  facts: Fact[];
  /** The text of each fact, for comparing. */
  texts: string[];
  /** Path of each slot. */
  paths: string[];
}

/**
 * What the disk holds after a kill. The files are copied first, so that looking at them recovers nothing: the product finds them as the dead process left them.
 * Null where there is no store, or no run in it yet.
 */
export function readJournal(folder: string, sample: { blocks: Block[] }): Journal | null {
  const state = join(folder, '.orchestrator', 'state.db');
  if (!existsSync(state)) return null;
  const copy = join(folder, 'copy');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy);
  for (const ending of ['', '-wal', '-shm']) if (existsSync(state + ending)) copyFileSync(state + ending, join(copy, `state.db${ending}`));
  const db = new DatabaseSync(join(copy, 'state.db'));
  try {
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").get() === undefined) return null;
    const rows = db.prepare('SELECT run, status FROM runs').all() as { run: string; status: string }[];
    if (rows.length === 0) return null;
    if (rows.length > 1) throw new Error(`S1 there are ${rows.length} runs under one key`);
    const { run, status } = rows[0]!;
    const parts = db.prepare('SELECT first, events FROM journal WHERE run = ? ORDER BY seq').all(run) as { first: number; events: string }[];
    const events = parts.flatMap(part => JSON.parse(part.events) as object[]);
    if (parts.length > 0 && parts[0]!.first !== 1) throw new Error('S5 the journal does not begin at 1');
    const facts = events.map((event, i) => ({ ...event, seq: i + 1 }) as Fact);
    return { run, status, facts, texts: events.map(event => JSON.stringify(event)), paths: pathsOf(facts, sample) };
  } finally {
    db.close();
  }
}

/** Paths of the slots, from the scopes that were opened. */
function pathsOf(facts: Fact[], { blocks }: { blocks: Block[] }): string[] {
  const paths: string[] = [];
  for (const { type, owner, block, index } of facts) {
    if (type !== 'scope.opened') continue;
    const { ids, loop } = blocks[block!]!;
    const prefix = owner! < 0 ? '' : `${paths[owner!]}${loop ? `[${index}]` : ''}/`;
    for (const id of ids) paths.push(prefix + id);
  }
  return paths;
}
