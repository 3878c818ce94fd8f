import { isObject, type Json } from '../json.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import { compile } from '../plan/compile.ts';
import { actionSpecs, type Action } from '../tools/index.ts';
import { ValidationError } from './compile.ts';

/** Checks pipelines as `validate` does: the same compiler, all problems at once. */
export class SchemaValidator {
  readonly #actions: readonly Action[];

  /** `actions`: own actions, beside the built-in ones. */
  constructor(options: { actions?: readonly Action[] } = {}) {
    this.#actions = options.actions ?? [];
  }

  /** All problems of a pipeline, given as YAML text or as an object; empty where it is valid and there is nothing to say. */
  check(config: string | Json): Diagnostic[] {
    const text = typeof config === 'string' ? config : JSON.stringify(config, null, 2);
    return compile({
      file: isObject(config as Json) ? 'pipeline.json' : 'pipeline.yaml',
      text,
      read: () => null,
      actions: [...actionSpecs(), ...actionSpecs(this.#actions)],
    }).diagnostics;
  }

  /** Throws ValidationError{diagnostics} where a pipeline is not valid. */
  validatePipeline(config: string | Json): void {
    const diagnostics = this.check(config);
    if (diagnostics.some(diagnostic => diagnostic.severity === 'error')) throw new ValidationError(diagnostics);
  }
}
