/** The library's door: what a program imports to run pipelines. The command line is made of the same pieces. */
import { CostMonitor as Monitor } from './observe/index.ts';
import { openShell } from './runtime/index.ts';

export type { RunDocument, TaskDocument, Command, Event, Reason, RunStatus, TaskStatus } from './engine/index.ts';
export { OrchestratorError, toFailure, type ErrorClass, type Failure } from './errors.ts';
export type { Json, JsonObject, JsonSchema } from './json.ts';
export { AutoTagError, AutoTagYAMLParser, type Diagnostic, type FoundTag } from './language/index.ts';
export {
  CircuitBreaker,
  ErrorHandler,
  ModelNotFoundError,
  ModelProfiler,
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
