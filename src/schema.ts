export { badSchema } from './schema/validity.ts';
export { checkSchema, type SchemaProblem } from './schema/check.ts';
export { coerce } from './schema/coerce.ts';
export { describeSchema } from './schema/words.ts';
export { resolveRef } from './schema/parts.ts';
