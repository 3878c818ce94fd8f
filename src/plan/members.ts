import { isObject, type Json, type JsonSchema } from '../json.ts';

/** Whether the schema takes text and nothing else, so that what is written plainly or computed is made text. */
export function wantsText(schema: JsonSchema): boolean {
  if (!isObject(schema)) return false;
  if (schema['type'] !== undefined) return schema['type'] === 'string';
  const { enum: choices } = schema;
  return Array.isArray(choices) && choices.length > 0 && choices.every(choice => typeof choice === 'string');
}

/** Whether a schema takes values of a JSON type at all, whatever else it asks of them. */
export function takesType(schema: JsonSchema, wanted: string): boolean {
  if (!isObject(schema)) return schema;
  const { type, anyOf, oneOf, enum: choices } = schema;
  if (type !== undefined) return Array.isArray(type) ? type.includes(wanted) : type === wanted;
  const alternatives = anyOf ?? oneOf;
  if (Array.isArray(alternatives)) return alternatives.some(part => takesType(part as JsonSchema, wanted));
  return !Array.isArray(choices) || someOfType(choices, wanted);
}

function someOfType(choices: Json[], wanted: string): boolean {
  return choices.some(choice => (choice === null ? 'null' : Array.isArray(choice) ? 'array' : typeof choice) === wanted);
}

/** What a schema asks of a member of an object. */
export function memberSchema(schema: JsonSchema, key: string): JsonSchema {
  if (!isObject(schema)) return true;
  const { properties, additionalProperties } = schema;
  if (isObject(properties) && Object.hasOwn(properties, key)) return properties[key] as JsonSchema;
  return isObject(additionalProperties) ? additionalProperties : true;
}

/** What a schema asks of an item of a list. */
export function itemSchema(schema: JsonSchema, index: number): JsonSchema {
  if (!isObject(schema)) return true;
  const { items, prefixItems } = schema;
  const prefix = Array.isArray(prefixItems) ? prefixItems[index] : undefined;
  return ((prefix ?? items) as JsonSchema | undefined) ?? true;
}
