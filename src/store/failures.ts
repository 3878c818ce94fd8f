import type { RunStatus } from '../engine/event.ts';
import { OrchestratorError } from '../errors.ts';

/** SQLite's primary result codes that have words of their own. */
export const SQLITE = { error: 1, perm: 3, busy: 5, locked: 6, readOnly: 8, io: 10, corrupt: 11, full: 13, cannotOpen: 14, notDatabase: 26 } as const;

/** The primary result code of an error that SQLite threw, or undefined. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE.busy || code === SQLITE.locked;
}

/** Any error of SQLite or of the file system as one of ours; `path` is the file of the store. */
export function storeFailure(error: unknown, path: string): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const code = resultCode(error);
  const text = error instanceof Error ? error.message : String(error);
  const options = { class: 'storage', cause: error } as const;
  switch (code) {
    case SQLITE.full:
      return new OrchestratorError('ORC-512', `the disk that holds ${path} is full`, {
        ...options,
        retryable: true,
        help: ['make room on the disk, or let old runs go: orchestrator prune --older-than 30d'],
      });
    case SQLITE.error:
    case SQLITE.corrupt:
    case SQLITE.notDatabase:
      return damaged(`${path} is damaged: ${text}`, null, error);
    case SQLITE.busy:
    case SQLITE.locked:
      return new OrchestratorError('ORC-501', `another process has been writing ${path} for longer than we wait`, {
        ...options,
        retryable: true,
        help: ['try again; `orchestrator doctor` shows who holds the store'],
      });
    case SQLITE.perm:
    case SQLITE.readOnly:
      return new OrchestratorError('ORC-501', `${path} may not be written by this user`, {
        ...options,
        help: [`give yourself the right to write: chmod -R u+rwX ${folderOf(path)}`],
      });
    case SQLITE.cannotOpen:
      return new OrchestratorError('ORC-501', `${path} cannot be opened`, {
        ...options,
        help: [`see whether the folder is there and may be written: ls -ld ${folderOf(path)}`],
      });
    case SQLITE.io:
      return new OrchestratorError('ORC-501', `the disk failed under ${path}: ${text}`, {
        ...options,
        help: ['look at the disk (dmesg), then start again: nothing that was acknowledged is touched'],
      });
    default:
      return new OrchestratorError('ORC-501', `the state store ${path} cannot be used: ${text}`, options);
  }
}

/** ORC-504, with the run and the sequence number where they are known. */
export function damaged(message: string, where: { run: string; seq?: number } | null, cause?: unknown): OrchestratorError {
  return new OrchestratorError('ORC-504', message, {
    class: 'storage',
    help: ['see all that is damaged: orchestrator verify', 'go back to a backup: orchestrator restore'],
    ...(where === null ? {} : { details: where.seq === undefined ? { run: where.run } : { run: where.run, seq: where.seq } }),
    ...(cause === undefined ? {} : { cause }),
  });
}

export function isDamage(error: unknown): error is OrchestratorError {
  return error instanceof OrchestratorError && error.code === 'ORC-504';
}

export function unknownRun(run: string): OrchestratorError {
  return new OrchestratorError('ORC-506', `there is no run ${run}`, { class: 'not_found', help: ['see which there are: orchestrator runs'] });
}

export function openRun(run: string, status: RunStatus): OrchestratorError {
  return new OrchestratorError('ORC-508', `${run} is ${status}; only runs that have ended can be pruned`, { help: [`orchestrator cancel ${run}`] });
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '.';
}

/** SQLite's primary result code; of an error of the file system, the nearest. */
export function resultCode(error: unknown): number | undefined {
  return sqliteCode(error) ?? systemCode(error);
}

function systemCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return SQLITE.full;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return SQLITE.perm;
    case 'EEXIST':
    case 'EISDIR':
    case 'ENOENT':
    case 'ENOTDIR':
      return SQLITE.cannotOpen;
    default:
      return undefined;
  }
}
