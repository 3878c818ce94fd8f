/** A process of its own that compiles one large file, so that the memory which YAML takes is given back before the run begins. Speaks JSON on stdin and stdout. */
import { readFileSync } from 'node:fs';
import type { ActionSpec } from '../tools/port.ts';
import { compileHere } from './compile.ts';
import { packDiagnostics } from './diagnostics.ts';

const request = JSON.parse(readFileSync(0, 'utf8')) as { file: string; path: string; folder: string; actions: ActionSpec[]; strict: boolean };
const { plan, body, diagnostics } = await compileHere(request.file, readFileSync(request.path, 'utf8'), request.folder, request.actions, request.strict);
// A line about the body, then the body as it is: a text of fifty megabytes is not quoted into another.
process.stdout.write(`${JSON.stringify({ valid: plan !== null, diagnostics: packDiagnostics(diagnostics) })}\n${body}`);
