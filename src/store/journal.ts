import type { Event } from '../engine/event.ts';
import { CHAIN_START, chainLink } from './checksum.ts';
import type { Database } from './database.ts';
import { damaged } from './failures.ts';
import { parseRun, SELECT_RUN, type Held, type RawRow } from './rows.ts';

/** The events of one commit, as one row: `first` … `seq`. */
export interface Link {
  seq: number;
  first: number;
  events: string;
  checksum: string;
}

/** The run's row with the end of its journal, undefined where there is none. Throws ORC-504 where its checksum does not hold. */
export function loadRun(db: Database, run: string): Held | undefined {
  const held = loadRow(db, run);
  return held === undefined ? undefined : withTail(db, held);
}

/** The run's row as it was sealed last. */
function loadRow(db: Database, run: string): Held | undefined {
  const raw = db.get<RawRow>(`${SELECT_RUN} WHERE run = ?`, run);
  if (raw === undefined) return undefined;
  const held = parseRun(raw);
  if (held === undefined) throw damaged(`the row of ${run} does not hold what was written to it`, { run });
  return held;
}

/** The row with what its journal has beyond the seal: a second's worth at most, checked link by link, for nothing else vouches for it. What the journal lacks before the seal is told where it is read, with the place. */
function withTail(db: Database, held: Held): Held {
  const { run } = held.row;
  let { seq, head } = held.seal;
  for (const link of links(db, run, seq)) {
    if (link.first !== seq + 1 || chainLink(head, run, link.seq, link.events) !== link.checksum)
      throw damaged(`the events of ${run} from ${link.first} on are not those that were written`, { run, seq: link.first });
    ({ seq, checksum: head } = link);
  }
  return seq === held.seal.seq ? held : { ...held, row: { ...held.row, seq }, head };
}

/** Events with `from < seq <= to`; the chain is checked along the way, and at its end against the run's row. Throws ORC-504. */
export function readJournal(db: Database, run: string, from: number, to: number): { seq: number; event: Event }[] {
  return db.read(() => {
    const held = loadRow(db, run);
    const events: { seq: number; event: Event }[] = [];
    for (const link of chain(db, run, held, from, to)) {
      const parsed = JSON.parse(link.events) as Event[];
      for (let i = 0, seq = link.first; i < parsed.length; i++, seq++) {
        if (seq > from && seq <= to) events.push({ seq, event: parsed[i]! });
      }
    }
    return events;
  });
}

const LINKS_AT_ONCE = 500;

/** Rows in order, some hundreds at once: one by one each would cost ten times its reading, all at once a long journal would not fit. */
function* links(db: Database, run: string, from: number): Generator<Link> {
  for (let after = from; ;) {
    const some = db.all<Link>('SELECT seq, first, events, checksum FROM journal WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?', run, after, LINKS_AT_ONCE);
    yield* some;
    if (some.length < LINKS_AT_ONCE) return;
    after = some.at(-1)!.seq;
  }
}

/** The rows of the journal, each checked before it is given out, against the link before it and against the seal. */
export function* chain(db: Database, run: string, held: Held | undefined, from = 0, to = Infinity): Generator<Link> {
  let last = { seq: 0, checksum: CHAIN_START };
  if (from > 0) last = db.get<Link>('SELECT seq, checksum FROM journal WHERE run = ? AND seq <= ? ORDER BY seq DESC LIMIT 1', run, from) ?? last;
  for (const link of links(db, run, from)) {
    if (link.first > to) break;
    if (link.first !== last.seq + 1) throw damaged(`events ${last.seq + 1} to ${link.first - 1} of ${run} are missing`, { run, seq: last.seq + 1 });
    if (chainLink(last.checksum, run, link.seq, link.events) !== link.checksum)
      throw damaged(`the events of ${run} from ${link.first} on are not those that were written`, { run, seq: link.first });
    if (link.seq === held?.seal.seq && link.checksum !== held.seal.head)
      throw damaged(`the events of ${run} up to ${link.seq} are not those that its row vouches for`, { run, seq: link.first });
    yield link;
    last = link;
  }
  if (held === undefined) {
    if (last.seq > 0) throw damaged(`the row of ${run} is missing, its events are there`, { run });
    return;
  }
  const { seal } = held;
  if (last.seq < Math.min(to, seal.seq) || (last.seq === seal.seq && last.checksum !== seal.head))
    throw damaged(`the last events of ${run} are missing after ${last.seq}`, { run, seq: last.seq + 1 });
}
