import { parseDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, own, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { Action } from './port.ts';

/** The parameters with the defaults that their schema declares; null counts as not given. */
function withDefaults(schema: JsonSchema, parameters: JsonObject): JsonObject {
  const filled: JsonObject = { ...parameters };
  const properties = isObject(schema) ? schema['properties'] : undefined;
  if (!isObject(properties)) return filled;
  for (const [name, property] of Object.entries(properties)) {
    if (isObject(property) && property['default'] !== undefined && (own(filled, name) ?? null) === null) filled[name] = property['default'];
  }
  return filled;
}

/** The same action, which finds the defaults of its schema filled in. */
export function withFilledParameters(action: Action): Action {
  const filled: Action = { ...action, run: (parameters, context) => action.run(withDefaults(action.parameters, parameters), context) };
  if (action.effectOf !== undefined) filled.effectOf = parameters => action.effectOf!(withDefaults(action.parameters, parameters));
  return filled;
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The error of a parameter whose value cannot be taken. */
export function badParameter(name: string, wanted: string, help: string[] = []): OrchestratorError {
  return new OrchestratorError('ORC-212', `The parameter ${name} must be ${wanted}.`, { class: 'invalid_input', help });
}

/** The value of a parameter, or undefined where it was not given. */
export function given(parameters: JsonObject, name: string): Json | undefined {
  return own(parameters, name) ?? undefined;
}

export function required(parameters: JsonObject, name: string): Json {
  const value = given(parameters, name);
  if (value === undefined) throw new OrchestratorError('ORC-211', `The parameter ${name} is required.`, { class: 'invalid_input' });
  return value;
}

export function optionalText(parameters: JsonObject, name: string): string | undefined {
  const value = given(parameters, name);
  if (value === undefined || typeof value === 'string') return value;
  throw badParameter(name, `text, not ${kindOf(value)}`);
}

export function text(parameters: JsonObject, name: string): string {
  required(parameters, name);
  return optionalText(parameters, name)!;
}

export function flag(parameters: JsonObject, name: string): boolean {
  const value = given(parameters, name) ?? false;
  if (typeof value !== 'boolean') throw badParameter(name, `true or false, not ${kindOf(value)}`);
  return value;
}

export function optionalNumber(parameters: JsonObject, name: string): number | undefined {
  const value = given(parameters, name);
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw badParameter(name, `a number, not ${kindOf(value)}`);
}

/** A whole number of bytes, rows and the like, zero or more. */
export function count(parameters: JsonObject, name: string): number {
  const value = required(parameters, name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw badParameter(name, 'a whole number, zero or more');
  return value;
}

/** A duration in ms, or undefined where none was given. */
export function optionalDurationMs(parameters: JsonObject, name: string): number | undefined {
  const value = given(parameters, name);
  if (value === undefined) return undefined;
  const ms = typeof value === 'number' || typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms === undefined) throw badParameter(name, 'seconds, or a text such as 30s or 2m');
  return ms;
}

export function optionalObject(parameters: JsonObject, name: string): JsonObject | undefined {
  const value = given(parameters, name);
  if (value === undefined || isObject(value)) return value;
  throw badParameter(name, `an object, not ${kindOf(value)}`);
}

/** A list of texts; a lone text is a list of one. */
export function texts(parameters: JsonObject, name: string): string[] {
  const value = given(parameters, name) ?? [];
  const list = Array.isArray(value) ? value : [value];
  return list.map((item, index) => {
    if (typeof item !== 'string') throw badParameter(`${name}[${index}]`, `text, not ${kindOf(item)}`);
    return item;
  });
}

/** The error that says why `signal` was aborted: the reason the shell gave, else that it was cancelled. */
export function abortError(signal: AbortSignal): OrchestratorError {
  return signal.reason instanceof OrchestratorError
    ? signal.reason
    : new OrchestratorError('ORC-231', 'The action was stopped before it had ended.', { class: 'cancelled' });
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}
