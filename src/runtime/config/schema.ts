import type { Json, JsonObject, JsonSchema } from '../../json.ts';
import type { Policy } from '../../tools/port.ts';
import { MODELS } from './models.ts';

/** The configuration with its defaults filled in; values may still hold `${env:X}` references (see `LoadedConfig.resolve`). */
export interface Config {
  state: { url: string };
  cache: { url: string; ttl: number | string; secret?: string };
  /** Checked by the models themselves (`openModels`). */
  models: { default?: string; providers: { [name: string]: JsonObject }; [key: string]: Json | undefined };
  policy: Policy;
  secrets: { [name: string]: string };
  mcp: { servers: { [name: string]: { command?: string[]; env?: string[]; url?: string } } };
  budget: {
    per_call_usd?: number;
    per_task_usd?: number;
    per_run_usd?: number;
    per_pipeline_usd?: number;
    per_user_usd?: number;
    per_day_usd?: number;
    pipelines?: { [name: string]: number };
    users?: { [name: string]: number };
    on_exceed?: 'pause' | 'fail' | 'fallback-model';
  };
  alerts: { rules: JsonObject[]; smtp?: JsonObject; slack?: JsonObject };
  logging: { level: 'debug' | 'info' | 'warn' | 'error'; format: 'json' | 'text'; file: string };
  server: { host: string; port: number };
  backup: { dir: string; schedule?: string; keep: number };
  limits: { file_mib: number; tasks: number };
  actions: string[];
  retention: { runs: string; logs: string };
}

export const DEFAULTS: Config = {
  state: { url: 'sqlite:.orchestrator/state.db' },
  cache: { url: 'memory:', ttl: '1d' },
  models: { providers: {} },
  policy: { shell: 'deny', code: 'deny', network: { private: 'deny' }, files: { roots: ['.'] } },
  secrets: {},
  mcp: { servers: {} },
  budget: {},
  alerts: { rules: [] },
  logging: { level: 'info', format: 'json', file: '.orchestrator/orchestrator.log' },
  server: { host: '127.0.0.1', port: 4747 },
  backup: { dir: '.orchestrator/backups', keep: 14 },
  limits: { file_mib: 16, tasks: 100_000 },
  actions: [],
  retention: { runs: '90d', logs: '30d' },
};

/** Keys that are checked, and on which this version does not act: what it lacks, and what to do meanwhile. */
export const IDLE: { [key: string]: { lacks: string; help: string } } = {
  mcp: { lacks: 'the tools of MCP servers are no actions', help: 'call the server with http.request, or write an own action: orchestrator actions sync' },
  alerts: { lacks: 'nobody is told when a rule holds', help: 'look for failures from a scheduler: orchestrator runs --failed --json' },
  logging: { lacks: 'there is no log of the program itself', help: 'the log of a run: orchestrator logs RUN' },
  server: { lacks: 'there is no `serve`', help: 'run pipelines in the background: orchestrator run FILE --detach' },
  backup: { lacks: 'no backups are made', help: 'copy the state folder while no run is under way' },
  'retention.logs': { lacks: 'logs are kept and deleted with their runs', help: 'set retention.runs, and delete old runs: orchestrator prune' },
};

/** What a key means, and what is lacking where it is idle. */
const later = (key: string, description: string): string => `${description} Not acted on by this version: ${IDLE[key]!.lacks}.`;

const text = (description: string, more: JsonObject = {}): JsonObject => ({ type: 'string', description, ...more });
const dollars = (description: string): JsonObject => ({ type: 'number', minimum: 0, description });
const texts = (description: string): JsonObject => ({ type: 'array', items: { type: 'string' }, description });
const map = (description: string, properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: 'object',
  description,
  properties,
  additionalProperties: false,
  ...more,
});
const choice = (description: string, values: string[]): JsonObject => ({ enum: values, description });
const DURATION: JsonObject = {
  anyOf: [
    { type: 'number', minimum: 0 },
    { type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d|w)? *)+$' },
  ],
};
const duration = (description: string): JsonObject => ({ ...DURATION, description });

const POLICY = map('What actions may do. Wider than the default, it counts only from a file that is trusted.', {
  shell: {
    anyOf: [{ enum: ['allow', 'deny'] }, { type: 'array', items: { type: 'string' } }],
    description: '`allow`, `deny`, or the programs that `shell.run` may start.',
  },
  code: choice('Whether `python.run` may run code.', ['allow', 'deny']),
  network: map('Where actions may connect.', { private: choice('Private, loopback and link-local addresses.', ['allow', 'deny']) }),
  files: map('Where file actions may read and write.', { roots: texts('Folders, relative to the one in which the run was started, or absolute.') }),
});

const MCP_SERVER = map('An MCP server: a command, or an address.', {
  command: texts('Program and arguments.'),
  env: texts('Names of environment variables that it sees.'),
  url: text('Address of a remote server.'),
});

