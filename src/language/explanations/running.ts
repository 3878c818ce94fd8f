import type { Explanation } from './port.ts';

/** Models, state, limits and the program itself. */
export const RUNNING_CODES = {
  'ORC-401': {
    text: `No model of this id is registered. An id is provider/name; providers appear by themselves when their key is in the environment. \`orc models list\` shows what there is, and requirements instead of an id let the router choose.`,
  },
  'ORC-402': {
    text: `The pipeline asks a model, and none is configured: no key of a provider is in the environment, and no local model is installed. Set one key, name a provider in the configuration, or \`orc models pull\` a small local model.`,
  },
  'ORC-403': {
    text: `The provider refused the credentials: the key is wrong, has expired, or may not use this model. It is not tried again by itself. \`orc models test\` checks each provider.`,
  },
  'ORC-404': {
    text: `The provider could not be reached, timed out, or said that it is overloaded. It is tried again as retry says; \`models.fallback\` names models that may take over.`,
  },
  'ORC-405': {
    text: `The reply of the model cannot be used: it is empty, cut off, not the JSON that was asked for, or not what the provider's protocol allows.`,
  },
  'ORC-406': {
    text: `The model, or its provider, refused the request because of what it asks or holds. It is not tried again; the message gives the reason where there was one.`,
  },
  'ORC-407': {
    text: `The action is declared, so that pipelines which use it compile, and needs a service that nobody has configured, such as a provider for web_search. The help says which key of the configuration it is.`,
  },
  'ORC-408': { text: `The file of a local model is not there, is damaged, or has a format that cannot be loaded. \`orc models pull NAME\` fetches it again.` },
  'ORC-409': {
    text: `The prompt is longer than what the model can take. Shorten it (truncate_words), loop over parts, or choose a model with a longer context: \`model: { min_context: 100000 }\`.`,
  },
  'ORC-410': {
    text: `The model cannot do what the request needs: it reads no images or files of this type, or makes no vectors. Nobody was asked, and nothing was paid. Name a model that can, let one be chosen (\`model: { modalities: [image] }\`, \`model: { capabilities: [embeddings] }\`), or, where the program is wrong about it, say what it can in \`models.catalog\`.`,
  },

  'ORC-501': {
    text: `The state store cannot be opened: no server answers, the credentials are wrong, or the folder cannot be written. No run was started and nothing was lost. \`orc doctor\` says which it is.`,
  },
  'ORC-502': {
    text: `The store was written by a newer version of the program, which may know things that this one would lose. Use that version or a newer one; a store is never taken back.`,
  },
  'ORC-503': {
    text: `The SQLite store lies on a network file system. Locks and syncs cannot be trusted there, so that two machines could both believe that they own a run. Put it on a local disk, or use Postgres.`,
  },
  'ORC-504': {
    text: `The store does not hold what was written to it: a checksum or the chain of hashes of a run does not fit. The run is set apart; nothing of it is served or mended in silence. \`orc verify\` tells how much is affected, \`orc backup restore\` brings back a good state.`,
  },
  'ORC-505': {
    text: `The SQLite in this Node has a fault in its write-ahead log that can lose what was acknowledged. Install the Node that package.json names.`,
  },
  'ORC-506': {
    text: `There is no run of this id, and none that begins like it. \`orc runs\` lists them; \`last\` and \`last-failed\` stand for the obvious ones. Each store has its own runs: look at --env and ORCHESTRATOR_STATE_URL.`,
  },
  'ORC-507': {
    text: `Another live process works on this run; two would write over each other. Watch it from here (\`orc watch RUN\`), or cancel it; when its process is gone the run is free at once.`,
  },
  'ORC-508': {
    text: `The run is in a state in which this cannot be done: what has completed cannot be resumed, what is not waiting cannot be approved. \`orc show RUN\` tells the state, and \`next\` in it what can be done.`,
  },
  'ORC-509': {
    text: `The idempotency key already stands for a run of another pipeline or with other inputs. The same key with the same request gives the same run; for another request use another key.`,
  },
  'ORC-510': {
    text: `A configuration in a folder may come from a stranger, so that what grants power in it (policy, commands, modules, foreign stores) counts only once somebody trusts it. It was left out. Read it, then \`orc trust FILE\`.`,
  },
  'ORC-511': {
    text: `Another process has taken over the run while this one slept or was cut off. What this one still wanted to write is refused, so that no result is recorded twice. The run goes on over there.`,
  },
  'ORC-512': { text: `The disk is full. Runs pause where they are and go on when there is room; reading still works. \`orc prune\` removes old runs.` },
  'ORC-513': {
    text: `A module of own actions cannot be loaded, or its content is not what \`orc actions sync\` recorded. Look at what has changed, then sync again.`,
  },
  'ORC-514': { text: `The system is being drained for a restart and starts nothing new; what runs is finished first. Try again later, or \`orc undrain\`.` },
  'ORC-515': { text: `The address of the store has a kind that does not exist. There are memory:, sqlite:PATH and postgres://…; redis:// is for the cache.` },
  'ORC-516': { text: `More than one run begins like this. Write one more character of the id; the help lists the candidates.` },
  'ORC-517': { text: `A file named on the command line is not there. Relative paths begin in the folder in which the command is called.` },
  'ORC-518': { text: `The command was called in a way that it does not understand. \`orc COMMAND --help\` shows its form with examples.` },
  'ORC-519': {
    text: `The configuration sets something that a later version acts on and this one does not. It is read and checked, so that one file serves both, and has no effect here. Take it out, or leave it and know that it does nothing; \`orc doctor\` lists every such key.`,
  },
  'ORC-520': {
    text: `A replay asks no model and touches nothing outside: the cassette answers, and to this request it holds no answer, because the pipeline, its inputs or an earlier answer are not those of the recording. The message shows the nearest request that was recorded and where the two differ. Put the difference right, or record anew: \`orc run FILE --record DIR\`.`,
  },
  'ORC-521': {
    text: `The folder holds no recording that can be read, or none can be written there. A cassette is an index (index.ndjson) and a folder of exchanges, one file each, named by the hash of the request in it; answers may be edited, requests may not. Record it anew, into an empty folder: \`orc run FILE --record DIR\`.`,
  },

  'ORC-601': {
    text: `The provider refused because of its rate limit more often than the retries allow. What is done is kept and is not paid again: \`orc resume RUN --after 60s\`. A limit of your own (models.providers.NAME.max_rpm) keeps below that of the provider.`,
  },
  'ORC-602': {
    text: `The next call could, at worst, cost more than the budget has left, so it was not made. Settled and reserved costs never exceed a budget: of a run, or of a call, a task, a pipeline, a user or a day (\`budget:\` of the configuration). A run that is paused for a day's budget can go on when the next day (UTC) begins, or once it is raised: \`orc budget raise day 40\`. \`orc budget\` says what is left. Or choose a cheaper model, limit the answer (\`max_tokens\`), or let \`on_exceed: fallback-model\` decide. A call whose price is not known is refused under every budget.`,
  },
  'ORC-603': {
    text: `A file, a value or a reply is larger than is allowed, which protects the machine from running out of memory. Pipelines may be 16 MiB (limits.file_mib). Hand on large data as a file rather than as a value.`,
  },
  'ORC-604': {
    text: `Something is nested deeper than is allowed: maps and lists of a pipeline 64 levels, sub-pipelines 16. Move the inner part to a file of its own.`,
    bad: `- { id: a, action: echo, parameters: { text: ${'['.repeat(70)}${']'.repeat(70)} } }`,
    good: '- { id: a, action: echo, parameters: { text: [[]] } }',
  },
  'ORC-605': {
    text: `The plan has more tasks than is allowed, 100,000 where the configuration does not say otherwise (limits.tasks). A for_each counts once, however many items it has: use one instead of writing tasks out.`,
  },
  'ORC-606': { text: `The pipeline's own \`timeout\` passed, and the run ended (exit 7). What had completed is kept: \`orc retry RUN\` goes on from there.` },

  'ORC-700': {
    text: `A fault of the program itself, not of your pipeline. Nothing that was acknowledged is lost. The message says where the report lies; please send it with the version.`,
  },
} as const satisfies Record<string, Explanation>;
