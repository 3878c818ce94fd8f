import { isObject, parseJson, setOwn, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { checkWithin, DEPTH_MAX } from './check.ts';
import { isSame, isType, itemRule, memberRules, resolveRef, schemas, typesOf } from './parts.ts';

/** Alternatives tried in one conversion. */
const TRIALS_MAX = 1000;

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['false', false],
  ['no', false],
]);

interface Conversion {
  root: JsonSchema;
  trials: number;
}

/**
 * A value brought nearer to its schema where its meaning is beyond doubt: `"5"` to 5, `"true"` to true, 5 to `"5"`, `"Positive"` to a choice `positive`,
 * the text of a list or object to that list or object, one value to a list of one. What cannot be converted stays; nothing is rounded, cut or left out.
 */
export function coerce(schema: JsonSchema, value: Json): Json {
  return convert({ root: schema, trials: 0 }, schema, value, 0);
}

function convert(on: Conversion, schema: JsonSchema, value: Json, depth: number): Json {
  if (!isObject(schema) || depth > DEPTH_MAX) return value;
  let result = value;
  const target = typeof schema['$ref'] === 'string' ? resolveRef(on.root, schema['$ref']) : undefined;
  if (target !== undefined) result = convert(on, target, result, depth + 1);
  for (const part of schemas(schema['allOf'])) result = convert(on, part, result, depth + 1);
  const types = typesOf(schema);
  if (types.length > 0 && !types.some(type => isType(type, result))) {
    const converted = types.map(type => convertTo(type, result)).find(candidate => candidate !== undefined);
    if (converted !== undefined) result = converted;
  }
  result = convertChoice(schema, result);
  if (Array.isArray(result)) result = convertItems(on, schema, result, depth);
  else if (isObject(result)) result = convertMembers(on, schema, result, depth);
  const alternatives = [...schemas(schema['anyOf']), ...schemas(schema['oneOf'])];
  return alternatives.length === 0 ? result : convertAlternative(on, alternatives, result, depth);
}

/** A value as another type, or undefined where that would be a guess. */
function convertTo(type: string, value: Json): Json | undefined {
  if (type === 'array') return fromText(value, Array.isArray) ?? (value === null ? undefined : [value]);
  if (type === 'object') return fromText(value, isObject);
  if (type === 'string') return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (type === 'boolean') return BOOLEANS.get(text.toLowerCase());
  if (type === 'null') return text === 'null' ? null : undefined;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) && (type === 'number' || Number.isInteger(number)) ? number : undefined;
}

function fromText<T extends Json>(value: Json, isWanted: (parsed: Json) => parsed is T): T | undefined {
  const parsed = typeof value === 'string' ? parseJson(value) : undefined;
  return parsed !== undefined && isWanted(parsed) ? parsed : undefined;
}

/** The choice that a text means when case and space around it are forgiven; no choice where two would do. */
function convertChoice(schema: JsonObject, value: Json): Json {
  const choices = Array.isArray(schema['enum']) ? schema['enum'] : schema['const'] === undefined ? [] : [schema['const']];
  if (choices.length === 0 || typeof value === 'object' || choices.some(choice => isSame(choice, value))) return value;
  const fold = (choice: Json): string => String(choice).trim().toLowerCase();
  const near = choices.filter(choice => typeof choice !== 'object' && fold(choice) === fold(value));
  return near.length === 1 ? near[0]! : value;
}

function convertItems(on: Conversion, schema: JsonObject, list: Json[], depth: number): Json {
  return list.map((item, index) => convert(on, itemRule(schema, index), item, depth + 1));
}

function convertMembers(on: Conversion, schema: JsonObject, object: JsonObject, depth: number): Json {
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(object)) {
    setOwn(
      result,
      key,
      memberRules(schema, key).reduce<Json>((value, rule) => convert(on, rule, value, depth + 1), member),
    );
  }
  return result;
}

/** The value as it stands where it fits an alternative, else as the first alternative that it can be brought to fit. */
function convertAlternative(on: Conversion, alternatives: JsonSchema[], value: Json, depth: number): Json {
  const candidates: ((alternative: JsonSchema) => Json)[] = [() => value, alternative => convert(on, alternative, value, depth + 1)];
  for (const candidate of candidates) {
    for (const alternative of alternatives) {
      if (++on.trials > TRIALS_MAX) return value;
      const converted = candidate(alternative);
      if (checkWithin(on.root, alternative, converted).length === 0) return converted;
    }
  }
  return value;
}
