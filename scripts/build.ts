/** Makes dist/: few chunks rather than a file a module (a process starts sooner), declarations beside them, and whatever else lies beside the sources. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown, type InputOptions, type OutputChunk } from 'rolldown';
import { ascii, keepCode } from './chunks.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const doors = readdirSync(join(root, 'src')).filter(room => existsSync(join(root, 'src', room, 'index.ts')));
const input: { [name: string]: string } = {
  index: 'src/index.ts',
  'cli/main': 'src/cli/main.ts',
  'runtime/compiler': 'src/runtime/compiler.ts',
  'chunks/kept-code': 'scripts/kept-code.ts',
};
for (const room of doors) input[`${room}/index`] = `src/${room}/index.ts`;

/** Small libraries of many files that every start loads: a chunk of ours is read sooner than seventy files of theirs. */
const INLINED = new Set(['yaml', 're2js', 'commander']);

const plain = {
  cwd: root,
  input,
  platform: 'node',
  external: (id: string) => !/^[./]|^src\//.test(id) && !INLINED.has(id),
  // The build of yaml for Node is CommonJS, each name of it looked up in an object; the one for browsers is the same code in modules, which are merged with ours.
  resolve: { alias: { yaml: join(root, 'node_modules', 'yaml', 'browser', 'index.js') } },
} satisfies InputOptions;
const files = { dir: dist, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' } as const;

/** What every run loads, and what every compilation adds to it: each is one chunk, since to find and link a module costs more than to read it. */
const sketch = await generate();
const started = modulesOf(sketch, 'runtime/index');
const compiled = modulesOf(sketch, 'plan/compile').difference(started);

rmSync(dist, { recursive: true, force: true });
const bundle = await rolldown({ ...plain, plugins: [ascii, keepCode] });
// Chunks lie as deep as rooms do, so that `../../package.json` is the package's own from both.
await bundle.write({
  ...files,
  codeSplitting: {
    groups: [
      { name: 'start', test: id => started.has(id) },
      { name: 'compile', test: id => compiled.has(id) },
    ],
  },
});
await bundle.close();
execFileSync('tsc', ['-p', 'tsconfig.build.json', '--emitDeclarationOnly'], { cwd: root, stdio: 'inherit' });
cpSync(join(root, 'src'), dist, { recursive: true, filter: path => !path.endsWith('.ts') });

async function generate(): Promise<OutputChunk[]> {
  const draft = await rolldown({ ...plain, input: { ...input, 'plan/compile': 'src/plan/compile.ts' } });
  const { output } = await draft.generate(files);
  await draft.close();
  return output.filter(file => file.type === 'chunk');
}

/** The modules of an entry and of all that it imports, at any depth. */
function modulesOf(chunks: OutputChunk[], entry: string): Set<string> {
  const byFile = new Map(chunks.map(chunk => [chunk.fileName, chunk]));
  const reached = new Set([`${entry}.js`]);
  for (const file of reached) for (const next of byFile.get(file)?.imports ?? []) reached.add(next);
  return new Set([...reached].flatMap(file => byFile.get(file)?.moduleIds ?? []));
}
