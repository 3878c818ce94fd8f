/**
 * The one command behind `npm test`: every check of the project, in order, each named with the command that it runs.
 * A failing step does not stop the others; the last line sums up all of them.
 *
 *   npm test                            everything
 *   npm test -- --only types,unit       some steps
 *   npm test -- --list                  the steps and their commands
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';

/** Steps of one stage run `lanes` at a time; the next stage begins when all have ended. */
interface Stage {
  readonly lanes: number;
  readonly steps: readonly Step[];
}

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** A file that the step cannot do without. */
  readonly needs?: string;
  /** The step is left out, loudly, where this does not exist: it lies outside the repository. */
  readonly onlyWith?: string;
  /** Prepares the machine and checks nothing: only its failure counts. */
  readonly prepares?: boolean;
  readonly limitMinutes?: number;
}

interface Count {
  readonly passed: number;
  readonly failed: number;
}

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'orchestrator-test-'));
const conformance = join(root, '..', 'shared', 'conformance', 'run.mjs');
const started = performance.now();

/** Tests that take long and cover no line that others do not. */
const SLOW = ['test/crash/planted.test.ts', 'test/fuzz/planted.test.ts', 'test/models/small-model.test.ts'];

const STAGES: readonly Stage[] = [
  { lanes: 1, steps: [{ name: 'machine', command: ['sh', 'scripts/setup-debian.sh'], prepares: true }] },
  {
    lanes: 2,
    steps: [
      { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
      { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
      { name: 'format', command: ['oxfmt', '--check'] },
      { name: 'dead', command: ['knip', '--no-progress'] },
    ],
  },
  {
    lanes: 2,
    steps: [
      vitest('unit', ['--coverage', ...SLOW.map(file => `--exclude=${file}`)]),
      { name: 'conformance', command: ['node', conformance, '--cli', join(root, 'bin', 'orchestrator')], onlyWith: conformance },
      script('simulation', 'test/simulation/run.ts', ['--seeds', '20000']),
      script('crash', 'test/crash/run.ts', ['--kills', '300']),
      script('crash-models', 'test/crash/run.ts', ['--models', '--kills', '50']),
      script('fuzz', 'test/fuzz/run.ts', ['--inputs', '20000']),
      vitest('slow', SLOW),
      script('examples', 'test/examples/run.ts'),
      script('package', 'test/package.ts'),
    ],
  },
];

function vitest(name: string, args: readonly string[]): Step {
  return { name, command: ['vitest', 'run', ...args, '--reporter=default', '--reporter=json', `--outputFile.json=${reportOf(name)}`], limitMinutes: 14 };
}

/** Where a step of vitest leaves its counts. */
function reportOf(name: string): string {
  return join(scratch, `${name}.json`);
}

function script(name: string, file: string, args: readonly string[] = []): Step {
  return { name, command: ['node', file, ...args], needs: file };
}

/** Runs a command to its end, or ends it and all that it started when its time is over. */
async function execute(step: Step): Promise<{ code: number; output: string }> {
  const [program = '', ...args] = step.command;
  const path = [join(root, 'node_modules', '.bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);
  const env = { ...process.env, PATH: path, CI: 'true', NO_COLOR: '1' };
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const limit = setTimeout(
    () => {
      output += `\nstopped after ${step.limitMinutes ?? 10} minutes\n`;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    },
    (step.limitMinutes ?? 10) * 60_000,
  );
  const code = await new Promise<number>(resolve => {
    child.on('error', error => {
      output += error.message;
      resolve(127);
    });
    child.on('close', (exit, signal) => resolve(signal === null ? (exit ?? 1) : 1));
  });
  clearTimeout(limit);
  return { code, output: stripVTControlCharacters(output) };
}

/** What a step counted itself; a step that counts nothing is one check. An exit code that the count does not explain is one more failure. */
function count(step: Step, code: number, output: string): Count {
  const own = existsSync(reportOf(step.name)) ? countOfVitest(reportOf(step.name)) : countOfLastLine(output);
  if (own === undefined) return code === 0 ? { passed: step.prepares === true ? 0 : 1, failed: 0 } : { passed: 0, failed: 1 };
  return code !== 0 && own.failed === 0 ? { ...own, failed: 1 } : own;
}

function countOfLastLine(output: string): Count | undefined {
  const found = /^(\d+) passed, (\d+) failed$/.exec(output.trimEnd().split('\n').at(-1) ?? '');
  return found === null ? undefined : { passed: Number(found[1]), failed: Number(found[2]) };
}

/** A file that could not be loaded holds no failed test, and fails all the same. */
function countOfVitest(report: string): Count {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
    testResults: { status: string; assertionResults: { status: string }[] }[];
  };
  const unloaded = testResults.filter(file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'));
  return { passed: numPassedTests, failed: numFailedTests + unloaded.length };
}

async function runStep(step: Step): Promise<Count> {
  if (step.onlyWith !== undefined && !existsSync(step.onlyWith)) {
    console.log(`- ${step.name}: LEFT OUT, ${step.onlyWith} does not exist`);
    return { passed: 0, failed: 0 };
  }
  if (step.needs !== undefined && !existsSync(join(root, step.needs))) {
    console.log(`✗ ${step.name}: ${step.needs} does not exist`);
    return { passed: 0, failed: 1 };
  }
  console.log(`▶ ${step.name}: ${step.command.join(' ')}`);
  const begun = performance.now();
  const { code, output } = await execute(step);
  const result = count(step, code, output);
  const verdict = result.failed === 0 ? '✓' : '✗';
  if (result.failed > 0) console.log(output.trimEnd());
  console.log(`${verdict} ${step.name}: ${result.passed} passed, ${result.failed} failed (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  return result;
}

async function runStage(stage: Stage, chosen: ReadonlySet<string> | undefined): Promise<Count[]> {
  const waiting = stage.steps.filter(step => chosen === undefined || chosen.has(step.name));
  const results: Count[] = [];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) results.push(await runStep(step));
  };
  await Promise.all(Array.from({ length: stage.lanes }, lane));
  return results;
}

const { values } = parseArgs({ options: { only: { type: 'string' }, list: { type: 'boolean', default: false } } });
const steps = STAGES.flatMap(stage => stage.steps);
const chosen = values.only === undefined ? undefined : new Set(values.only.split(','));
const unknown = [...(chosen ?? [])].filter(name => !steps.some(step => step.name === name));
if (unknown.length > 0) {
  console.error(`there is no step ${unknown.join(', ')}; the steps are ${steps.map(step => step.name).join(', ')}`);
  process.exitCode = 2;
} else if (values.list) {
  for (const step of steps) console.log(`${step.name.padEnd(12)} ${step.command.join(' ')}`);
} else {
  const results: Count[] = [];
  for (const stage of STAGES) results.push(...(await runStage(stage, chosen)));
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);
  console.log(`${results.reduce((sum, result) => sum + result.passed, 0)} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
rmSync(scratch, { recursive: true, force: true });
