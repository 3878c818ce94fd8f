import { MODELS } from './model-specs.ts';
import { JSON_FLAG, type CommandSpec, type OptionSpec } from './spec.ts';

const output = (kinds: string): OptionSpec => ({ flags: '--output <kind>', description: `how to print: ${kinds}` });
const RUN_NAMES = 'RUN is an id, the beginning of one, `last` or `last-failed`.';

const INPUT_FLAGS: OptionSpec[] = [
  { flags: '-i, --input <key=value>', description: 'an input, converted to its declared type; @FILE reads it from a file', repeat: true },
  { flags: '--inputs <file>', description: 'inputs from a JSON file' },
];

const NO_CACHE_FLAG: OptionSpec = { flags: '--no-cache', description: 'take no result and no reply that was kept from before, and keep none' };

const RUN: CommandSpec[] = [
  {
    name: 'run',
    args: '<file>',
    group: 'Run',
    summary: 'Run a pipeline to its end',
    description:
      'Shows progress on stderr and prints the result on stdout. Stays for timers; on an approval it asks where somebody sits at a terminal, and otherwise exits 5. Ctrl-C stops starting tasks and lets the running ones finish; a second one stops at once. At a terminal, f shows what has failed, l what tasks log, and q detaches: the run goes on in the background.',
    options: [
      ...INPUT_FLAGS,
      JSON_FLAG,
      output('human, json, ndjson (events as they happen)'),
      { flags: '--detach', description: 'go on in the background; print the id of the run at once' },
      { flags: '--until <task>', description: 'run this task and what it needs, nothing else' },
      { flags: '--budget <usd>', description: 'stop before spending more than this' },
      NO_CACHE_FLAG,
      { flags: '--mock <task=value>', description: 'take a result instead of performing a task: JSON, or @FILE', repeat: true },
      { flags: '--report <file>', description: 'write a report of the run as one HTML file' },
      { flags: '--key <key>', description: 'the same key with the same pipeline and inputs is the same run' },
      { flags: '--user <name>', description: 'for whom it runs' },
      { flags: '--tag <tag>', description: 'a word to find the run by', repeat: true },
      { flags: '--record <dir>', description: 'record every exchange with models and tools in a folder, to replay the run from it' },
      { flags: '--replay <dir>', description: 'answer models and tools out of such a folder: offline, for nothing, touching nothing outside' },
      { flags: '--locked', description: 'ask no model for AUTO tags; take the answers in pipeline.auto.json' },
    ],
    examples: [
      'orchestrator run pipeline.yaml -i topic="solar sails" -i depth=2',
      'orchestrator run pipeline.yaml --json | jq .outputs',
      'orchestrator run pipeline.yaml --mock search=@results.json --until report',
      'orchestrator run pipeline.yaml --record cassettes/report',
    ],
    load: () => import('./commands/run.ts').then(module => module.run),
  },
  {
    name: 'demo',
    args: '[folder]',
    group: 'Run',
    summary: 'Run the first example with a model that really answers',
    description:
      'Copies the films example into FOLDER (orchestrator-demo) and runs it there. The configured model answers; where none is, a small one that runs on this machine is fetched first (94 MiB). Without any, the defaults stand.',
    options: [{ flags: '--no-model', description: 'fetch and ask no model; take the defaults' }, JSON_FLAG],
    examples: ['orchestrator demo', 'orchestrator demo /tmp/films --no-model'],
    load: () => import('./commands/demo.ts').then(module => module.demo),
  },
  {
    name: 'init',
    args: '[folder]',
    group: 'Run',
    summary: 'Write a small pipeline and a configuration to start from',
    options: [
      { flags: '--name <name>', description: 'name of the pipeline' },
      { flags: '--model <model>', description: 'model to use, such as local/smollm2' },
      { flags: '--force', description: 'write over files that are there' },
      { flags: '-y, --yes', description: 'ask nothing; take the defaults' },
    ],
    examples: ['orchestrator init', 'orchestrator init demo --name weather --yes'],
    load: () => import('./commands/init.ts').then(module => module.init),
  },
];

