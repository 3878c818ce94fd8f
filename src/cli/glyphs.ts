import type { RunStatus, TaskStatus } from '../engine/event.ts';
import type { Style } from './text.ts';

/** A status is told by a glyph, a word and a colour, so that no one of them is needed to understand it. */
export interface Mark {
  glyph: string;
  style: Style;
}

const MARKS: Record<RunStatus | TaskStatus, Mark> = {
  pending: { glyph: '○', style: 'faint' },
  scheduled: { glyph: '○', style: 'faint' },
  running: { glyph: '◐', style: 'busy' },
  waiting: { glyph: '‖', style: 'warning' },
  paused: { glyph: '‖', style: 'warning' },
  cancelling: { glyph: '⊘', style: 'warning' },
  completed: { glyph: '✓', style: 'ok' },
  failed: { glyph: '✕', style: 'error' },
  skipped: { glyph: '⊘', style: 'faint' },
  cancelled: { glyph: '⊘', style: 'faint' },
};

export function markOf(status: RunStatus | TaskStatus): Mark {
  return MARKS[status];
}

/** Reasons in words. */
const REASONS: { [reason: string]: string } = {
  upstream_failed: 'something it needs failed',
  condition_false: 'its condition was false',
  condition_error: 'its condition could not be evaluated',
  run_failed: 'the run failed',
  routed: 'routed past',
  approval: 'for an approval',
  signal: 'for a signal',
  timer: 'for the clock',
  backoff: 'before the next attempt',
  rate_limit: 'for a rate limit',
  budget: 'the budget is used up',
  breakpoint: 'at a breakpoint',
  drain: 'drained',
  timed_out: 'timed out',
  crashed: 'its process died',
  needs_attention: 'for a verdict on an effect in doubt',
  requested: 'as requested',
  until: 'as far as was asked',
};

export function reasonText(reason: string | null): string {
  return reason === null ? '' : (REASONS[reason] ?? reason);
}
