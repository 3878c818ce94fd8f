/** The library's door: what a program imports to run pipelines. The command line is made of the same pieces. */
import type { Clock } from './clock.ts';
import { ModelProfiler as Profiler } from './models/index.ts';
import { CostMonitor as Monitor, readTime, recordCalls } from './observe/index.ts';
import { openShell } from './runtime/index.ts';

export type { RunDocument, TaskDocument, Command, Event, Reason, RunStatus, TaskStatus } from './engine/index.ts';
export { OrchestratorError, toFailure, type ErrorClass, type Failure } from './errors.ts';
export type { Json, JsonObject, JsonSchema } from './json.ts';
export { AutoTagError, AutoTagYAMLParser, type Diagnostic, type FoundTag } from './language/index.ts';
export {
  CircuitBreaker,
  ErrorHandler,
  ModelNotFoundError,
  RetryStrategy,
  type BreakerState,
  type CircuitBreakerOptions,
  type ErrorHandlerOptions,
  type Health,
  type HealthKind,
  type ModelInfo,
  type ModelProfile,
  type ModelResponse,
  type ModelUsage,
  type RegisteredModel,
  type ResponseOptions,
  type RetryStrategyOptions,
  type Route,
} from './models/index.ts';
export type { CostLine, CostReport, CostReportOptions, CostSuggestion } from './observe/index.ts';
export { CircularDependencyError, DependencyResolver, MissingDependencyError } from './plan/index.ts';
export { PipelineRecovery, type Checkpoint, type RestoredPipeline } from './recover/index.ts';
export {
  ModelRegistry,
  Orchestrator,
  Pipeline,
  Task,
  ValidationError,
  type BudgetLine,
  type BudgetRaised,
  type ForkOptions,
  type OrchestratorOptions,
  type ResumeOptions,
  type RunEvent,
  type RunHandle,
  type RunResult,
  type RunView,
  type StartOptions,
} from './runtime/index.ts';
export { SchemaValidator } from './runtime/validator.ts';
export { BackendConnectionError, createBackend, type Backend, type RunFilter, type RunRow } from './store/index.ts';
export { defineAction } from './tools/own.ts';
export type { Action, ActionContext, ActionSpec, EffectClass, Policy } from './tools/port.ts';

/** What the models of an environment cost: the default one, unless the options say otherwise. */
export class CostMonitor extends Monitor {
  constructor(options: { environment?: string; cwd?: string; state?: string } = {}) {
    super({
      open: async () => {
        const shell = await openShell({ cwd: process.cwd(), env: process.env, ...options });
        return { store: shell.store, models: shell.shop.models, close: () => shell.close() };
      },
    });
  }
}

/** How models did: within the functions that it wraps, and in the ledger of an environment (the default one, unless the options say otherwise). */
export class ModelProfiler extends Profiler {
  readonly #options: { environment?: string; cwd?: string; state?: string };

  constructor({ clock, ...options }: { clock?: Clock; environment?: string; cwd?: string; state?: string } = {}) {
    super(clock === undefined ? {} : { clock });
    this.#options = options;
  }

  /** Takes in calls of the ledger: its newest ones, so many at most. `since` is a date, ms since 1970, an ISO time, or a duration back from now. */
  async readLedger({ since, limit = 20_000 }: { since?: Date | number | string; limit?: number } = {}): Promise<void> {
    const shell = await openShell({ cwd: process.cwd(), env: process.env, ...this.#options });
    try {
      recordCalls(this, await shell.store.ledger({ limit, ...(since === undefined ? {} : { since: readTime(since, Date.now()) }) }));
    } finally {
      await shell.close();
    }
  }
}
