import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ConfigError, DEFAULTS, loadConfig, readConfigFile, revokeTrust, trustFile, trustRecordFile, userFolder, type LoadedConfig } from './index.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A home, and a project below it whose files are given. */
function setup(files: { [path: string]: string }, env: { [name: string]: string } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'config-'));
  folders.push(root);
  const surroundings: { [name: string]: string } = { HOME: join(root, 'home'), ...env };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, 'project/deep/er'), { recursive: true });
  const load = (more: Partial<Parameters<typeof loadConfig>[0]> = {}): LoadedConfig => loadConfig({ cwd: join(root, 'project'), env: surroundings, ...more });
  const record = trustRecordFile(userFolder(surroundings));
  return { root, env: surroundings, load, record };
}

const problems = (text: string): string[] => {
  const { root } = setup({ 'project/orchestrator.config.yaml': text });
  try {
    readConfigFile(join(root, 'project/orchestrator.config.yaml'), root);
  } catch (error) {
    if (error instanceof ConfigError) return error.diagnostics.map(({ message, span, source }) => `${source.text.slice(span.start, span.end)}: ${message}`);
    throw error;
  }
  return [];
};

describe('finding and laying over', () => {
  test('without any file there are only the defaults', () => {
    const { load, root } = setup({});
    const { config, files, stateUrl, warnings } = load();
    expect(config).toEqual(DEFAULTS);
    expect([files, warnings]).toEqual([[], []]);
    expect(stateUrl).toBe(`sqlite:${join(root, 'project/.orchestrator/state.db')}`);
  });

  test('a project file is found upwards, and its paths begin at its folder', () => {
    const { load, root } = setup({ 'project/orchestrator.config.yaml': 'state: { url: "sqlite:here.db" }\n' });
    const loaded = load({ cwd: join(root, 'project/deep/er') });
    expect(loaded.stateUrl).toBe(`sqlite:${join(root, 'project/here.db')}`);
    expect(loaded.folder).toBe(join(root, 'project'));
  });

  test('the project lies over the user, maps member by member', () => {
    const { load } = setup({
      'home/.config/orchestrator/config.yaml': 'models: { default: a/one, fallback: [a/two] }\nlogging: { level: debug }\n',
      'project/orchestrator.config.yaml': 'models: { fallback: [b/three] }\n',
    });
    expect(load().config.models).toMatchObject({ default: 'a/one', fallback: ['b/three'] });
    expect(load().config.logging).toMatchObject({ level: 'debug', format: 'json' });
  });

  test('a file that is empty, or has empty keys, changes nothing', () => {
    expect(setup({ 'project/orchestrator.config.yaml': '# nothing\nmodels:\n' }).load().config).toEqual(DEFAULTS);
  });

  test('a variant lies over the rest of its file, chosen by option, then by variable', () => {
    const { load, env } = setup({
      'project/orchestrator.config.yaml': 'limits: { tasks: 1 }\nenvironments: { big: { limits: { tasks: 2 } }, huge: { limits: { tasks: 3 } } }\n',
    });
    expect(load().config.limits).toEqual({ file_mib: 16, tasks: 1 });
    env['ORCHESTRATOR_ENV'] = 'big';
    expect(load().config.limits.tasks).toBe(2);
    expect(load({ environment: 'huge' }).config.limits.tasks).toBe(3);
    expect(() => load({ environment: 'hugh' })).toThrow(expect.objectContaining({ code: 'ORC-119', help: ['did you mean `huge`?'] }));
  });

  test('ORCHESTRATOR_STATE_URL wins over the file, an option over both', () => {
    const { load, env } = setup({ 'project/orchestrator.config.yaml': 'state: { url: "sqlite:a.db" }\n' });
    env['ORCHESTRATOR_STATE_URL'] = 'memory:';
    expect(load().stateUrl).toBe('memory:');
    expect(load({ state: 'postgres://x/y' }).stateUrl).toBe('postgres://x/y');
  });

  test('a file that was asked for and is not there is ORC-517', () => {
    expect(() => setup({}).load({ configFile: 'none.yaml' })).toThrow(expect.objectContaining({ code: 'ORC-517' }));
  });
});

