/** The language room: the text of a pipeline, and everything that is known of it before it is planned. */
export { AUTO_ATTRIBUTES, AUTO_TYPES, splitAuto } from './auto.ts';
export { AutoTagError, AutoTagYAMLParser, parseYamlWithAutoTags, type AutoTagErrorKind, type FoundTag } from './auto-parser.ts';
export type { Diagnostic, Severity } from './diagnostic.ts';
export { PIPELINE_KEYS, TASK_KEYS } from './keys.ts';
export { parse, type ParseOptions, type Parsed } from './parse.ts';
export { format, type Formatted } from './print.ts';
export { pipelineSchema } from './schema.ts';
/** How a room that checks a pipeline further reports what it finds. */
export { at, pathText, Reporter, type Details, type Path } from './report.ts';
export { makeSource, position, type Source, type Span } from './source.ts';
