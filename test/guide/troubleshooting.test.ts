/** The guide's snippets, in TypeScript, in the guide's order. Each test is named by the words of the guide that it follows. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  AutoTagError,
  AutoTagYAMLParser,
  BackendConnectionError,
  CircularDependencyError,
  createBackend,
  DependencyResolver,
  MissingDependencyError,
  Orchestrator,
  Pipeline,
  PipelineRecovery,
  SchemaValidator,
  ValidationError,
  type Task,
} from '../../src/index.ts';
import { startModelServer } from '../support/model-server.ts';
import { hasRedis, startRedis } from '../support/redis.ts';
import { makePlace, thrownBy } from './place.ts';

if (!hasRedis) console.warn('SKIPPED: the guide about Redis, because there is no redis-server (apt-get install redis-server)');

const RESEARCH = `pipeline:
  name: research_pipeline
  version: "1.0"
  tasks:
    - id: search
      action: echo
      parameters: { text: three results }
    - id: read
      action: echo
      parameters: { text: "read {{ search.result }}" }
    - id: report
      action: echo
      dependencies: [search, read]
      parameters: { text: done }
`;

describe('Pipeline Execution Issues', () => {
  test('"Pipeline fails to start": validator.validate_pipeline(pipeline_config)', async () => {
    const validator = new SchemaValidator();
    expect(() => validator.validatePipeline(RESEARCH)).not.toThrow();
    const error = await thrownBy(() => validator.validatePipeline({ pipeline: { name: 'broken', version: '1.0', tasks: [{ id: 'a', action: 'ekho' }] } }));
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as ValidationError).diagnostics).toMatchObject([{ code: 'ORC-210', severity: 'error' }]);
    expect(String(error)).toContain('ekho');
  });

  test('"Tasks fail with dependency errors": for task in pipeline.tasks, for dep in task.dependencies', async () => {
    const { write } = makePlace();
    const missingOf = ({ dependencies }: Task, pipeline: Pipeline): string[] => dependencies.filter(id => !pipeline.tasks.some(task => task.id === id));
    const pipeline = await Pipeline.load(write('research.yaml', RESEARCH));
    expect(pipeline.tasks.map(task => [task.id, ...task.dependencies])).toEqual([['search'], ['read', 'search'], ['report', 'search', 'read']]);
    expect(pipeline.tasks.flatMap(task => missingOf(task, pipeline))).toEqual([]);
    const file = write('missing.yaml', RESEARCH.replace('[search, read]', '[serch]'));
    const error = (await thrownBy(() => Pipeline.load(file))) as ValidationError;
    expect(error.diagnostics).toMatchObject([{ code: 'ORC-201', help: ['did you mean `search`?'] }]);
  });

  test('"AUTO tag resolution fails": parser.parse_yaml_with_auto_tags(yaml_content)', async () => {
    const parser = new AutoTagYAMLParser();
    const { value, tags } = parser.parseYamlWithAutoTags('parameters:\n  query: <AUTO>Search for: latest AI research</AUTO>\n');
    expect(value).toEqual({ parameters: { query: '<AUTO>Search for: latest AI research</AUTO>' } });
    expect(tags).toMatchObject([{ path: 'parameters.query', line: 2, column: 10 }]);
    // "Fix: Check for nested tags and special characters": both are fine.
    const nested = parser.parseYamlWithAutoTags('q: <AUTO>Say "yes": or # no, about <AUTO>a topic</AUTO></AUTO>\n');
    expect(nested.tags).toMatchObject([{ text: '<AUTO>Say "yes": or # no, about <AUTO>a topic</AUTO></AUTO>' }]);
  });
});

describe('Connection and Network Issues', () => {
  test('"Database connection failures": create_backend(…); await backend.connect()', async () => {
    const { folder, write } = makePlace();
    for (const backend of [createBackend('memory'), createBackend('sqlite', { url: `sqlite:${join(folder, 'own.db')}` })]) {
      await backend.connect();
      await backend.ping();
      await backend.close();
    }
    const file = write('notes.txt', 'this is no database, but a text of some length\n'.repeat(100));
    const error = await thrownBy(() => createBackend('sqlite', { url: file }).connect());
    expect(error).toBeInstanceOf(BackendConnectionError);
    expect((error as BackendConnectionError).fix).not.toBe('');
    expect(await thrownBy(() => createBackend('sqlite', { ur: file } as never))).toMatchObject({ code: 'ORC-518' });
  });
});

describe.skipIf(!hasRedis)('Connection and Network Issues: a Redis', () => {
  test('"Redis cache connection issues": r = redis.Redis(…); await r.ping()', async () => {
    const redis = await startRedis();
    onTestFinished(redis.close);
    const r = createBackend('redis', { url: `${redis.url}/0` });
    await r.connect();
    await r.ping();
    // "Fix: Check Redis server status"
    await redis.close();
    await expect.poll(() => thrownBy(() => r.ping())).toMatchObject({ kind: 'refused', fix: `start it: redis-server --port ${redis.port}` });
    await r.close();
    const error = await thrownBy(() => createBackend('redis', { url: redis.url }).connect());
    expect(error).toBeInstanceOf(BackendConnectionError);
    expect(error).toMatchObject({ kind: 'refused' });
  });

  test('replies come out of a Redis for every process that shares it, and a Redis that is gone costs no run', async () => {
    const [{ folder, write }, redis, server] = [makePlace(), await startRedis(), await startModelServer()];
    onTestFinished(async () => void (await Promise.all([redis.close(), server.close()])));
    write(
      '.config/orchestrator/config.yaml',
      `cache: { url: "${redis.url}" }\nmodels: { default: lab/small, providers: { lab: { type: openai-compatible, base_url: "${server.url}" } } }\n`,
    );
    write(
      'ask.yaml',
      'name: ask\ntasks:\n  - { id: a, action: generate_text, parameters: { prompt: hello, temperature: 0 } }\noutputs: { said: "{{ a.result }}" }\n',
    );
    const run = async (): Promise<unknown> => {
      await using orchestrator = await Orchestrator.open({ cwd: folder });
      return (await orchestrator.run('ask.yaml')).outputs;
    };
    server.reply('the first', 'the second');
    expect(await run()).toEqual({ said: 'the first' });
    await expect.poll(run).toEqual({ said: 'the first' });
    expect(server.requests).toHaveLength(1);
    await redis.close();
    expect(await run()).toEqual({ said: 'the second' });
  });
});

describe('Pipeline Debugging', () => {
  test('"Step-by-Step Execution": for task in pipeline.tasks: result = await task.execute()', async () => {
    const { write } = makePlace();
    const pipeline = await Pipeline.load(write('research.yaml', RESEARCH));
    const results: [string, unknown][] = [];
    for (const task of pipeline.tasks) {
      results.push([task.id, await task.execute()]);
      if (task.id === 'read') break; // "Continue? (y/n)": no
    }
    await pipeline.close();
    expect(results).toEqual([
      ['search', 'three results'],
      ['read', 'read three results'],
    ]);
    await using orchestrator = await Orchestrator.open();
    const runs = await orchestrator.runs();
    expect(runs).toHaveLength(1);
    const { status, tasks } = await orchestrator.show(runs[0]!.run);
    expect([status, tasks['read']?.status, tasks['report']?.status]).toEqual(['paused', 'completed', 'pending']);
  });

  test('a task that is executed first settles what it needs, once', async () => {
    const { write, folder } = makePlace();
    const log = join(folder, 'log.txt');
    const steps = `name: steps\ntasks:\n  - id: first\n    action: filesystem.append\n    parameters: { path: ${log}, content: x }\n  - id: second\n    action: echo\n    parameters: { text: "{{ first.size }}" }\n`;
    write('.config/orchestrator/config.yaml', `policy: { files: { roots: ["${folder}"] } }\n`);
    const pipeline = await Pipeline.load(write('steps.yaml', steps));
    expect(await pipeline.tasks[1]!.execute()).toBe('1');
    expect(await pipeline.tasks[0]!.execute()).toMatchObject({ size: 1 });
    await pipeline.close();
  });
});

describe('Common Error Patterns', () => {
  test('"Error: Missing required fields", and "Fix: Add required fields"', () => {
    const validator = new SchemaValidator();
    const [problem] = validator.check('pipeline:\n  name: "research_pipeline"\n  # Missing: tasks, version\n');
    expect(problem).toMatchObject({ code: 'ORC-102', severity: 'error' });
    expect(problem?.message).toMatch(/`version`.*`tasks`|`tasks`.*`version`/);
    const fixed = 'pipeline:\n  name: "research_pipeline"\n  version: "1.0"\n  tasks:\n    - id: "search"\n      action: "web_search"\n';
    expect(validator.check(fixed).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  test('"Error: Invalid AUTO tag syntax … Missing closing tag"', async () => {
    const parser = new AutoTagYAMLParser();
    // The guide's own example of a tag that is not closed is closed; its comment is one.
    const shown = 'parameters:\n  query: <AUTO>Search for: latest AI research</AUTO>  # Missing closing tag\n';
    expect(parser.parseYamlWithAutoTags(shown).tags).toHaveLength(1);
    const error = await thrownBy(() => parser.parseYamlWithAutoTags(shown.replace('</AUTO>', '')));
    expect(error).toBeInstanceOf(AutoTagError);
    expect(error).toMatchObject({ line: 2, column: 10, kind: 'unclosed', code: 'ORC-301' });
  });

  test('"Error: Task dependency cycle": print(f"Circular dependency detected: {e.cycle}")', async () => {
    const resolver = new DependencyResolver();
    const error = await thrownBy(() =>
      resolver.resolveDependencies([
        { id: 'plan', dependencies: ['review'] },
        { id: 'draft', dependencies: ['plan'] },
        { id: 'review', dependencies: ['draft'] },
      ]),
    );
    expect(error).toBeInstanceOf(CircularDependencyError);
    expect(`Circular dependency detected: ${(error as CircularDependencyError).cycle}`).toBe('Circular dependency detected: plan,review,draft,plan');
    expect(await thrownBy(() => resolver.resolveDependencies([{ id: 'a', dependencies: ['b'] }]))).toBeInstanceOf(MissingDependencyError);
    // "Fix: Remove circular dependencies": the tasks of a pipeline object are in order already.
    const { tasks } = await Pipeline.parse(RESEARCH);
    expect(resolver.resolveDependencies(tasks)).toEqual(['search', 'read', 'report']);
    expect(resolver.levels(tasks)).toEqual([['search'], ['read'], ['report']]);
  });
});

describe('Recovery Procedures', () => {
  test('"Recover failed pipeline": get_latest_checkpoint, restore_pipeline, resume_from_checkpoint', async () => {
    const { folder } = makePlace();
    const ready = join(folder, 'ready');
    const text = `name: mended\ntasks:\n  - id: first\n    action: echo\n    parameters: { text: "{{ now() }}" }\n  - id: second\n    action: assert\n    dependencies: [first]\n    parameters: { condition: file_exists('${ready}'), message: not ready }\n`;
    await using orchestrator = await Orchestrator.open();
    const failed = await orchestrator.run(await Pipeline.parse(text));
    expect(failed.status).toBe('failed');
    await orchestrator.close();
    writeFileSync(ready, '');

    const recovery = new PipelineRecovery();
    const checkpoint = await recovery.getLatestCheckpoint(failed.run);
    expect(checkpoint).toMatchObject({ run: failed.run, status: 'failed', completedTasks: ['first'], failedTasks: ['second'], pendingTasks: [] });
    const pipeline = await recovery.restorePipeline(checkpoint);
    // "Resume execution from last successful task"
    const result = await pipeline.resumeFromCheckpoint();
    expect(result).toMatchObject({ run: failed.run, status: 'completed', success: true });
    expect(result.tasks['first']?.output).toBe(failed.tasks['first']?.output);
    await recovery.close();
  });
});