const LANGUAGE: CommandSpec[] = [
  {
    name: 'validate',
    args: '<files...>',
    group: 'Language',
    summary: 'Check pipelines without running anything',
    description: 'Reports every problem at once. Never executes, connects, starts or imports anything; the verdict depends on the files alone.',
    options: [
      JSON_FLAG,
      { flags: '--format <kind>', description: 'human, json, sarif or github (annotations)' },
      { flags: '--fix', description: 'make the changes that are sure' },
      { flags: '--strict', description: 'count warnings as errors' },
    ],
    examples: [
      'orchestrator validate pipelines/*.yaml',
      'orchestrator validate pipeline.yaml --fix',
      'orchestrator validate pipelines/*.yaml --format sarif > results.sarif',
    ],
    load: () => import('./commands/validate.ts').then(module => module.validate),
  },
  {
    name: 'fmt',
    args: '<files...>',
    group: 'Language',
    summary: 'Rewrite pipelines in the canonical spelling, keeping comments',
    options: [
      { flags: '--check', description: 'change nothing; exit 1 where a file would change' },
      { flags: '--stdout', description: 'print instead of writing' },
    ],
    examples: ['orchestrator fmt pipelines/*.yaml', 'orchestrator fmt --check pipelines/*.yaml'],
    load: () => import('./commands/fmt.ts').then(module => module.fmt),
  },
  {
    name: 'plan',
    args: '<file>',
    group: 'Language',
    summary: 'Show what would run, in which order, and what it would need',
    options: [
      JSON_FLAG,
      { flags: '--graph', description: 'print the graph as a Mermaid flowchart' },
      { flags: '--estimate', description: 'say what a run would cost and how long it would take, by prices and earlier runs' },
    ],
    examples: ['orchestrator plan pipeline.yaml', 'orchestrator plan pipeline.yaml --estimate', 'orchestrator plan pipeline.yaml --graph > plan.mmd'],
    load: () => import('./commands/plan.ts').then(module => module.plan),
  },
  {
    name: 'explain',
    args: '<code>',
    group: 'Language',
    summary: 'Explain an error code',
    options: [JSON_FLAG],
    examples: ['orchestrator explain ORC-301', 'orchestrator explain unclosed-auto'],
    load: () => import('./commands/explain.ts').then(module => module.explain),
  },
  {
    name: 'schema',
    args: '[pipeline|config]',
    group: 'Language',
    summary: 'Print the JSON Schema of pipeline files, or of the configuration, for editors',
    examples: ['orchestrator schema > pipeline.schema.json', 'orchestrator schema config > config.schema.json'],
    load: () => import('./commands/schema.ts').then(module => module.schema),
  },
  {
    name: 'actions',
    args: '[name]',
    group: 'Language',
    summary: 'List the actions, or show one',
    options: [JSON_FLAG, output('human, plain, json')],
    examples: ['orchestrator actions', 'orchestrator actions http.get'],
    load: () => import('./commands/actions.ts').then(module => module.actions),
  },
  {
    name: 'actions sync',
    group: 'Language',
    summary: 'Record the schemas and hashes of own actions in orchestrator.actions.json',
    description:
      'Imports the modules under `actions:` of a trusted configuration once. validate, plan and run read what was recorded; a run refuses a module whose hash differs.',
    load: () => import('./commands/actions.ts').then(module => module.sync),
  },
  {
    name: 'eval',
    args: '<text>',
    group: 'Language',
    summary: 'Evaluate an expression, or render a template',
    description:
      'TEXT is an expression, or `-` for standard input. Names come from a JSON file, or from a recorded run: --run ID sees its inputs and results, --run ID:TASK what that task saw.',
    options: [
      { flags: '--template', description: 'render TEXT as a template' },
      { flags: '--context <file>', description: 'names and values, as a JSON object' },
      { flags: '--run <id[:task]>', description: 'names and values of a recorded run' },
      { flags: '--json', description: 'print {"value": …}' },
    ],
    examples: [
      "orchestrator eval '[1, 2, 3] | sum'",
      "orchestrator eval 'search.results | length' --run last",
      "orchestrator eval --template 'Hello {{ name }}' --context names.json",
    ],
    load: () => import('./commands/eval.ts').then(module => module.evaluate),
  },
];

