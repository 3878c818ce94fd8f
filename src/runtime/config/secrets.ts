import { OrchestratorError } from '../../errors.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../../json.ts';
import { nearest } from '../../ids.ts';

/** What stands where a secret stood. */
const REDACTED = '▮▮▮';
/** A shorter text would be found by chance in ordinary output, so redacting it would either leak or destroy. */
const MIN_LENGTH = 8;

/**
 * The secrets that the configuration names (C11). A value is looked up when an action first needs it, and from then on taken out of every text, in
 * each of the forms in which it may stand there. What comes straight from the environment or a file is known from the beginning.
 */
export class Secrets {
  readonly #entries: ReadonlyMap<string, string>;
  readonly #resolve: (text: string) => string;
  readonly #revealed = new Map<string, string>();
  #forms: string[] = [];
  #looked = false;

  constructor(entries: { [name: string]: string }, resolve: (text: string) => string) {
    this.#entries = new Map(Object.entries(entries));
    this.#resolve = resolve;
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The value behind a name. Throws ORC-312 for a name that is not configured, ORC-119 for a value that is missing or too short. */
  reveal(name: string): string {
    const known = this.#revealed.get(name);
    if (known !== undefined) return known;
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const near = nearest(name, this.#entries.keys(), 1)[0];
      const help = near === undefined ? [`add to orchestrator.config.yaml: secrets: { ${name}: "\${env:${name}}" }`] : [`did you mean \`${near}\`?`];
      throw new OrchestratorError('ORC-312', `no secret called \`${name}\` is configured`, { class: 'auth', help });
    }
    const value = this.#resolve(entry);
    if (value.length < MIN_LENGTH) {
      throw new OrchestratorError('ORC-119', `the secret \`${name}\` has ${value.length} characters; at least ${MIN_LENGTH} are needed, or it could not be redacted`, { class: 'auth' });
    }
    this.#revealed.set(name, value);
    this.register(value);
    return value;
  }

  /** Takes a value (an API key of a provider) out of every text from now on. */
  register(value: string): void {
    if (value.length < MIN_LENGTH) return;
    // Longer forms first, so that no part of one is left over when a shorter one is taken out.
    this.#forms = [...new Set([...this.#forms, ...encodedForms(value)])].sort((a, b) => b.length - a.length);
  }

  redact(text: string): string {
    this.#lookUp();
    let clean = text;
    for (const form of this.#forms) if (clean.includes(form)) clean = clean.replaceAll(form, REDACTED);
    return clean;
  }

  /** The same for every text in a value, the names of its members too. The value itself where nothing had to go. */
  redactJson(value: Json): Json {
    this.#lookUp();
    return this.#forms.length === 0 ? value : this.#clean(value);
  }

  #clean(value: Json): Json {
    if (typeof value === 'string') return this.redact(value);
    if (Array.isArray(value)) return value.map(item => this.#clean(item));
    if (!isObject(value)) return value;
    const clean: JsonObject = {};
    for (const [key, member] of Object.entries(value)) setOwn(clean, this.redact(key), this.#clean(member));
    return clean;
  }

  /** Learns the values that cost nothing to look up: a program may print one that no action was ever given. */
  #lookUp(): void {
    if (this.#looked) return;
    this.#looked = true;
    for (const [name, entry] of this.#entries) {
      if (entry.includes('${cmd:')) continue;
      try {
        this.reveal(name);
      } catch (error) {
        // A secret that is missing or too short is told when it is used.
        if (!(error instanceof OrchestratorError)) throw error;
      }
    }
  }
}

/** The forms in which a value may stand in a text: plain, as JSON, in an address, in base64 at each of three alignments, in hexadecimal. */
function encodedForms(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const json = JSON.stringify(value).slice(1, -1);
  const forms = [value, json, encodeURIComponent(value), encodeURIComponent(value).replaceAll('%20', '+'), bytes.toString('hex'), bytes.toString('hex').toUpperCase()];
  for (const shift of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
    // The first and last characters also depend on the bytes around the value, so only those that it alone decides are looked for.
    const whole = padded.toString('base64').replace(/=+$/, '');
    const core = whole.slice([0, 2, 3][shift], padded.length % 3 === 0 ? undefined : -1);
    forms.push(core, core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms.filter(form => form.length >= MIN_LENGTH);
}
