import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isBusy } from './failures.ts';

const ENDING = '.db';

/**
 * Who lives: each owner holds an exclusive lock on a file of its own for as long as its process does. The kernel frees it at death, whatever the death.
 * SQLite takes the lock, because it also keeps two stores of one process apart, which the kernel's locks alone would not.
 */
export class Lease {
  readonly folder: string;
  readonly owner: string;
  #lock: DatabaseSync | undefined;

  constructor(folder: string, owner: string) {
    this.folder = folder;
    this.owner = owner;
  }

  take(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    for (;;) {
      this.#lock = tryLock(this.#file(this.owner));
      // Somebody who sweeps the folder may see the file in the moment before it is locked, and remove it.
      if (this.#lock !== undefined && existsSync(this.#file(this.owner))) return;
      this.#lock?.close();
    }
  }

  /** Also removes the file of an owner that it finds dead. */
  alive(owner: string): boolean {
    if (owner === this.owner) return this.#lock !== undefined;
    if (!/^\w+$/.test(owner)) return false;
    const file = this.#file(owner);
    if (!existsSync(file)) return false;
    const lock = tryLock(file);
    if (lock === undefined) return true;
    rmSync(file, { force: true });
    lock.close();
    return false;
  }

  /** True where some other owner lives. Removes the files of all that do not. */
  others(): boolean {
    if (!existsSync(this.folder)) return false;
    const owners = readdirSync(this.folder)
      .filter(name => name.endsWith(ENDING))
      .map(name => name.slice(0, -ENDING.length));
    return owners.filter(owner => owner !== this.owner && this.alive(owner)).length > 0;
  }

  release(): void {
    if (this.#lock === undefined) return;
    rmSync(this.#file(this.owner), { force: true });
    this.#lock.close();
    this.#lock = undefined;
  }

  #file(owner: string): string {
    return join(this.folder, owner + ENDING);
  }
}

/** The connection that holds the lock, or undefined where another holds it. */
function tryLock(file: string): DatabaseSync | undefined {
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}