describe('checking', () => {
  test.each<[string, string, string[]]>([
    ['an unknown key', 'modles: {}', ['modles: the configuration has no key `modles`']],
    ['an unknown key inside', 'models: { defualt: x }', ['defualt: the configuration has no key `models.defualt`']],
    ['an unknown key of a variant', 'environments: { a: { modles: {} } }', ['modles: the configuration has no key `environments.a.modles`']],
    [
      'an unknown key of a provider',
      'models: { providers: { lab: { type: openai-compatible, base_ulr: x } } }',
      ['base_ulr: the configuration has no key `models.providers.lab.base_ulr`'],
    ],
    ['a part of a provider, whose rest another file gives', 'environments: { a: { models: { providers: { lab: { api_key: k } } } } }', []],
    ['a wrong type', 'limits: { tasks: "5" }', ['"5": `limits.tasks` must be an integer of at least 1']],
    ['a map that is none', 'state: sqlite:x.db', ['sqlite:x.db: `state` must be a map of keys']],
    ['a time that is none', 'retention: { runs: forever }', ['forever: `retention.runs` must be a time such as 90, 90s, 2m, 1h30m or 30d']],
    ['a bad choice', 'policy: { code: yes }', ['yes: `policy.code` must be one of: allow, deny']],
    ['a list', '- a', ['-: a configuration is a map of keys, and this file holds something else']],
    ['an alias', 'secrets: { A: &a "x", B: *a }', ['*a: aliases are not part of the configuration']],
    ['several at once', 'a: 1\nb: 2', ['a: the configuration has no key `a`', 'b: the configuration has no key `b`']],
  ])('%s', (_, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  test('a duplicate key and a tab are told with their place', () => {
    expect(problems('a: 1\na: 2')[0]).toContain('a');
    expect(problems('a:\n\tb: 1')[0]).toContain('a tab indents this line; YAML takes only spaces');
    expect(problems('policy: [\n')[0]).toContain('a list that begins with [ before this is never closed');
  });

  test('a provider of which no file says the type is told where it stands; its name may say it, and so may another file', () => {
    const told = (files: { [path: string]: string }, more = {}): string[] => {
      try {
        setup(files).load(more);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        return error.diagnostics.map(({ source, span, message }) => `${source.file} ${source.text.slice(span.start, span.end)}: ${message}`);
      }
      return [];
    };
    const lab = 'models: { providers: { lab: { timeout: 5 } } }\n';
    expect(told({ 'project/orchestrator.config.yaml': lab })).toEqual(['orchestrator.config.yaml lab: the provider `lab` does not say of which type it is']);
    expect(told({ 'project/orchestrator.config.yaml': `environments: { v: { ${lab.trim()} } }\n` }, { environment: 'v' })).toHaveLength(1);
    expect(told({ 'project/orchestrator.config.yaml': lab.replace('lab:', 'openai:') })).toEqual([]);
    expect(told({ 'project/orchestrator.config.yaml': lab, 'home/.config/orchestrator/config.yaml': lab.replace('timeout: 5', 'type: ollama') })).toEqual([]);
  });

  test('the file of the contract is accepted as it stands', () => {
    expect(problems(EXAMPLE)).toEqual([]);
  });
});

describe('references', () => {
  test('C11 a reference is looked up when it is asked for, not before', () => {
    const { load, root, env } = setup({
      'project/orchestrator.config.yaml': 'secrets: { A: "${env:TOKEN}", B: "${file:token.txt}", C: "x-${cmd:printf hidden-thing}" }\n',
      'project/token.txt': 'from-a-file\n',
    });
    const { secret } = load({ configFile: join(root, 'project/orchestrator.config.yaml') });
    expect(() => secret('A')).toThrow(expect.objectContaining({ code: 'ORC-119', help: ['export TOKEN=…'] }));
    env['TOKEN'] = 'from-a-variable';
    expect(['A', 'B', 'C', 'D', 'toString'].map(secret)).toEqual(['from-a-variable', 'from-a-file', 'x-hidden-thing', undefined, undefined]);
  });

  test.each([
    ['${file:none.txt}', 'the file none.txt'],
    ['${cmd:exit 3}', 'exit code 3'],
  ])('%s that stands for nothing says so', (reference, words) => {
    const { load, root } = setup({ 'project/orchestrator.config.yaml': `secrets: { A: "${reference}" }\n` });
    const { secret } = load({ configFile: join(root, 'project/orchestrator.config.yaml') });
    expect(() => secret('A')).toThrow(expect.objectContaining({ code: 'ORC-119', message: expect.stringContaining(words) as string }));
  });
});

describe('who may grant power', () => {
  const CASES: [string, string, string][] = [
    ['shell', 'policy: { shell: allow }', 'policy.shell'],
    ['a list of programs', 'policy: { shell: [git] }', 'policy.shell'],
    ['code', 'policy: { code: allow }', 'policy.code'],
    ['private addresses', 'policy: { network: { private: allow } }', 'policy.network.private'],
    ['a root outside', 'policy: { files: { roots: [".", "../x"] } }', 'policy.files.roots'],
    ['a command', 'secrets: { A: "${cmd:id}" }', 'secrets.A'],
    ['a command in a list', 'models: { fallback: ["a/b", "${cmd:id}"] }', 'models.fallback.1'],
    ['an MCP command', 'mcp: { servers: { s: { command: [sh] } } }', 'mcp.servers.s'],
    ['own actions', 'actions: [./a.mjs]', 'actions'],
    ['a store outside', 'state: { url: "sqlite:../../x.db" }', 'state.url'],
    ['a store elsewhere', 'state: { url: "postgres://evil/x" }', 'state.url'],
    ['a store that a variable names', 'state: { url: "sqlite:${env:X}" }', 'state.url'],
    ['backups outside', 'backup: { dir: /tmp/x }', 'backup.dir'],
    [
      'a key for an address',
      'models: { providers: { lab: { type: openai-compatible, base_url: "http://evil", api_key: "${env:KEY}" } } }',
      'models.providers.lab',
    ],
    ['a key that a provider finds by itself', 'models: { providers: { openai: { base_url: "http://evil" } } }', 'models.providers.openai'],
    ['a resource that a key goes to', 'models: { providers: { azure: { resource_name: evil } } }', 'models.providers.azure'],
    ['a region that a key goes to', 'models: { providers: { mine: { type: bedrock, region: "evil.net/" } } }', 'models.providers.mine'],
    ['a file outside', 'secrets: { A: "${file:../../id_rsa}" }', 'secrets.A'],
    ['a source of downloads', 'models: { hub: "http://evil" }', 'models.hub'],
    ['going over to what costs more', 'models: { fallback: { models: [a/b], may_cost_more: true } }', 'models.fallback.may_cost_more'],
    ['the price of a service', 'models: { catalog: [{ id: openai/x, cost: { input_per_million: 0, output_per_million: 0 } }] }', 'models.catalog.0.cost'],
    ['a chosen variant', 'environments: { v: { policy: { code: allow } } }', 'environments.v.policy.code'],
  ];

  test.each(CASES)('C1 %s in a file that merely lies in the folder is left out, and the message names line and command', (_, text, path) => {
    const { load } = setup({ 'project/orchestrator.config.yaml': `# first\n${text}\n` });
    const { config, warnings } = load(text.includes('environments') ? { environment: 'v' } : {});
    expect(warnings.map(warning => [warning.code, warning.path, warning.help])).toEqual([
      ['ORC-510', path, ['read the file, then: orchestrator trust orchestrator.config.yaml']],
    ]);
    expect(warnings[0]!.span.start).toBeGreaterThan(7);
    expect(config).toMatchObject({ policy: DEFAULTS.policy, state: DEFAULTS.state, backup: DEFAULTS.backup, actions: [], secrets: {}, mcp: { servers: {} } });
    expect(config.models.providers).toEqual({});
    expect(JSON.stringify(config)).not.toMatch(/evil|\$\{cmd:|may_cost_more|"cost"/);
  });

  test('C1 what grants power only together with the variant that is chosen is left out too', () => {
    const { load } = setup({
      'project/orchestrator.config.yaml':
        'models: { providers: { lab: { type: openai-compatible, base_url: "http://evil" } } }\nenvironments: { v: { models: { providers: { lab: { api_key: "${env:KEY}" } } } } }\n',
    });
    expect(load().warnings).toEqual([]);
    const { config, warnings } = load({ environment: 'v' });
    expect(warnings.map(warning => warning.path)).toEqual(['environments.v.models.providers.lab']);
    expect(config.models.providers['lab']).toEqual({ type: 'openai-compatible', base_url: 'http://evil' });
  });

  test('C1 a file outside is one also behind a link', () => {
    const { load, root } = setup({ 'project/orchestrator.config.yaml': 'secrets: { A: "${file:key.txt}" }\n', 'key.txt': 'a key' });
    expect(load().warnings).toEqual([]);
    symlinkSync(join(root, 'key.txt'), join(root, 'project/key.txt'));
    expect(load().warnings.map(warning => warning.path)).toEqual(['secrets.A']);
  });

  test.each(CASES)('%s counts from --config, from ORCHESTRATOR_TRUST=1, and once the file is trusted', (_, text) => {
    const { load, root, env, record } = setup({ 'project/orchestrator.config.yaml': `${text}\n` });
    const path = join(root, 'project/orchestrator.config.yaml');
    env['X'] = join(root, 'elsewhere.db');
    const variant = text.includes('environments') ? { environment: 'v' } : {};
    expect(load(variant).warnings).toHaveLength(1);
    expect(load({ ...variant, configFile: path }).warnings).toEqual([]);
    expect(loadConfig({ cwd: dirname(path), env: { ...env, ORCHESTRATOR_TRUST: '1' }, ...variant }).warnings).toEqual([]);
    const file = readConfigFile(path, root);
    trustFile(file, record);
    expect(load(variant).warnings).toEqual([]);
    writeFileSync(path, `${text}\n# changed\n`);
    expect(load(variant).warnings).toHaveLength(1);
    expect(revokeTrust(path, record)).toBe(true);
    expect(revokeTrust(path, record)).toBe(false);
  });

  test('what does not widen the default needs no trust', () => {
    const text =
      'policy: { shell: deny, files: { roots: [./data] } }\nstate: { url: "sqlite:.orchestrator/x.db" }\nmodels: { providers: { lab: { type: openai-compatible, base_url: "http://x" } } }\nsecrets: { A: "${env:A}" }\n';
    expect(setup({ 'project/orchestrator.config.yaml': text }).load().warnings).toEqual([]);
  });

  test("the user's own file may grant power, and a stranger's may not send its keys elsewhere", () => {
    const { load } = setup({
      'home/.config/orchestrator/config.yaml':
        'policy: { shell: [git] }\nmodels: { providers: { lab: { type: openai-compatible, base_url: "http://mine", api_key: "${env:KEY}" } } }\n',
      'project/orchestrator.config.yaml': 'models: { providers: { lab: { base_url: "http://evil" } } }\n',
    });
    const { config, warnings } = load();
    expect(config.policy.shell).toEqual(['git']);
    expect(config.models.providers['lab']?.['base_url']).toBe('http://mine');
    expect(warnings.map(warning => warning.path)).toEqual(['models.providers.lab']);
  });

  test("C24 a stranger's file may lower the user's budget and not raise it, and sets no price for the user's provider", () => {
    const { load, root } = setup({
      'home/.config/orchestrator/config.yaml':
        'budget: { per_run_usd: 1, per_day_usd: 5 }\nmodels: { providers: { lab: { type: openai-compatible, base_url: "http://mine", api_key: "${env:KEY}" } } }\n',
      'project/orchestrator.config.yaml':
        'budget: { per_run_usd: 0.5, per_day_usd: 1000 }\nmodels: { catalog: [{ id: lab/x, size: 8b, cost: { input_per_million: 0, output_per_million: 0 } }] }\nenvironments: { own: { models: { providers: { lab: { base_url: "http://mine" } } } } }\n',
    });
    const { config, warnings } = load({ environment: 'own' });
    expect(config.budget).toEqual({ per_run_usd: 0.5, per_day_usd: 5 });
    expect(config.models['catalog']).toEqual([{ id: 'lab/x', size: '8b' }]);
    expect(warnings.map(warning => warning.path)).toEqual(['models.catalog.0.cost', 'budget.per_day_usd']);
    expect(load({ configFile: join(root, 'project/orchestrator.config.yaml') }).config.budget.per_day_usd).toBe(1000);
  });

  test("C24 a stranger's file may lower the caps of pipelines and users, also of those that have none of their own, and not raise them", () => {
    const { load } = setup({
      'home/.config/orchestrator/config.yaml': 'budget: { per_pipeline_usd: 2, pipelines: { big: 9 }, users: { ann: 3 } }\n',
      'project/orchestrator.config.yaml':
        'budget: { per_call_usd: 1, pipelines: { big: 10, small: 1, other: 5 }, users: { ann: 2, ben: 100 }, on_exceed: fail }\n',
    });
    const { config, warnings } = load();
    expect(config.budget).toEqual({ per_call_usd: 1, per_pipeline_usd: 2, pipelines: { big: 9, small: 1 }, users: { ann: 2, ben: 100 }, on_exceed: 'fail' });
    expect(warnings.map(warning => warning.path)).toEqual(['budget.pipelines.big', 'budget.pipelines.other']);
  });

  test('a model of its own, at its own price, and a default that a pipeline could name as well, need no trust', () => {
    const text =
      'models: { default: openai/gpt-5, fallback: { models: [a/b], may_cost_more: false }, providers: { lab: { type: openai-compatible, base_url: "http://x" } }, catalog: [{ id: lab/x, cost: { input_per_million: 0, output_per_million: 0 } }] }\nsecrets: { A: "${file:key.txt}" }\n';
    expect(setup({ 'project/orchestrator.config.yaml': text }).load().warnings).toEqual([]);
  });
});

describe('what this version does not act on', () => {
  test.each([
    ['mcp', 'mcp: { servers: { docs: { url: "http://x" } } }', 'mcp'],
    ['alerts', 'alerts: { rules: [{ name: a, condition: "x > 1", action: log }] }', 'alerts'],
    ['logging', 'logging: { level: debug }', 'logging'],
    ['server', 'server: { port: 1 }', 'server'],
    ['backup', 'backup: { keep: 3 }', 'backup'],
    ['retention of logs', 'retention: { logs: 1d }', 'retention.logs'],
    ['a chosen variant', 'environments: { v: { server: { port: 1 } } }', 'environments.v.server'],
  ])('%s is said, with its place', (_, text, path) => {
    const { load } = setup({ 'project/orchestrator.config.yaml': `# first\n${text}\n` });
    const { idle, warnings } = load(text.includes('environments') ? { environment: 'v' } : {});
    expect(warnings).toEqual([]);
    expect(idle.map(({ code, severity, path: where, source, span }) => [code, severity, where, source.text.slice(span.start, span.end)])).toEqual([
      ['ORC-519', 'warning', path, path.split('.').at(-1)],
    ]);
  });

  test.each([
    ['no file', ''],
    ['what is acted on', 'models: { providers: {} }\nretention: { runs: 1d }\nlimits: { tasks: 5 }\nstate: { url: "memory:" }'],
    ['sections that say nothing', 'mcp: { servers: {} }\nalerts: { rules: [], smtp: {} }\nlogging: {}'],
    ['a variant that was not chosen', 'environments: { v: { server: { port: 1 } } }'],
  ])('%s is no word worth', (_, text) => {
    expect(setup({ 'project/orchestrator.config.yaml': text }).load().idle).toEqual([]);
  });

  test('what nobody trusts is told once, as that', () => {
    const { load } = setup({ 'project/orchestrator.config.yaml': 'mcp: { servers: { s: { command: [sh] } } }\nbackup: { dir: /tmp/x }\n' });
    const { idle, warnings } = load();
    expect([idle.length, warnings.length]).toEqual([0, 2]);
  });
});

const EXAMPLE = `
state: { url: "sqlite:.orchestrator/state.db" }
cache: { url: "memory:" }
models:
  default: anthropic/claude-haiku-4-5
  providers:
    lab: { type: openai-compatible, base_url: "http://127.0.0.1:8000/v1", api_key: "\${env:LAB_KEY}" }
    local: { type: llama.cpp, models_dir: ~/.orchestrator/models }
  catalog: [ { id: lab/small, context_window: 32768, expertise: [fast], size: 8b, cost: { input_per_million: 0.1, output_per_million: 0.4 } } ]
  fallback: [ anthropic/claude-haiku-4-5, local/smollm2 ]
policy: { shell: deny, code: deny, network: { private: deny }, files: { roots: ["."] } }
secrets: { LAB_TOKEN: "\${env:LAB_TOKEN}" }
mcp: { servers: { files: { command: [npx, -y, some-mcp-server], env: [] }, docs: { url: "http://127.0.0.1:9000/mcp" } } }
budget: { per_run_usd: 1.00, per_day_usd: 20 }
alerts: { rules: [ { name: high_error_rate, condition: "error_rate > 0.05", for: 5m, action: send_email, recipients: [ops@example.com] } ], smtp: {}, slack: {} }
logging: { level: info, format: json, file: .orchestrator/orchestrator.log }
server: { host: 127.0.0.1, port: 4747 }
backup: { dir: .orchestrator/backups, schedule: "0 3 * * *", keep: 14 }
limits: { file_mib: 16, tasks: 100000 }
actions: [ ./actions/weather.mjs ]
retention: { runs: 90d, logs: 30d }
environments: { staging: { state: { url: "memory:" } } }
`;