const LOOK: CommandSpec[] = [
  {
    name: 'runs',
    group: 'Look',
    summary: 'List runs, the newest first',
    options: [
      JSON_FLAG,
      output('human, plain, json'),
      { flags: '--failed', description: 'only those that failed' },
      { flags: '--status <status>', description: 'only those in this status', repeat: true },
      { flags: '--pipeline <name>', description: 'only those of this pipeline' },
      { flags: '--user <name>', description: 'only those of this user' },
      { flags: '--tag <tag>', description: 'only those with this tag' },
      { flags: '--limit <n>', description: 'at most so many (20)' },
    ],
    examples: ['orchestrator runs --failed', 'orchestrator runs --limit 100 --output plain | cut -f1'],
    load: () => import('./commands/runs.ts').then(module => module.runs),
  },
  {
    name: 'runs delete',
    args: '<run>',
    group: 'Housekeeping',
    summary: 'Delete an ended run with everything that only it uses',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    load: () => import('./commands/prune.ts').then(module => module.deleteRun),
  },
  {
    name: 'show',
    args: '<run>',
    group: 'Look',
    summary: 'Show a run: verdict, tasks, outputs',
    description: RUN_NAMES,
    options: [JSON_FLAG, output('human, plain, json'), { flags: '--task <path>', description: 'one task, with its output' }],
    examples: ['orchestrator show last', "orchestrator show last --task 'read[3]/fetch'", 'orchestrator show last --json | jq .outputs'],
    load: () => import('./commands/show.ts').then(module => module.show),
  },
  {
    name: 'report',
    args: '<run>',
    group: 'Look',
    summary: 'Write a report of a run as one HTML file',
    description: `${RUN_NAMES} The file needs nothing else: it opens from disk, prints, and can be mailed.`,
    options: [{ flags: '--html <file>', description: 'where to write it (RUN.html); `-` is standard output' }, JSON_FLAG],
    examples: ['orchestrator report last', 'orchestrator report last-failed --html failure.html'],
    load: () => import('./commands/report.ts').then(module => module.report),
  },
  {
    name: 'logs',
    args: '<run>',
    group: 'Look',
    summary: 'Print what the tasks of a run logged',
    description: RUN_NAMES,
    options: [
      { flags: '-f, --follow', description: 'stay until the run ends' },
      { flags: '--task <path>', description: 'of one task only' },
      { flags: '--level <level>', description: 'debug, info, warn or error, and above' },
      output('human, ndjson'),
    ],
    examples: ['orchestrator logs last -f', 'orchestrator logs last --level warn'],
    load: () => import('./commands/logs.ts').then(module => module.logs),
  },
  {
    name: 'watch',
    args: '<run>',
    group: 'Look',
    summary: 'Watch a run that goes on elsewhere, until it ends',
    description: `${RUN_NAMES} At a terminal, f shows what has failed, l what tasks log, and q stops watching; the run goes on.`,
    options: [JSON_FLAG, output('human, json, ndjson')],
    examples: ['orchestrator watch last'],
    load: () => import('./commands/watch.ts').then(module => module.watch),
  },
  {
    name: 'diff',
    args: '<a> <b>',
    group: 'Look',
    summary: 'Compare two runs: tasks, outputs, AUTO answers, time, cost',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    examples: ['orchestrator diff last-failed last'],
    load: () => import('./commands/diff.ts').then(module => module.diff),
  },
  {
    name: 'auto explain',
    args: '<run> [path]',
    group: 'Look',
    summary: 'Show where the answer to each AUTO tag came from',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    examples: ['orchestrator auto explain last', 'orchestrator auto explain last search'],
    load: () => import('./commands/auto.ts').then(module => module.explainAutos),
  },
  {
    name: 'auto pin',
    args: '<run>',
    group: 'Act',
    summary: 'Write the answers of a run into its pipeline, in the place of the AUTO tags',
    description: `${RUN_NAMES} Everything else in the file, comments too, stays as it is. Refuses where the file has changed since the run. With --lock the file stays, and the answers go beside it (pipeline.auto.json), for \`run --locked\`.`,
    options: [
      { flags: '--file <file>', description: 'the pipeline, where it lies elsewhere than at the time of the run' },
      { flags: '--lock', description: 'write pipeline.auto.json beside the file instead' },
    ],
    examples: ['orchestrator auto pin last', 'orchestrator auto pin last --lock && orchestrator run pipeline.yaml --locked'],
    load: () => import('./commands/auto-pin.ts').then(module => module.pin),
  },
  {
    name: 'auto diff',
    args: '<a> <b>',
    group: 'Look',
    summary: 'Compare the answers to the AUTO tags of two runs',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    examples: ['orchestrator auto diff run_7q2k last'],
    load: () => import('./commands/auto-diff.ts').then(module => module.diffAutos),
  },
];

