/** Makes dist/: one chunk a room rather than a file a module (a process starts sooner), declarations beside them, and whatever else lies beside the sources. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const doors = readdirSync(join(root, 'src')).filter(room => existsSync(join(root, 'src', room, 'index.ts')));
const input: { [name: string]: string } = { index: 'src/index.ts', 'cli/main': 'src/cli/main.ts', 'runtime/compiler': 'src/runtime/compiler.ts' };
for (const room of doors) input[`${room}/index`] = `src/${room}/index.ts`;

/** Small libraries of many files that every start loads: a chunk of ours is read sooner than seventy files of theirs. */
const INLINED = new Set(['yaml', 're2js', 'commander']);

rmSync(dist, { recursive: true, force: true });
const bundle = await rolldown({ cwd: root, input, platform: 'node', external: id => !/^[./]|^src\//.test(id) && !INLINED.has(id) });
// Chunks lie as deep as rooms do, so that `../../package.json` is the package's own from both.
await bundle.write({ dir: dist, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' });
await bundle.close();
execFileSync('tsc', ['-p', 'tsconfig.build.json', '--emitDeclarationOnly'], { cwd: root, stdio: 'inherit' });
cpSync(join(root, 'src'), dist, { recursive: true, filter: path => !path.endsWith('.ts') });
