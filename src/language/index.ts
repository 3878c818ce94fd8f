export { parse, type ParseOptions, type Parsed } from './parse.ts';
