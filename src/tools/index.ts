import { AGENT_ACTIONS } from './agent.ts';
import { CHAT_ACTIONS } from './chat.ts';
import { CHOOSING_ACTIONS } from './choosing.ts';
import { CLASSIFY_ACTIONS } from './classify.ts';
import { DATA_ACTIONS } from './data.ts';
import { EMBED_ACTIONS } from './embed.ts';
import { EXTRACT_ACTIONS } from './extract.ts';
import { FILESYSTEM_ACTIONS } from './filesystem.ts';
import { HTTP_ACTIONS } from './http.ts';
import { MESSAGE_ACTIONS } from './messages.ts';
import { withFilledParameters } from './parameters.ts';
import { PDF_ACTIONS } from './pdf.ts';
import type { Action, ActionSpec } from './port.ts';
import { PROCESS_ACTIONS } from './process.ts';
import { REPORT_ACTIONS } from './report.ts';
import { TEXT_ACTIONS } from './text.ts';
import { TRANSFORM_ACTIONS } from './transform.ts';
import { VALIDATE_ACTIONS } from './validate.ts';
import { WAIT_ACTIONS } from './waits.ts';
import { WEB_ACTIONS } from './web.ts';

export * from './port.ts';

/** Every action that comes with the program. What needs a heavy library loads it when it runs, so that this list is cheap to import. */
export const BUILTIN_ACTIONS: readonly Action[] = [
  ...FILESYSTEM_ACTIONS,
  ...HTTP_ACTIONS,
  ...PROCESS_ACTIONS,
  ...DATA_ACTIONS,
  ...TRANSFORM_ACTIONS,
  ...VALIDATE_ACTIONS,
  ...MESSAGE_ACTIONS,
  ...TEXT_ACTIONS,
  ...CLASSIFY_ACTIONS,
  ...EXTRACT_ACTIONS,
  ...CHAT_ACTIONS,
  ...EMBED_ACTIONS,
  ...AGENT_ACTIONS,
  ...CHOOSING_ACTIONS,
  ...WEB_ACTIONS,
  ...REPORT_ACTIONS,
  ...PDF_ACTIONS,
  ...WAIT_ACTIONS,
].map(withFilledParameters);

const SPEC_KEYS = [
  'name',
  'summary',
  'description',
  'effect',
  'powers',
  'parameters',
  'result',
  'example',
  'engine',
  'provider',
] as const satisfies (keyof ActionSpec)[];

/** The specifications alone, as plain data. */
export function actionSpecs(actions: readonly Action[] = BUILTIN_ACTIONS): ActionSpec[] {
  return actions.map(action => Object.fromEntries(SPEC_KEYS.flatMap(key => (action[key] === undefined ? [] : [[key, action[key]]]))) as unknown as ActionSpec);
}

/** The action of this canonical name, or undefined. */
export function findAction(name: string, actions: readonly Action[] = BUILTIN_ACTIONS): Action | undefined {
  return actions.find(action => action.name === name);
}
