import { OrchestratorError } from '../errors.ts';
import { isObject, own, setOwn, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { badSchema } from '../schema.ts';
import { badParameter, required } from './parameters.ts';
import type { ActionContext, ActionSpec, ModelTool } from './port.ts';

/** An action that a model may ask for, as the author of the task allows it. */
export interface Tool {
  /** What the model knows, and may choose. */
  spec: ModelTool;
  action: string;
  /** What the author has settled; no argument of the model takes its place. */
  fixed: JsonObject;
  mayChange: boolean;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** What a narrower schema has to say so that a model may decide on a parameter that is closed to models. */
const NARROWING = ['enum', 'const', 'pattern'];

/** The tools of a task: a closed list by its author, whom no text of a model, a tool or a file can add to (C16). */
export function toolsOf(parameters: JsonObject, context: ActionContext): Map<string, Tool> {
  const entries = required(parameters, 'tools');
  if (!Array.isArray(entries)) throw badParameter('tools', 'a list of actions');
  const tools = new Map<string, Tool>();
  for (const [index, entry] of entries.entries()) {
    const tool = toolOf(typeof entry === 'string' ? { action: entry } : isObject(entry) ? entry : {}, `tools[${index}]`, context);
    if (tools.has(tool.spec.name)) throw badParameter(`tools[${index}].name`, `a name of its own, and ${tool.spec.name} is taken`);
    tools.set(tool.spec.name, tool);
  }
  return tools;
}

function toolOf(entry: JsonObject, place: string, context: ActionContext): Tool {
  const action = String(entry['action'] ?? '');
  const spec = context.action(action);
  if (spec === undefined) throw badParameter(`${place}.action`, `the name of an action, and there is none called ${action}`);
  if (spec.engine !== undefined || action === 'agent')
    throw badParameter(`${place}.action`, `an action that a model can ask for, and ${action} is a task of its own`);
  const name = String(entry['name'] ?? action.replaceAll('.', '_'));
  if (!NAME.test(name)) throw badParameter(`${place}.name`, 'letters, digits, _ and -, at most 64');
  const fixed = isObject(entry['fixed']) ? entry['fixed'] : {};
  const free = freeParameters(entry['free'], fixed, spec, place);
  const { description = [spec.summary, spec.description ?? ''].join(' ').trim() } = entry;
  return { spec: { name, description: String(description), parameters: free }, action, fixed, mayChange: entry['allow_side_effects'] === true };
}

/** The schema of what the model may choose: what the author names, else all that is neither fixed nor closed to models (C5). */
function freeParameters(given: Json | undefined, fixed: JsonObject, { name, parameters }: ActionSpec, place: string): JsonSchema {
  const schema = isObject(parameters) ? parameters : {};
  const known = isObject(schema['properties']) ? schema['properties'] : {};
  for (const key of [...Object.keys(fixed), ...namesIn(given)])
    if (!Object.hasOwn(known, key)) throw badParameter(place, `about parameters of ${name}, and ${key} is none: ${Object.keys(known).join(', ')}`);
  const both = namesIn(given).find(key => Object.hasOwn(fixed, key));
  if (both !== undefined) throw badParameter(`${place}.free`, `of other parameters than those that are fixed, and ${both} is`);
  const chosen = given === undefined ? Object.keys(known).filter(key => !Object.hasOwn(fixed, key) && !isClosed(known[key])) : namesIn(given);
  const properties: JsonObject = {};
  for (const key of chosen) {
    const narrower = isObject(given) ? own(given, key) : undefined;
    if (isClosed(known[key]) && !NARROWING.some(keyword => isObject(narrower) && keyword in narrower))
      throw badParameter(
        `${place}.free`,
        `a map in which ${key} says what may be chosen (enum or pattern): on its own, no model decides on the ${key} of ${name}`,
      );
    setOwn(properties, key, { ...plain(known[key]), ...(isObject(narrower) ? narrower : {}) });
  }
  const needed = (Array.isArray(schema['required']) ? schema['required'] : []).map(String).filter(key => !Object.hasOwn(fixed, key));
  const missing = needed.find(key => !chosen.includes(key));
  if (missing !== undefined)
    throw new OrchestratorError('ORC-211', `${place}: ${name} needs ${missing}, which is neither fixed nor free.`, {
      class: 'invalid_input',
      help: [`fixed: { ${missing}: … }`, ...(isClosed(known[missing]) ? [`or free: { ${missing}: { enum: [ … ] } }`] : [])],
    });
  const free: JsonSchema = { type: 'object', properties, required: needed, additionalProperties: false };
  const [bad] = badSchema(free);
  if (bad !== undefined) throw badParameter(`${place}.free`, `a good schema: ${bad.path.slice(1).join('.')} ${bad.message}`);
  return free;
}

function namesIn(given: Json | undefined): string[] {
  return Array.isArray(given) ? given.map(String) : isObject(given ?? null) ? Object.keys(given as JsonObject) : [];
}

/** Whether a model may not decide on a parameter by itself: commands, code, addresses, headers, expressions and the like. */
function isClosed(property: Json | undefined): boolean {
  return isObject(property ?? null) && ['x-auto', 'x-expression', 'x-literal'].some(mark => own(property as JsonObject, mark) === (mark !== 'x-auto'));
}

/** A property without what only the compiler reads. */
function plain(property: Json | undefined): JsonObject {
  return Object.fromEntries(Object.entries(isObject(property ?? null) ? (property as JsonObject) : {}).filter(([keyword]) => !keyword.startsWith('x-')));
}
