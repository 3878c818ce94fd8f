/** A process of its own that compiles one large file, so that the memory which YAML takes is given back before the run begins. Speaks JSON on stdin and stdout. */
import { readFileSync } from 'node:fs';
import { compileHere, type CompileOrder } from './compile.ts';
import { packDiagnostics } from './diagnostics.ts';

const order = JSON.parse(readFileSync(0, 'utf8')) as CompileOrder;
const { plan, body, diagnostics } = await compileHere(order.file, readFileSync(order.path, 'utf8'), order.folder, order.actions, order);
// A line about the body, then the body as it is: a text of fifty megabytes is not quoted into another.
process.stdout.write(`${JSON.stringify({ valid: plan !== null, diagnostics: packDiagnostics(diagnostics) })}\n${body}`);