const RESUME_FLAGS: OptionSpec[] = [
  JSON_FLAG,
  output('human, json, ndjson'),
  { flags: '--detach', description: 'go on in the background' },
  { flags: '--report <file>', description: 'write a report of the run as one HTML file' },
];

/** Of what goes on in the same run, under a cap that may be another now. */
const AGAIN_FLAGS: OptionSpec[] = [...RESUME_FLAGS, { flags: '--budget <usd>', description: 'what the run may cost in all from now on' }, NO_CACHE_FLAG];

const ACT: CommandSpec[] = [
  {
    name: 'resume',
    args: '<run>',
    group: 'Act',
    summary: 'Go on with a run that waits, is paused, was interrupted or failed',
    description: `${RUN_NAMES} What has a recorded result never runs again. A run holds the pipeline with which it began, whatever becomes of the file; with --pipeline a new run goes on under FILE and takes over every result, and where FILE defines what has completed otherwise, that is refused.`,
    options: [...AGAIN_FLAGS, { flags: '--pipeline <file>', description: 'go on under another version of the pipeline, in a new run' }],
    examples: ['orchestrator resume last', 'orchestrator resume last --budget 2.50', 'orchestrator resume last --pipeline report.yaml'],
    load: () => import('./commands/resume.ts').then(module => module.resume),
  },
  {
    name: 'retry',
    args: '<run>',
    group: 'Act',
    summary: 'Run the failed tasks of a run again',
    description: `${RUN_NAMES} What completed is kept.`,
    options: AGAIN_FLAGS,
    examples: ['orchestrator retry last-failed'],
    load: () => import('./commands/resume.ts').then(module => module.retry),
  },
  {
    name: 'fork',
    args: '<run>',
    group: 'Act',
    summary: 'Start a new run that keeps everything before a point',
    description: `${RUN_NAMES} --at TASK keeps all but that task and what depends on it; --at N keeps what had settled at that sequence number. --pipeline FILE keeps what FILE defines as it was, and runs the rest again under FILE. PATH is TASK.parameters.x, TASK.output.x or inputs.x; VALUE is YAML.`,
    options: [
      { flags: '--at <task|seq>', description: 'the point' },
      { flags: '--pipeline <file>', description: 'another version of the pipeline, which the new run holds' },
      { flags: '--set <path=value>', description: 'change a value on the way', repeat: true },
      ...RESUME_FLAGS,
    ],
    examples: [
      'orchestrator fork last --at report',
      'orchestrator fork last --at report --set report.parameters.style=brief',
      'orchestrator fork last --pipeline report.yaml',
    ],
    load: () => import('./commands/fork.ts').then(module => module.fork),
  },
  {
    name: 'cancel',
    args: '<run>',
    group: 'Act',
    summary: 'Cancel a run',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    load: () => import('./commands/command.ts').then(module => module.cancel),
  },
  {
    name: 'pause',
    args: '<run>',
    group: 'Act',
    summary: 'Start nothing more in a run; let its running tasks finish',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    load: () => import('./commands/command.ts').then(module => module.pause),
  },
  {
    name: 'approve',
    args: '<run> <task>',
    group: 'Act',
    summary: 'Answer an approval',
    description: RUN_NAMES,
    options: [
      { flags: '--choice <choice>', description: 'the answer; by default the first choice' },
      { flags: '--comment <text>', description: 'why' },
      { flags: '--by <name>', description: 'who answers' },
      JSON_FLAG,
    ],
    examples: ['orchestrator approve last review', 'orchestrator approve last review --choice reject --comment "sources are missing"'],
    load: () => import('./commands/command.ts').then(module => module.approve),
  },
  {
    name: 'signal',
    args: '<run> <name> [json]',
    group: 'Act',
    summary: 'Send a signal to a run',
    description: RUN_NAMES,
    options: [JSON_FLAG],
    examples: ['orchestrator signal last payment \'{"paid": true}\''],
    load: () => import('./commands/command.ts').then(module => module.signal),
  },
  {
    name: 'settle',
    args: '<run> <task> [json]',
    group: 'Act',
    summary: 'Say what became of an effect that a crash left in doubt',
    description: `${RUN_NAMES} JSON is the result, for --as completed.`,
    options: [{ flags: '--as <verdict>', description: 'retry, skip, fail or completed (required)' }, JSON_FLAG],
    examples: ['orchestrator settle last publish --as completed \'{"url": "https://example.com/1"}\''],
    load: () => import('./commands/command.ts').then(module => module.settle),
  },
];

