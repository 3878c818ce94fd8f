import type { RunStatus } from '../engine/event.ts';
import { rowChecksum } from './checksum.ts';
import type { RunChange, RunRow } from './port.ts';

/** The columns of `runs`, in the order of the table. */
const COLUMNS = {
  run: 'run',
  planHash: 'plan_hash',
  pipeline: 'pipeline',
  version: 'version',
  file: 'file',
  workspace: 'workspace',
  status: 'status',
  reason: 'reason',
  createdAt: 'created_at',
  startedAt: 'started_at',
  endedAt: 'ended_at',
  seq: 'seq',
  epoch: 'epoch',
  owner: 'owner',
  dueAt: 'due_at',
  user: 'user',
  tags: 'tags',
  key: '"key"',
  keyHash: 'key_hash',
  parent: 'parent',
  tasksDone: 'tasks_done',
  tasksTotal: 'tasks_total',
  costMicroUsd: 'cost_micro_usd',
  error: 'error',
} as const satisfies { [Field in keyof RunRow]: string };

const FIELDS = Object.keys(COLUMNS) as (keyof RunRow)[];
const CHANGEABLE: (keyof RunChange)[] = ['status', 'reason', 'startedAt', 'endedAt', 'dueAt', 'tasksDone', 'tasksTotal', 'costMicroUsd', 'error'];

/** Statuses of a run that has not ended. */
export const OPEN_STATUSES: readonly RunStatus[] = ['pending', 'running', 'waiting', 'paused', 'cancelling'];

export function isOpen(status: RunStatus): boolean {
  return OPEN_STATUSES.includes(status);
}

/** How far a run's row vouches for its journal: up to this event, and the link of the chain there. */
export interface Seal {
  seq: number;
  head: string;
}

/** A run's row, with the end of its journal. */
export interface Held {
  /** Its `seq` is that of the journal's last event, of which the row in the database may say less. */
  row: RunRow;
  /** The link at the head of the chain. */
  head: string;
  /** What the row in the database says. */
  seal: Seal;
  /** Checksum of the part that never changes. */
  born: string;
}

export interface RawRow {
  [column: string]: string | number | null;
}

export const SELECT_RUN = `SELECT ${FIELDS.map(field => `${COLUMNS[field]} AS "${field}"`).join(', ')}, head, sum FROM runs`;
export const INSERT_RUN = `INSERT INTO runs (${FIELDS.map(field => COLUMNS[field]).join(', ')}, head, sum) VALUES (${FIELDS.map(() => '?').join(', ')}, ?, ?) ON CONFLICT DO NOTHING`;

/** The fields that a commit changes in fact: an index on an untouched column stays untouched. */
export function changedFields(before: RunRow, change: RunChange): (keyof RunChange)[] {
  return CHANGEABLE.filter(field => change[field] !== undefined && change[field] !== before[field]);
}

/** Also seals the journal as far as it goes. */
export function updateRun(fields: (keyof RunChange)[]): string {
  return `UPDATE runs SET seq = ?, head = ?, sum = ?${fields.map(field => `, ${COLUMNS[field]} = ?`).join('')} WHERE run = ?`;
}

export function bindRun(held: Held): (string | number | null)[] {
  const { row } = held;
  return [...FIELDS.map(field => (field === 'tags' ? JSON.stringify(row.tags) : (row[field] as string | number | null))), held.head, heldChecksum(held)];
}

/** The row as it stands in the database, or undefined where its checksum does not hold. */
export function parseRun(raw: RawRow): Held | undefined {
  const { head, sum, tags, ...fields } = raw;
  const row = { ...fields, tags: parseTags(tags) } as unknown as RunRow;
  const held = { row, head: String(head), seal: { seq: row.seq, head: String(head) }, born: bornChecksum(row) };
  return heldChecksum(held) === sum ? held : undefined;
}

function parseTags(text: unknown): string[] {
  try {
    const tags: unknown = JSON.parse(String(text));
    return Array.isArray(tags) ? tags.map(String) : [];
  } catch {
    return [];
  }
}

export function bornChecksum(row: RunRow): string {
  return rowChecksum(
    row.run,
    row.planHash,
    row.pipeline,
    row.version,
    row.file,
    row.workspace,
    row.createdAt,
    row.user,
    JSON.stringify(row.tags),
    row.key,
    row.keyHash,
    row.parent,
  );
}

export function heldChecksum({ row, head, born }: Held): string {
  return rowChecksum(
    born,
    head,
    row.seq,
    row.epoch,
    row.owner,
    row.status,
    row.reason,
    row.startedAt,
    row.endedAt,
    row.dueAt,
    row.tasksDone,
    row.tasksTotal,
    row.costMicroUsd,
    row.error,
  );
}
