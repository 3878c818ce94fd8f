export type { ActiveTask, ForkOptions, RunEvent, RunHandle, RunView, Shell, StartOptions } from './api.ts';
export { compileFile, compileText, readInside, readSource, startInputs, ValidationError, type Compiled } from './compile.ts';
export * from './config/index.ts';
export { findRun, foldRun } from './load.ts';
export { knownActions, openShell, PROGRAM, type OpenShellOptions } from './open.ts';
export { Secrets } from './secrets.ts';
export { EmbeddedShell, type ShellSettings } from './shell.ts';
