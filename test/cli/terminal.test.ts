/** The command line before somebody who sits at a terminal: a real one, as the system makes them. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ASKING, BROKEN, makeProject, steady, type Project } from './project.ts';
import { CTRL_C, CTRL_D, hasPseudoTerminals } from './pseudo-terminal.ts';

if (!hasPseudoTerminals) console.warn('SKIPPED: the command line at a terminal, because there is no /usr/bin/python3 (apt-get install python3)');

const TRUSTED = { ORCHESTRATOR_TRUST: '1' };
const WAIT = 'echo run >> FILE.log; while [ ! -e FILE ]; do sleep 0.02; done';

/** A run of `before`, twenty tasks that all wait until their file is there, and `after`. */
function makeWaiting(tasks = 20): Project & { release(name: string): void; runsOf(name: string): number } {
  const names = Array.from({ length: tasks }, (_, i) => `wait_${String(i + 1).padStart(2, '0')}`);
  const waiting = names.map(
    name => `  - { id: ${name}, action: shell.run, dependencies: [before], parameters: { command: "${WAIT.replaceAll('FILE', name)}" } }\n`,
  );
  const project = makeProject({
    'orchestrator.config.yaml': 'policy: { shell: allow }\n',
    'waiting.yaml': `name: waiting\nversion: "1.0"\ntasks:\n  - { id: before, action: echo, parameters: { text: first } }\n${waiting.join('')}  - { id: after, action: echo, dependencies: [${names.join(', ')}], parameters: { text: last } }\noutputs: { said: "{{ after.result }}" }\n`,
  });
  return {
    ...project,
    release: name => writeFileSync(join(project.folder, name), ''),
    runsOf: name => readFileSync(join(project.folder, `${name}.log`), 'utf8').split('\n').length - 1,
  };
}

/** Processes whose working folder this is. */
function programsIn(folder: string): string[] {
  const all = execFileSync('sh', ['-c', 'for p in /proc/[0-9]*; do echo "$(readlink $p/cwd) $p"; done 2>/dev/null'], { encoding: 'utf8' });
  return all.split('\n').filter(line => line.startsWith(`${folder} `));
}

const runOf = (text: string): string => /run_[0-9a-z]{16}/.exec(text)![0];

