export { apply } from './apply.ts';
export { decide, hasEnded, owed, type Decision } from './decide.ts';
export type { RunDocument, TaskDocument } from './document.ts';
export type { Answer, Effect, Evaluation, Input, Outcome, Site, Stage } from './effect.ts';
export type { CallRecord, Command, Event, EventType, Observation, Reason, Ref, RunStatus, TaskStatus } from './event.ts';
export { firstFailure } from './finish.ts';
export { initial, pathOf, slotOf, taskOfSlot, type RunState } from './state.ts';
