/** Every snippet of the README and the guides is executed; every path and link in them, and in ARCHITECTURE.md, leads somewhere. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Orchestrator, SchemaValidator } from '../../src/index.ts';
import { ROOMS } from '../architecture/rooms.ts';
import { blocksOf, commandsOf, DOCUMENTS, fileOf, readDocument, ROOT, steady, type Block } from './documents.ts';
import { makePlace } from './place.ts';

const LANGUAGES = ['yaml', 'console', 'ts', 'sh'];
const NODE = ['--disallow-code-generation-from-strings', '--disable-proto=delete'];

/** A task list as a pipeline. */
function pipelineOf(text: string): string {
  if (!text.startsWith('- ')) return text;
  return `name: snippet\nversion: "1.0"\ntasks:\n${text.replaceAll(/^(?=.)/gm, '  ')}`;
}

function execute(line: string, folder: string): Promise<string> {
  const path = [join(ROOT, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);
  const child = spawn('sh', ['-c', line], { cwd: folder, env: { PATH: path, HOME: join(folder, 'home'), NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise(done => child.on('close', () => done(output)));
}

/** A folder with examples/ and the files that a document shows. */
function makeFolder(blocks: readonly Block[]): string {
  const { folder, write } = makePlace();
  mkdirSync(join(folder, 'home'));
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  for (const block of blocks.filter(({ language }) => language === 'yaml')) {
    const file = fileOf(block);
    if (file !== undefined) write(file.name, block.text);
  }
  return folder;
}

describe.each(DOCUMENTS)('%s', document => {
  const blocks = blocksOf(document);
  const of = (language: string): Block[] => blocks.filter(block => block.language === language);

  test('shows nothing that is not executed', () => {
    expect(blocks.filter(({ language }) => !LANGUAGES.includes(language)).map(({ line }) => line)).toEqual([]);
    expect(
      of('sh')
        .flatMap(({ text }) => text.split('\n'))
        .filter(line => !/^($|npm ci && (npm test|npx orchestrator demo)$)/.test(line)),
    ).toEqual([]);
  });

  test('its pipelines are valid, and those with mistakes are not', async () => {
    for (const block of of('yaml')) {
      const file = fileOf(block);
      if (file?.name === 'orchestrator.config.yaml') {
        const { write } = makePlace();
        const orchestrator = await Orchestrator.open({ state: 'memory:', configFile: write('config.yaml', block.text) });
        await orchestrator.close();
        continue;
      }
      const problems = new SchemaValidator().check(pipelineOf(block.text)).map(({ code, message }) => `line ${block.line}: ${code} ${message}`);
      if (file?.isBroken === true) expect(problems).not.toEqual([]);
      else expect(problems).toEqual([]);
    }
  });

  test('its commands print what it shows', { timeout: 120_000 }, async () => {
    const folder = makeFolder(blocks);
    for (const { line, shown } of of('console').flatMap(commandsOf)) {
      const printed = await execute(line, folder);
      const lines = new Set(printed.split('\n').map(steady));
      expect(
        shown.map(steady).filter(row => !lines.has(row)),
        `$ ${line}\n${printed}`,
      ).toEqual([]);
    }
  });

  test('its programs compile and run', { timeout: 120_000 }, async () => {
    if (of('ts').length === 0) return;
    const folder = makeFolder(blocks);
    const programs = of('ts').map(({ text, line }) => ({ text, name: `line-${line}.ts` }));
    for (const { name, text } of programs)
      writeFileSync(join(folder, name), text.replaceAll("'@orchestrator/orchestrator'", `'${join(ROOT, 'src/index.ts')}'`));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const compilerOptions = { typeRoots: [join(ROOT, 'node_modules/@types')] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }));
    // What may be wrong with the sources themselves is for the step `types` to tell.
    const problems = await execute(`${join(ROOT, 'node_modules/.bin/tsc')} -p .`, folder);
    expect(problems.split('\n').filter(line => line.startsWith('line-'))).toEqual([]);
    for (const { name, text } of programs) {
      const printed = await execute(`node ${NODE.join(' ')} ${name} || echo failed`, folder);
      const shown = [...text.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map(match => match[1]!);
      expect(printed).not.toMatch(/^failed$/m);
      expect(printed.trimEnd().split('\n'), name).toEqual(expect.arrayContaining(shown));
      expect(shown, name).not.toEqual([]);
    }
  });
});

describe('documents', () => {
  test.each([...DOCUMENTS, 'ARCHITECTURE.md', 'CONTRIBUTING.md'])('the links of %s lead somewhere', document => {
    const targets = [...readDocument(document).matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(match => match[1]!);
    expect(targets.filter(target => !existsSync(resolve(ROOT, dirname(document), target)))).toEqual([]);
  });

  test('the files that ARCHITECTURE.md names exist', () => {
    const named = [...readDocument('ARCHITECTURE.md').matchAll(/`((?:src|test|docs)\/[\w./-]+)`/g)].map(match => match[1]!);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(path => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('the rooms of ARCHITECTURE.md are the rooms that there are, in their order', () => {
    const [, table = ''] = readDocument('ARCHITECTURE.md').split('| room | what is in it |\n|---|---|\n');
    const told = [...table.matchAll(/^\| (\w+) \|/gm)].map(match => match[1]);
    const there = ROOMS.map(({ name }) => name).filter(name => ['leaves', 'door'].includes(name) || existsSync(join(ROOT, 'src', name)));
    expect(told).toEqual(there);
  });

  test('README shows a pipeline by line 20', () => {
    const lines = readDocument('README.md').split('\n');
    expect(lines.findIndex(line => line.startsWith('  tasks:'))).toBeGreaterThan(0);
    expect(lines.findIndex(line => line.startsWith('  tasks:'))).toBeLessThan(20);
  });
});
