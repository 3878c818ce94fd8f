import { hash } from 'node:crypto';

/** First 16 bytes of SHA-256 as hex. It guards against disks, not against forgers. */
export function checksum(text: string): string {
  return hash('sha256', text).slice(0, 32);
}

/** The checksum of a row: of its values, each ended so that none can flow into the next. */
export function rowChecksum(...values: (string | number | null)[]): string {
  let text = '';
  for (const value of values) text += value === null ? '\u0001\u0000' : `${value}\u0000`;
  return checksum(text);
}

/** What stands before the first link of every chain. */
export const CHAIN_START = '';

/** The next link of a run's hash chain: the link before it, the run, the sequence number of the last event, and the events as they are stored. */
export function chainLink(previous: string, run: string, seq: number, events: string): string {
  return checksum(`${previous}${run}\n${seq}\n${events}`);
}
