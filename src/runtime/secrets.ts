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
    if (value === undefined)
      throw new OrchestratorError('ORC-312', `there is no secret called \`${name}\``, {
        class: 'invalid_input',
        help: [`name it in the configuration: secrets: { ${name}: "\${env:${name}}" }`],
      });
    this.guard(name, value);
    return value;
  }

  /** The value behind the handle that a caller gave for an input. What was given is not repeated: it may be the secret itself. */
  named(handle: string, input: string): string {
    try {
      return this.value(handle);
    } catch (error) {
      if (this.#read(handle) !== undefined) throw error;
      throw new OrchestratorError(
        'ORC-312',
        `the input \`${input}\` takes the name of a secret of the configuration, and there is none of the name that was given`,
        { class: 'invalid_input', help: ['name it in the configuration: secrets: { TOKEN: "${env:TOKEN}" }'] },
      );
    }
  }

  /** Registers a value for redaction. */
  guard(name: string, value: string): void {
    if (value.length < SHORTEST)
      throw new OrchestratorError('ORC-312', `the secret \`${name}\` is shorter than ${SHORTEST} characters, so it could not be redacted without harm`, {
        class: 'invalid_input',
      });
    this.#known.set(name, value);
    this.#redactFromNow(value);
  }

  /** Has a value redacted that no pipeline can name, such as the key of a provider. What is absent, or too short to be a secret, is left alone. */
  cover(value: string | undefined): void {
    if (value !== undefined && value.length >= SHORTEST) this.#redactFromNow(value);
  }

  #redactFromNow(value: string): void {
    const forms = new Set(this.#forms);
    for (const form of formsOf(value)) forms.add(form);
    this.#forms = [...forms].sort((a, b) => b.length - a.length);
  }

  redactText(text: string): string {
    let result = text;
    for (const form of this.#forms) if (result.includes(form)) result = result.replaceAll(form, MASK);
    return result;
  }

  /** A text that is still being written: what may become a secret at its end is hidden before it is one. */
  redactGrowing(text: string): string {
    const begun = this.#forms.reduce((longest, form) => Math.max(longest, beginsAtEnd(text, form)), 0);
    return this.redactText(text.slice(0, text.length - begun)) + (begun === 0 ? '' : MASK);
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

/** How much of a form stands at the end of a text, where its rest may follow; too little of it says nothing. */
function beginsAtEnd(text: string, form: string): number {
  for (let length = Math.min(form.length - 1, text.length); length >= SHORTEST / 2; length--) if (text.endsWith(form.slice(0, length))) return length;
  return 0;
}

/** The value itself and the encodings in which servers and tools send it back. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const base64 = [bytes.toString('base64'), ...[0, 1, 2].map(lead => base64Within(bytes, lead))];
  const json = JSON.stringify(value).slice(1, -1);
  const ascii = json.replace(/[\u007f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const url = encodeURIComponent(value);
  const urls = [
    url,
    url.replace(/[!'()*]/g, sign => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`),
    new URLSearchParams({ '': value }).toString().slice(1),
  ];
  return [
    value,
    json,
    ascii,
    json.replaceAll('/', '\\/'),
    htmlText(value),
    hex,
    hex.toUpperCase(),
    ...urls,
    ...urls.map(text => text.replace(/%../g, code => code.toLowerCase())),
    ...base64,
    ...base64.map(text => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** The characters that depend on the value alone where it stands in a longer base64 text, as in `Basic …`, after `lead` bytes modulo 3. */
function base64Within(bytes: Buffer, lead: number): string {
  const text = Buffer.concat([Buffer.alloc(lead), bytes]).toString('base64url');
  const bits = 8 * (lead + bytes.length);
  const inner = text.slice(Math.ceil((8 * lead) / 6), Math.floor(bits / 6));
  return inner.replaceAll('-', '+').replaceAll('_', '/');
}

function htmlText(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

/** Is a value, or something in it, a handle rather than the text that it stands for? */
export function hasMarker(value: Json): boolean {
  if (Array.isArray(value)) return value.some(hasMarker);
  if (!isObject(value)) return false;
  return isSecretMarker(value) || (value as unknown) instanceof SecretText || Object.values(value).some(hasMarker);
}
