import type { YAMLError } from 'yaml';

/** What a problem of YAML is called, and how it is mended. */
export interface Wording {
  message: string;
  help?: string[];
}

/** Words for what the YAML parser says most often; its own words for the rest. */
const SYNTAX: Record<string, Wording> = {
  TAB_AS_INDENT: { message: 'a tab indents this line; YAML takes only spaces', help: ['replace each tab by two spaces'] },
  BAD_INDENT: {
    message: 'the indentation of this line does not fit the lines above',
    help: ['keys of one map, and the dashes of one list, stand in the same column'],
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a colon followed by a space begins a map, which cannot stand here',
    help: ['put a text that holds a colon in quotes: "like: this"', 'or check the indentation of this line and the next'],
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'this line is neither a `key: value` nor a part of the value above it',
    help: ['write `key: value`, with a blank after the colon, or indent the line more than the key that it belongs to'],
  },
  BAD_SCALAR_START: { message: 'an unquoted text cannot begin with this character', help: ['put the text in quotes'] },
  BAD_DQ_ESCAPE: { message: 'this is not an escape that double quotes know', help: ["write \\\\ for a backslash, or use single quotes: '…'"] },
  KEY_OVER_1024_CHARS: { message: 'this key is longer than 1024 characters', help: ['put a long text in quotes or in a block: key: |'] },
  BLOCK_IN_FLOW: {
    message: 'a list or map written over lines cannot stand inside brackets',
    help: ['close the bracket first, or write the whole value in brackets'],
  },
};

/** The same, where the code of the parser says less than its words. */
const SPOKEN: Record<string, Wording> = {
  'without - indicator': SYNTAX['BAD_INDENT']!,
  'at node end': {
    message: 'something follows the end of this value',
    help: ['inside double quotes write \\" for a quote, or put the text in single quotes: \'say "hello"\'', 'or remove what follows'],
  },
  'end with a ]': { message: 'a list that begins with [ before this is never closed', help: ['close it with ] where the list ends'] },
  'end with a }': { message: 'a map that begins with { before this is never closed', help: ['close it with } where the map ends'] },
  'flow-seq-end': { message: 'this bracket closes a list that was never opened', help: ['remove it, or open the list with ['] },
  'flow-map-end': { message: 'this brace closes a map that was never opened', help: ['remove it, or open the map with {'] },
};

/** Our words for a problem that the YAML parser found; undefined where we have none better than its own. */
export function wordsFor(error: Pick<YAMLError, 'code' | 'message'>): Wording | undefined {
  return Object.entries(SPOKEN).find(([words]) => error.message.includes(words))?.[1] ?? SYNTAX[error.code];
}