const HOUSEKEEPING: CommandSpec[] = [
  {
    name: 'doctor',
    group: 'Housekeeping',
    summary: 'Check that everything is ready',
    options: [JSON_FLAG, { flags: '--offline', description: 'connect to nothing' }],
    load: () => import('./commands/doctor.ts').then(module => module.doctor),
  },
  {
    name: 'trust',
    args: '[file]',
    group: 'Housekeeping',
    summary: 'Let a configuration file grant power',
    description:
      'Records the file by path and content: when it changes, it must be trusted again. Prints what it grants. Without FILE it is the nearest orchestrator.config.yaml.',
    options: [{ flags: '--revoke', description: 'take the trust back' }, JSON_FLAG],
    examples: ['orchestrator trust', 'orchestrator trust --revoke'],
    load: () => import('./commands/trust.ts').then(module => module.trust),
  },
  {
    name: 'prune',
    group: 'Housekeeping',
    summary: 'Delete ended runs that are older than a time',
    options: [
      { flags: '--keep <duration>', description: 'keep runs that ended within this time (retention.runs of the configuration)' },
      { flags: '--dry-run', description: 'only say what would go' },
      JSON_FLAG,
    ],
    examples: ['orchestrator prune --keep 30d --dry-run'],
    load: () => import('./commands/prune.ts').then(module => module.prune),
  },
  {
    name: 'completions',
    args: '<shell>',
    group: 'Housekeeping',
    summary: 'Print a completion script for bash, zsh or fish',
    examples: [
      'orchestrator completions bash > ~/.local/share/bash-completion/completions/orchestrator',
      'orchestrator completions fish > ~/.config/fish/completions/orchestrator.fish',
    ],
    load: () => import('./commands/completions.ts').then(module => module.completionsOf({ commands: COMMANDS, options: GLOBAL_OPTIONS })),
  },
  {
    name: 'version',
    group: 'Housekeeping',
    summary: 'Print the version of the program, of Node and of SQLite',
    options: [JSON_FLAG],
    load: () => import('./commands/version.ts').then(module => module.version),
  },
];

export const COMMANDS: readonly CommandSpec[] = [...RUN, ...LANGUAGE, ...LOOK, ...MODELS, ...ACT, ...HOUSEKEEPING];

/** Options that every command takes. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: '-q, --quiet', description: 'say nothing but results and errors' },
  { flags: '-v, --verbose', description: 'say more; twice: also where errors come from' },
  { flags: '--no-color', description: 'no colours (so does NO_COLOR)' },
  { flags: '--config <file>', description: 'read this configuration, and trust it' },
  { flags: '--env <name>', description: 'use this environment of the configuration (so does ORCHESTRATOR_ENV)' },
];