const ALERT_RULE = map(
  '',
  {
    name: text('Its name.'),
    condition: text('An expression over metrics: `error_rate > 0.05`.'),
    action: text('`send_email`, `send_slack` or `log`.'),
    recipients: texts('Addresses.'),
    channel: text('Slack channel.'),
    for: duration('How long the condition holds before it fires.'),
    severity: choice('How bad it is.', ['info', 'warning', 'critical']),
    cooldown: duration('Silence after it fired.'),
  },
  { required: ['name', 'condition', 'action'] },
);

const KEYS: JsonObject = {
  state: map('Where runs live.', { url: text('`sqlite:PATH`, `memory:` or `postgres://…`. `ORCHESTRATOR_STATE_URL` wins.', { minLength: 1 }) }),
  cache: map(
    'Where replies of models are kept, so that the same question need not be paid for twice. What is kept is what is meant to be answered in the same way each time: at a temperature of 0, or with a seed.',
    {
      url: text('`memory:` (of one process) or `redis://…` (of all that share it). Gone, slow or wrong, it costs a call at most 50 ms.'),
      ttl: duration('How long a reply is kept.'),
      secret: text('Signs what is kept, so that nobody else who can write there answers in place of a model; write a reference such as `${env:CACHE_SECRET}`.'),
    },
  ),
  models: MODELS,
  policy: POLICY,
  secrets: {
    type: 'object',
    additionalProperties: { type: 'string' },
    description: "What `secret('NAME')` unwraps to: `${env:X}`, `${file:PATH}` or `${cmd:COMMAND}`.",
  },
  mcp: map(later('mcp', 'MCP servers whose tools are actions.'), {
    servers: { type: 'object', additionalProperties: MCP_SERVER, description: 'Servers by name.' },
  }),
  budget: map('Caps on spending, in dollars: the worst case of a call is set aside under each of them before it is made (`orchestrator budget`).', {
    per_call_usd: dollars('Of one model call, in the worst case.'),
    per_task_usd: dollars('Of one task run: all its attempts and `<AUTO>` questions, an iteration of a loop by itself.'),
    per_run_usd: dollars('Of one run.'),
    per_pipeline_usd: dollars('Of all runs of one pipeline (by its name), a day (UTC).'),
    per_user_usd: dollars('Of all runs for one user (`--user`; those for nobody count together), a day (UTC).'),
    per_day_usd: dollars('Of all runs on the store, a day (UTC). A call counts for the day on which it begins.'),
    pipelines: {
      type: 'object',
      additionalProperties: { type: 'number', minimum: 0 },
      description: 'Of some pipelines by name, a day, instead of `per_pipeline_usd`.',
    },
    users: { type: 'object', additionalProperties: { type: 'number', minimum: 0 }, description: 'Of some users by name, a day, instead of `per_user_usd`.' },
    on_exceed: choice(
      'What happens on a cap where the pipeline sets no budget of its own: `pause` (the default), `fail`, or `fallback-model`, which takes the first of the fallback chain that fits.',
      ['pause', 'fail', 'fallback-model'],
    ),
  }),
  alerts: map(later('alerts', 'When to tell somebody, and how.'), {
    rules: { type: 'array', items: ALERT_RULE, description: 'The rules.' },
    smtp: { type: 'object', description: 'Mail server: host, port, user, password, from.' },
    slack: { type: 'object', description: 'Slack: webhook_url.' },
  }),
  logging: map(later('logging', "The program's own log."), {
    level: choice('The least that is written.', ['debug', 'info', 'warn', 'error']),
    format: choice('Its form.', ['json', 'text']),
    file: text('Where it is written.'),
  }),
  server: map(later('server', 'What `serve` listens on.'), {
    host: text('Address.'),
    port: { type: 'integer', minimum: 0, maximum: 65_535, description: 'Port.' },
  }),
  backup: map(later('backup', 'Backups of the store.'), {
    dir: text('Folder.'),
    schedule: text('Cron expression.'),
    keep: { type: 'integer', minimum: 1, description: 'How many are kept.' },
  }),
  limits: map('Caps on what is read.', {
    file_mib: { type: 'number', exclusiveMinimum: 0, description: 'Size of a pipeline file.' },
    tasks: { type: 'integer', minimum: 1, description: 'Tasks of a plan.' },
  }),
  actions: texts('Modules of own actions; `orchestrator actions sync` records their schemas and hashes.'),
  retention: map('How long `prune` keeps what has ended.', { runs: duration('Runs.'), logs: duration(later('retention.logs', 'Logs.')) }),
};

/** JSON Schema of `orchestrator.config.yaml`. */
export const CONFIG_SCHEMA: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'orchestrator.config.yaml',
  ...map('Configuration of Orchestrator. Every key is optional.', {
    ...KEYS,
    environments: {
      type: 'object',
      additionalProperties: map('', KEYS),
      description: 'Named variants, laid over the rest; chosen by `--env NAME` or `ORCHESTRATOR_ENV`.',
    },
  }),
};
