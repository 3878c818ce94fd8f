/** The library's door: what a program imports to run pipelines. The command line is made of the same pieces. */
export type { RunDocument, TaskDocument, Command, Event, Reason, RunStatus, TaskStatus } from './engine/index.ts';
export { OrchestratorError, toFailure, type ErrorClass, type Failure } from './errors.ts';
export type { Json, JsonObject, JsonSchema } from './json.ts';
export { AutoTagError, AutoTagYAMLParser, type Diagnostic, type FoundTag } from './language/index.ts';
export { CircularDependencyError, DependencyResolver, MissingDependencyError } from './plan/index.ts';
export { PipelineRecovery, type Checkpoint, type RestoredPipeline } from './recover/index.ts';
export {
  Orchestrator, Pipeline, Task, ValidationError,
  type ForkOptions, type OrchestratorOptions, type RunEvent, type RunHandle, type RunResult, type RunView, type StartOptions,
} from './runtime/index.ts';
export { SchemaValidator } from './runtime/validator.ts';
export { BackendConnectionError, createBackend, type Backend, type RunFilter, type RunRow } from './store/index.ts';
export { defineAction } from './tools/own.ts';
export type { Action, ActionContext, ActionSpec, EffectClass, Policy } from './tools/port.ts';
