/**
 * Mistakes at the command line, and what is not as it should be around it, each with the very text that people are shown and the exit code. As for the files
 * beside this one: `UPDATE=1 vitest run test/gallery` writes the texts anew, and the difference is what users will see.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ASKING, BROKEN, HELLO, makeProject, steady } from '../cli/project.ts';

const folder = join(import.meta.dirname, 'commands');

interface Case {
  files?: Record<string, string>;
  /** Commands before the one that is looked at. */
  before?: string[][];
  command: string[];
}

const MODEL = 'name: ask\nversion: "1"\ntasks:\n  - { id: a, action: generate_text, model: lab/smal, parameters: { prompt: hello } }\n';
const LAB = 'models: { providers: { lab: { type: openai-compatible, base_url: "http://127.0.0.1:64999/v1" } }, catalog: [{ id: lab/small }] }\n';

const CASES: Record<string, Case> = {
  'unknown-command': { command: ['rnu', 'hello.yaml'] },
  'unknown-option': { command: ['run', 'hello.yaml', '--inptus', 'x.json'] },
  'missing-argument': { command: ['run'] },
  'missing-file': { command: ['run', 'helo.yaml'] },
  'input-that-is-no-pair': { command: ['run', 'hello.yaml', '-i', 'name'] },
  'input-of-another-type': { command: ['run', 'hello.yaml', '-i', 'times=many'] },
  'input-outside-its-bounds': { command: ['run', 'hello.yaml', '-i', 'times=7'] },
  'unknown-input': { command: ['run', 'hello.yaml', '-i', 'nmae=Ada'] },
  'inputs-that-are-no-json': { files: { 'inputs.json': '{ name: Ada }' }, command: ['run', 'hello.yaml', '--inputs', 'inputs.json'] },
  'unknown-run': { command: ['show', 'run_nope'] },
  'no-runs-yet': { command: ['show', 'last'] },
  'ambiguous-run': {
    before: [
      ['run', 'hello.yaml'],
      ['run', 'hello.yaml'],
    ],
    command: ['show', 'run_'],
  },
  'approve-what-nobody-asks': { before: [['run', 'hello.yaml']], command: ['approve', 'last', 'greet'] },
  'choice-that-is-none': { files: { 'asking.yaml': ASKING }, before: [['run', 'asking.yaml']], command: ['approve', 'last', 'review', '--choice', 'burn'] },
  'failed-task': { files: { 'broken.yaml': BROKEN }, command: ['run', 'broken.yaml'] },
  'unknown-code': { command: ['explain', 'ORC-999'] },
  'unknown-action': { command: ['actions', 'filesystem.raed'] },
  'unknown-environment': { command: ['runs', '--env', 'nowhere'] },
  'store-of-no-kind': { files: { 'mine.yaml': 'state: { url: "postgres://me@db/x" }\n' }, command: ['runs', '--config', 'mine.yaml'] },
  'port-of-another-service': {
    files: { 'ask.yaml': MODEL.replace('smal,', 'small, retry: { max_attempts: 1 },'), 'orchestrator.config.yaml': LAB.replace('64999', '6000') },
    command: ['run', 'ask.yaml'],
  },
  'unknown-key-of-the-configuration': { files: { 'orchestrator.config.yaml': 'modles: {}\npolicy: { shel: allow }\n' }, command: ['run', 'hello.yaml'] },
  'configuration-that-nobody-trusts': { files: { 'orchestrator.config.yaml': 'policy: { shell: allow }\n' }, command: ['run', 'hello.yaml'] },
  'no-model': { files: { 'ask.yaml': MODEL.replace(' model: lab/smal,', '') }, command: ['run', 'ask.yaml'] },
  'unknown-provider': { files: { 'ask.yaml': MODEL.replace('lab/smal', 'lap/small'), 'orchestrator.config.yaml': LAB }, command: ['run', 'ask.yaml'] },
  'model-that-is-not-reached': {
    files: { 'ask.yaml': MODEL.replace('smal,', 'small, retry: { max_attempts: 1 },'), 'orchestrator.config.yaml': LAB },
    command: ['run', 'ask.yaml'],
  },
};

test.each(Object.entries(CASES))('%s', { timeout: 60_000 }, async (name, { files = {}, before = [], command }) => {
  const { call, folder: project } = makeProject({ 'hello.yaml': HELLO, ...files });
  for (const one of before) await call(one);
  const { code, out, err } = await call(command);
  if (code !== 0) expect(out).toBe('');
  const shown = `$ orchestrator ${command.join(' ')}\n${steady(err)
    .replaceAll(project, 'FOLDER')
    .replaceAll(/run_[0-9a-z]{8,}/g, 'RUN')}exit ${code}\n`;
  const path = join(folder, `${name}.txt`);
  if (process.env['UPDATE'] === '1') {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, shown);
  }
  expect(shown).toBe(existsSync(path) ? readFileSync(path, 'utf8') : undefined);
});
