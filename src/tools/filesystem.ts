import type { JsonObject } from '../json.ts';
import type { Action } from './port.ts';

const load = () => import('./files.ts');

const PATH: JsonObject = {
  type: 'string',
  minLength: 1,
  description:
    'Path, relative to the folder in which the run was started, or absolute. It must lie in a folder of policy.files.roots; symbolic links are not followed.',
};
const CONTENT: JsonObject = { type: 'string', description: 'What to write.' };
const ENCODING: JsonObject = {
  type: 'string',
  enum: ['utf-8', 'latin1', 'base64'],
  default: 'utf-8',
  description: 'How content stands for the bytes of the file; base64 for what is not text.',
};
const OVERWRITE: JsonObject = { type: 'boolean', default: true, description: 'Replace a file that is there already; false fails instead.' };
const SIZE: JsonObject = { type: 'integer', description: 'Size of the file in bytes.' };
const GIVEN: JsonObject = { type: 'string', description: 'The path as it was given.' };

function object(properties: JsonObject, required: string[]): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

const MOVED = object(
  {
    source: { type: 'string', description: 'Where it came from, as it was given.' },
    path: { type: 'string', description: 'Where it is now, as it was given.' },
  },
  ['source', 'path'],
);
const WRITTEN = object({ path: GIVEN, size: SIZE }, ['path', 'size']);

/** The file actions. All keep to the roots of the policy, walk no link, and never reach the state folder (C7). */
export const FILESYSTEM_ACTIONS: Action[] = [
  {
    name: 'filesystem.read',
    summary: 'Reads a file.',
    effect: 'read',
    powers: ['files'],
    description:
      'The file must be UTF-8 text; a byte order mark is dropped. Other files are read with encoding: base64. A file that is not there fails the task (ORC-221, class not_found).',
    parameters: object(
      {
        path: PATH,
        encoding: ENCODING,
        max_bytes: { type: 'integer', minimum: 0, default: 16_777_216, description: 'The largest file that is read, in bytes.' },
      },
      ['path'],
    ),
    result: object({ path: GIVEN, content: { type: 'string', description: 'The text of the file.' }, size: SIZE }, ['path', 'content', 'size']),
    example: '- id: notes\n  action: filesystem.read\n  parameters: { path: notes.md }',
    run: async (parameters, context) => (await load()).read(parameters, context),
  },
  {
    name: 'filesystem.write',
    summary: 'Writes a file, in place of what was there.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'Missing folders are made. The file is written beside its place, synced and renamed, so that nobody ever sees half of it.',
    parameters: object({ path: PATH, content: CONTENT, encoding: ENCODING }, ['path', 'content']),
    result: WRITTEN,
    example: '- id: save\n  action: filesystem.write\n  parameters: { path: out/report.md, content: "{{ draft }}" }',
    run: async (parameters, context) => (await load()).write(parameters, context),
  },
  {
    name: 'filesystem.append',
    summary: 'Writes at the end of a file.',
    effect: 'effectful',
    powers: ['files'],
    description:
      'The file and its folders are made where they are missing. After a crash in the middle a person must say whether the text is there, because writing it twice would not be the same.',
    parameters: object({ path: PATH, content: CONTENT, encoding: ENCODING }, ['path', 'content']),
    result: WRITTEN,
    example: '- id: note\n  action: filesystem.append\n  parameters: { path: log.txt, content: "{{ topic }}\\n" }',
    run: async (parameters, context) => (await load()).append(parameters, context),
  },
  {
    name: 'filesystem.copy',
    summary: 'Copies a file.',
    effect: 'idempotent',
    powers: ['files'],
    parameters: object(
      { path: PATH, destination: { ...PATH, description: 'Path of the copy, with its name; missing folders are made.' }, overwrite: OVERWRITE },
      ['path', 'destination'],
    ),
    result: MOVED,
    example: '- id: keep\n  action: filesystem.copy\n  parameters: { path: report.md, destination: archive/report.md }',
    run: async (parameters, context) => (await load()).copy(parameters, context),
  },
  {
    name: 'filesystem.move',
    summary: 'Moves or renames a file or a folder.',
    effect: 'effectful',
    powers: ['files'],
    parameters: object({ path: PATH, destination: { ...PATH, description: 'New path, with its name; missing folders are made.' }, overwrite: OVERWRITE }, [
      'path',
      'destination',
    ]),
    result: MOVED,
    example: '- id: publish\n  action: filesystem.move\n  parameters: { path: draft.md, destination: published/draft.md }',
    run: async (parameters, context) => (await load()).move(parameters, context),
  },
  {
    name: 'filesystem.delete',
    summary: 'Deletes a file or a folder.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'Of what is not there it says deleted: false, and does not fail: the file is gone, as was wanted.',
    parameters: object(
      { path: PATH, recursive: { type: 'boolean', default: false, description: 'Delete a folder with all that it holds; false deletes only an empty one.' } },
      ['path'],
    ),
    result: object({ path: GIVEN, deleted: { type: 'boolean', description: 'False where nothing was there.' } }, ['path', 'deleted']),
    example: '- id: clean\n  action: filesystem.delete\n  parameters: { path: scratch, recursive: true }',
    run: async (parameters, context) => (await load()).remove(parameters, context),
  },
  {
    name: 'filesystem.list',
    summary: 'Lists what a folder holds.',
    effect: 'read',
    powers: ['files'],
    parameters: object(
      {
        path: { ...PATH, default: '.', description: 'The folder.' },
        pattern: { type: 'string', default: '*', description: 'Only names that fit: * stands for any characters, ? for one.' },
        recursive: { type: 'boolean', default: false, description: 'Also what the folders inside hold.' },
      },
      [],
    ),
    result: object(
      {
        path: GIVEN,
        files: {
          type: 'array',
          description: 'The entries, by name.',
          items: object(
            {
              name: { type: 'string', description: 'Name of the entry.' },
              path: { type: 'string', description: 'Path of the entry, below the path that was given.' },
              size: SIZE,
              type: { type: 'string', enum: ['file', 'folder', 'link', 'other'], description: 'What it is.' },
            },
            ['name', 'path', 'size', 'type'],
          ),
        },
        count: { type: 'integer', description: 'Number of entries.' },
      },
      ['path', 'files', 'count'],
    ),
    example: '- id: pages\n  action: filesystem.list\n  parameters: { path: pages, pattern: "*.md" }',
    run: async (parameters, context) => (await load()).list(parameters, context),
  },
  {
    name: 'filesystem.exists',
    summary: 'Says whether a file or a folder is there.',
    effect: 'read',
    powers: ['files'],
    parameters: object({ path: PATH }, ['path']),
    result: object({ path: GIVEN, exists: { type: 'boolean', description: 'Whether something has this path.' } }, ['path', 'exists']),
    example: '- id: cached\n  action: filesystem.exists\n  parameters: { path: cache/page.html }',
    run: async (parameters, context) => (await load()).exists(parameters, context),
  },
];
