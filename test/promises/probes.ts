import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../src/json.ts';
import type { Action, ActionContext, EffectClass } from '../../src/tools/port.ts';

const ANY = { type: 'object' } as const;

function probe(name: string, effect: EffectClass, run: (parameters: JsonObject, context: ActionContext) => Promise<Json> | Json): Action {
  return { name, summary: 'A probe.', effect, powers: [], parameters: ANY, result: true, run };
}

/**
 * Actions that leave a trace of every performance in a file that all processes share:
 * `do.CLASS` performs an effect of the class and then waits for the file that `gate` names, `say` gives back what it is told.
 */
export function probes(folder: string): Action[] {
  const trace = (context: ActionContext, word = ''): void => appendFileSync(join(folder, 'performed'), `${context.path}${word}\n`);
  const gate = async (name: Json | undefined, context: ActionContext): Promise<void> => {
    while (typeof name === 'string' && !existsSync(join(folder, name))) {
      if (context.signal.aborted) throw context.signal.reason;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  };
  const classes: EffectClass[] = ['pure', 'read', 'idempotent', 'keyed', 'effectful'];
  return [
    ...classes.map(effect =>
      probe(`do.${effect}`, effect, async ({ gate: name, value = null }, context) => {
        trace(context);
        await gate(name, context);
        return { value, key: context.key, attempt: context.attempt };
      }),
    ),
    probe('say', 'pure', ({ value = null }, context) => {
      trace(context);
      return value;
    }),
    /** Fails until the file is there. */
    probe('fail.until', 'effectful', ({ file }, context) => {
      trace(context);
      if (!existsSync(join(folder, String(file)))) throw new Error(`no ${String(file)} yet`);
      return { attempt: context.attempt, key: context.key };
    }),
    /** Two steps; between them it waits. */
    probe('two.steps', 'idempotent', async ({ gate: name, between = 'effectful' }, context) => {
      const first = await context.step('first', between as EffectClass, key => {
        trace(context, '#first');
        return key;
      });
      if (name !== undefined) trace(context, '#waits');
      await gate(name, context);
      return { first, second: await context.step('second', 'effectful', key => (trace(context, '#second'), key)) };
    }),
    /** Never ends and does not listen. */
    probe('hang', 'effectful', (_parameters, context) => {
      trace(context);
      return new Promise(() => {});
    }),
  ];
}
