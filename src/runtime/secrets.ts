import { SecretText } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../json.ts';
import { isSecretMarker, SECRET_KEY } from '../language/expression/index.ts';

const SHORTEST = 8;
const MASK = '▮▮▮';

/**
 * The secrets of a process (C11). A pipeline holds handles; only the performing of an action joins them, and what comes back is redacted before it becomes
 * a fact, so that the live run and its replay see the same.
 */
export class Secrets {
  readonly #read: (name: string) => string | undefined;
  readonly #known = new Map<string, string>();
  /** Every form in which a secret might come back, longest first. */
  #forms: string[] = [];

  /** `read` gives the value behind a name, or undefined. */
  constructor(read: (name: string) => string | undefined = () => undefined) {
    this.#read = read;
  }

  /** The value behind a handle; from now on it is redacted wherever it shows up. */
  value(name: string): string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const value = this.#read(name);
    if (value === undefined) throw new OrchestratorError('ORC-312', `there is no secret called \`${name}\``, { class: 'invalid_input', help: [`name it in the configuration: secrets: { ${name}: "\${env:${name}}" }`] });
    this.guard(name, value);
    return value;
  }

  /** Registers a value for redaction. */
  guard(name: string, value: string): void {
    if (value.length < SHORTEST) throw new OrchestratorError('ORC-312', `the secret \`${name}\` is shorter than ${SHORTEST} characters, so it could not be redacted without harm`, { class: 'invalid_input' });
    this.#known.set(name, value);
    const forms = new Set(this.#forms);
    for (const form of formsOf(value)) forms.add(form);
    this.#forms = [...forms].sort((a, b) => b.length - a.length);
  }

  redactText(text: string): string {
    let result = text;
    for (const form of this.#forms) if (result.includes(form)) result = result.replaceAll(form, MASK);
    return result;
  }

  redact(value: Json): Json {
    if (this.#forms.length === 0) return value;
    if (typeof value === 'string') return this.redactText(value);
    if (Array.isArray(value)) return value.map(item => this.redact(item));
    if (!isObject(value)) return value;
    const copy: JsonObject = {};
    for (const key of Object.keys(value)) setOwn(copy, this.redactText(key), this.redact(value[key]!));
    return copy;
  }

  /** Joins handles into texts. */
  reveal(value: Json): Json {
    if (Array.isArray(value)) return value.map(item => this.reveal(item));
    if (!isObject(value)) return value;
    if (isSecretMarker(value)) return this.value(value[SECRET_KEY]);
    const text: unknown = value;
    if (text instanceof SecretText) return text.segments.map(segment => (typeof segment === 'string' ? segment : this.value(segment[SECRET_KEY]))).join('');
    const copy: JsonObject = {};
    for (const key of Object.keys(value)) setOwn(copy, key, this.reveal(value[key]!));
    return copy;
  }
}

/** The value itself and the encodings in which servers and tools send it back. */
function formsOf(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64');
  return [value, encodeURIComponent(value), base64, base64.replace(/=+$/, ''), Buffer.from(value).toString('hex'), JSON.stringify(value).slice(1, -1)];
}

/** Is a value, or something in it, a handle rather than the text that it stands for? */
export function hasMarker(value: Json): boolean {
  if (Array.isArray(value)) return value.some(hasMarker);
  if (!isObject(value)) return false;
  return isSecretMarker(value) || (value as unknown) instanceof SecretText || Object.values(value).some(hasMarker);
}