describe.skipIf(!hasPseudoTerminals)('at a terminal', { timeout: 60_000 }, () => {
  test('a run is a picture of at most 12 lines, drawn again in place; what stays is ordinary text', async () => {
    const { sit, release } = makeWaiting();
    const { screen, shows, ended, raw } = sit(['run', 'waiting.yaml'], TRUSTED);
    await shows('more under way');
    expect(screen.isCursorHidden).toBe(true);
    expect(screen.lines.filter(line => line.includes('shell.run')).length).toBeLessThan(12);
    expect(screen.text).toMatch(/^ {2}✓ before/m);
    expect(screen.text).toMatch(/1\/22 · 0:0\d/);
    for (let i = 1; i <= 20; i++) release(`wait_${String(i).padStart(2, '0')}`);
    expect(await ended).toBe(0);
    expect(screen.highestRegion).toBeLessThanOrEqual(12);
    expect(screen.isCursorHidden).toBe(false);
    // Nothing of the picture is left, and each task that ended stands there once.
    expect(screen.text).not.toContain('under way');
    expect(screen.lines.filter(line => /^ {2}✓ wait_\d\d/.test(line))).toHaveLength(20);
    expect(steady(screen.text)).toMatch(/^✓ waiting completed after N s {2}RUN$/m);
    expect(screen.lines).toContain('last');
    // No alternate screen, and no line is wider than the terminal.
    expect(raw()).not.toContain('\u001b[?1049h');
    expect(screen.lines.every(line => line.length <= 80)).toBe(true);
  });

  test('an approval is asked for, answered by its number, and the run goes on', async () => {
    const { sit } = makeProject({ 'asking.yaml': ASKING });
    const { screen, shows, type, ended } = sit(['run', 'asking.yaml']);
    await shows('choose 1–2');
    expect(screen.text).toMatch(/review asks:\n {2}Publish\?\n {4}1 {2}publish\n {4}2 {2}drop\n/);
    expect(screen.isCursorHidden).toBe(false);
    type('7\r');
    await shows(/choose 1–2[^\n]*7\n[^\n]*choose 1–2/);
    type('2\r');
    expect(await ended).toBe(0);
    expect(screen.lines).toContain('drop');
  });

  test('an approval that is put off by Ctrl-D, or by Ctrl-C, stays open: exit 5, and the command that answers it', async () => {
    for (const key of [CTRL_D, CTRL_C]) {
      const { sit, call } = makeProject({ 'asking.yaml': ASKING });
      const { screen, shows, type, ended } = sit(['run', 'asking.yaml']);
      await shows('choose 1–2');
      type(key);
      expect(await ended).toBe(5);
      const command = /^ {2}next: orchestrator (approve run_\w+ 'review' --choice publish)$/m.exec(screen.text)?.[1];
      expect(command).toBeDefined();
      expect(screen.text).toMatch(/^‖ asking waits for an approval/m);
      expect((await call(command!.replaceAll("'", '').split(' '))).code).toBe(0);
      expect(await call(['resume', runOf(screen.text)])).toMatchObject({ code: 0, out: 'publish\n' });
    }
  });

  test('Ctrl-C lets what runs finish, starts nothing new, exits 130 and prints the command that goes on', async () => {
    const { sit, release, call, runsOf } = makeWaiting(1);
    const { screen, shows, type, ended } = sit(['run', 'waiting.yaml'], TRUSTED);
    await shows(/◐ wait_01/);
    type(CTRL_C);
    await shows('stopping: nothing new is started; 1 running task finishes');
    release('wait_01');
    expect(await ended).toBe(130);
    expect(screen.isCursorHidden).toBe(false);
    expect(screen.text).toMatch(/✓ wait_01/);
    expect(screen.text).not.toMatch(/✓ after/);
    const run = runOf(screen.text);
    expect(screen.text).toContain(`orchestrator resume ${run}`);
    expect(await call(['resume', run], { env: TRUSTED })).toMatchObject({ code: 0, out: 'last\n' });
    expect(runsOf('wait_01')).toBe(1);
  });

  test('Ctrl-C twice stops at once, exits 130 and prints the command that goes on', async () => {
    const { sit, release, call, folder } = makeWaiting(1);
    const { screen, shows, type, ended } = sit(['run', 'waiting.yaml'], TRUSTED);
    await shows(/◐ wait_01/);
    type(CTRL_C);
    await shows('stopping: nothing new is started; 1 running task finishes');
    type(CTRL_C);
    expect(await ended).toBe(130);
    expect(screen.isCursorHidden).toBe(false);
    const run = runOf(screen.text);
    expect(screen.text).toContain(`Go on with it: orchestrator resume ${run}`);
    // The picture is gone, and so is the program that was running.
    expect(screen.text).not.toContain('◐');
    await expect.poll(() => programsIn(folder)).toEqual([]);
    // What was cut off may have done its work or not: a person says which.
    release('wait_01');
    expect((await call(['resume', run], { env: TRUSTED })).code).toBe(5);
    expect((await call(['settle', run, 'wait_01', '--as', 'retry'], { env: TRUSTED })).code).toBe(0);
    expect(await call(['resume', run], { env: TRUSTED })).toMatchObject({ code: 0, out: 'last\n' });
  });

  test('a terminal that is closed takes the programs of the run along, and what they were doing is in doubt', async () => {
    const { sit, call, folder } = makeWaiting(1);
    const { screen, shows, close } = sit(['run', 'waiting.yaml'], TRUSTED);
    await shows(/◐ wait_01/);
    close();
    await expect.poll(() => programsIn(folder), { timeout: 10_000 }).toEqual([]);
    const run = runOf(screen.text);
    expect((await call(['resume', run], { env: TRUSTED })).code).toBe(5);
    expect(JSON.parse((await call(['show', run, '--json'])).out)).toMatchObject({ status: 'waiting', reason: 'needs_attention' });
  });

  test('a failure is told below what was done', async () => {
    const { sit } = makeProject({ 'broken.yaml': BROKEN });
    const { screen, ended } = sit(['run', 'broken.yaml']);
    expect(await ended).toBe(1);
    expect(screen.text).toMatch(/✓ first[\s\S]*✕ boom[\s\S]*the press is broken/);
    expect(screen.isCursorHidden).toBe(false);
  });
});
