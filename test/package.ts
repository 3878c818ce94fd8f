/**
 * Builds the package, packs it, installs the tarball into an empty folder, and uses it there as a stranger would:
 * the binary runs a pipeline, every export can be imported, and a small program is compiled against the types.
 * Ends with the line `N passed, M failed`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'orchestrator-package-'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  exports: Record<string, string | Record<string, string>>;
};

const PIPELINE = `name: packed
tasks:
  - id: greet
    action: filesystem.write
    parameters: { path: greeting.txt, content: "hello from the package" }
`;
const PROGRAM = `import { Orchestrator } from '${manifest.name}';
const orchestrator: Orchestrator = await Orchestrator.open();
const result = await orchestrator.run('pipeline.yaml');
const success: boolean = result.success;
await orchestrator.close();
process.exitCode = success ? 0 : 1;
`;

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** The project's own tools and Node come first on the path, as under npm. */
function execute(program: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Outcome {
  const path = [dirname(process.execPath), join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, PATH: path, NO_COLOR: '1', ...env },
    encoding: 'utf8',
    timeout: 240_000,
  });
  return { code: status ?? 127, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` };
}

function must(outcome: Outcome): void {
  if (outcome.code !== 0) throw new Error(`exit code ${outcome.code}\n${outcome.output}`);
}

const folder = join(work, 'consumer');
const installed = join(folder, 'node_modules', ...manifest.name.split('/'));
const binary = join(folder, 'node_modules', '.bin', 'orchestrator');
let tarball = '';

const CHECKS: readonly [name: string, check: () => void][] = [
  ['builds dist/', () => must(execute('npm', ['run', '--silent', 'build'], root))],
  [
    'packs into one file',
    () => {
      const packed = execute('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', work], root);
      must(packed);
      tarball = join(work, packed.output.trim().split('\n').at(-1) ?? '');
      if (!existsSync(tarball)) throw new Error(`npm pack made no ${tarball}`);
    },
  ],
  [
    'carries no tests and no sources',
    () => {
      const listed = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
      const strange = listed.filter(path => /\.test\.|package\/(src|test|bench|scripts)\//.test(path));
      if (strange.length > 0) throw new Error(strange.join('\n'));
    },
  ],
  [
    'installs into an empty folder',
    () => {
      mkdirSync(folder);
      writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
      must(execute('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball], folder));
    },
  ],
  [
    'says its version',
    () => {
      const outcome = execute(binary, ['--version'], folder);
      must(outcome);
      if (!outcome.output.includes(manifest.version)) throw new Error(outcome.output);
    },
  ],
  [
    'runs a pipeline',
    () => {
      writeFileSync(join(folder, 'pipeline.yaml'), PIPELINE);
      const outcome = execute(binary, ['run', 'pipeline.yaml', '--json'], folder);
      must(outcome);
      if (readFileSync(join(folder, 'greeting.txt'), 'utf8').trim() !== 'hello from the package') throw new Error(outcome.output);
    },
  ],
  [
    'keeps the code that it compiled, adds to it, and survives a cache that is damaged',
    () => {
      const cache = join(work, 'cache');
      const env = { NODE_COMPILE_CACHE: cache };
      const kept = (): Map<string, Buffer> => {
        const files = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.code'));
        return new Map(files.map(path => [path, readFileSync(join(cache, path))]));
      };
      must(execute(binary, ['validate', 'pipeline.yaml'], folder, env));
      const validated = kept();
      if (![...validated.keys()].some(path => path.includes('compile-'))) throw new Error(`nothing is kept of the compiler: ${[...validated.keys()].join()}`);
      must(execute(binary, ['run', 'pipeline.yaml'], folder, env));
      const ran = kept();
      const grown = [...validated].filter(([path, before]) => ran.get(path)!.length > before.length);
      if (grown.length === 0) throw new Error('a run has added nothing to what a validation had called');
      for (const [path, whole] of ran) {
        whole.writeUInt8(whole.at(-100)! ^ 0xff, whole.length - 100);
        writeFileSync(join(cache, path), path.includes('start-') ? whole : whole.subarray(0, 20));
      }
      must(execute(binary, ['run', 'pipeline.yaml'], folder, env));
      for (const [path, whole] of kept()) if (ran.get(path)!.equals(whole)) throw new Error(`${path} is damaged still`);
    },
  ],
  [
    'says in one line which Node it needs where there is only an old one, and exits 4',
    () => {
      const old = join(work, 'old');
      mkdirSync(old);
      writeFileSync(join(old, 'node'), '#!/bin/sh\necho v20.20.2\n', { mode: 0o755 });
      for (const tool of ['readlink', 'mkdir']) symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), join(old, tool));
      const outcome = execute('/bin/sh', [binary, '--version'], folder, { PATH: old });
      if (outcome.code !== 4 || !/Node 24/.test(outcome.output) || outcome.output.trim().includes('\n'))
        throw new Error(`exit code ${outcome.code}\n${outcome.output}`);
    },
  ],
  [
    'has a file behind every export',
    () => {
      const targets = Object.values(manifest.exports).flatMap(target => (typeof target === 'string' ? [target] : Object.values(target)));
      const missing = targets.filter(target => !existsSync(join(installed, target)));
      if (missing.length > 0) throw new Error(`missing ${missing.join(', ')}`);
    },
  ],
  [
    'can be imported by every export',
    () => {
      const names = Object.keys(manifest.exports).filter(name => name !== './package.json');
      const imports = names.map(name => `await import('${manifest.name}${name.slice(1)}');`).join('\n');
      must(execute('node', ['--disallow-code-generation-from-strings', '--disable-proto=delete', '--input-type=module', '-e', imports], folder));
    },
  ],
  [
    'compiles and runs a program that uses its types',
    () => {
      writeFileSync(join(folder, 'program.ts'), PROGRAM);
      const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'];
      must(execute('tsc', ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', ...types, 'program.ts'], folder));
      must(execute('node', ['program.ts'], folder));
    },
  ],
];

let failed = 0;
for (const [name, check] of CHECKS) {
  try {
    check();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
rmSync(work, { recursive: true, force: true });
console.log(`${CHECKS.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
