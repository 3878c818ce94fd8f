import type { Explanation } from './port.ts';

/** YAML, schema, inputs and configuration. */
export const SCHEMA_CODES = {
  'ORC-100': {
    text: `The file is not YAML. Nothing else is checked until it is.
The usual causes: a tab as indentation, a colon in a text without quotes, a quote or bracket that is never closed, keys of one map that do not stand in one column.`,
    bad: '- id: hello\n  action: echo\n  parameters: { text: one: two }',
    good: '- id: hello\n  action: echo\n  parameters: { text: "one: two" }',
  },
  'ORC-101': {
    text: `YAML has anchors (&a), aliases (*a), merge keys (<<), tags (!!str), directives and several documents in one file. A pipeline has none of them: they make a file hard to read and let a small file stand for a huge one.
Write the value out where it is needed, or share it as an input.`,
    bad: '- id: a\n  action: echo\n  parameters: &shared { text: hello }',
    good: '- id: a\n  action: echo\n  parameters: { text: hello }',
  },
  'ORC-102': {
    text: `A key is missing without which the thing has no meaning: name and tasks of a pipeline (under \`pipeline:\` also version), id and action of a task, the body of a loop.
The message names the keys and the help shows what to add.`,
    bad: '- id: hello\n  parameters: { text: hello }',
    good: '- id: hello\n  action: echo\n  parameters: { text: hello }',
  },
  'ORC-103': {
    text: `The language does not know this key here. Where a known key is near it is taken for a slip of the pen, and an error; else it is a warning, and an error under --strict.
Notes of your own go under \`metadata\`, or under keys that begin with x-.`,
    bad: '- id: hello\n  action: echo\n  dependecies: [other]',
    good: '- id: hello\n  action: echo\n  dependencies: [other]',
  },
  'ORC-104': {
    text: `The value has another type than its key wants: a text where a list should be, "5" where 5 should be. Nothing is converted behind your back; where it is sure what was meant there is a fix, and \`orc validate --fix\` makes it.`,
    bad: '- id: loop\n  for_each: [1, 2]\n  max_parallel: "3"\n  tasks: [{ action: echo, parameters: { text: hi } }]',
    good: '- id: loop\n  for_each: [1, 2]\n  max_parallel: 3\n  tasks: [{ action: echo, parameters: { text: hi } }]',
  },
  'ORC-105': {
    text: `The same key stands twice in one map. Many YAML readers silently take the last one; here it is an error, because one of the two was meant to be something else.`,
    bad: '- id: hello\n  action: echo\n  action: log',
    good: '- id: hello\n  action: echo',
  },
  'ORC-106': {
    text: `The key takes one of a few values, or values of a certain form, and this is none of them. The help lists what is possible.`,
    bad: '- id: hello\n  action: echo\n  on_ambiguous: perhaps',
    good: '- id: hello\n  action: echo\n  on_ambiguous: retry',
  },
  'ORC-107': {
    text: `An id begins with a letter or _ and goes on with letters, digits, _ and -. Expressions refer to results by id, and could not name anything else. For text that people read there is \`name\`.`,
    bad: '- id: my task\n  action: echo',
    good: '- id: my_task\n  name: My task\n  action: echo',
  },
  'ORC-108': {
    text: `Two tasks of one list have the same id, so that a reference to it could mean either. Give one of them another. Tasks in different bodies may share an id if neither body lies within the other's list.`,
    bad: '- { id: fetch, action: echo }\n- { id: fetch, action: log }',
    good: '- { id: fetch, action: echo }\n- { id: note, action: log }',
  },
  'ORC-109': {
    text: `The id equals a name that already means something where the task stands: an input, a function, a variable of a loop around it, a task around it, or a word of the expression language such as \`and\`. One of the two could no longer be named.`,
    bad: '- id: range\n  action: echo',
    good: '- id: price_range\n  action: echo',
  },
  'ORC-110': {
    text: `A time is a number of seconds, or a text of numbers with units: ms, s, m, h, d, w. It is fixed when the plan is made, so that neither a template nor an <AUTO> tag can stand here.`,
    bad: '- id: hello\n  action: echo\n  timeout: soon',
    good: '- id: hello\n  action: echo\n  timeout: 1m30s',
  },
  'ORC-111': {
    text: `Two keys of one task exclude each other: two loops, a loop and an action, or two spellings of one key. A task calls an action, or is one loop, or is one group; put the one into the body of the other.`,
    bad: '- id: both\n  for_each: [1, 2]\n  action: echo\n  tasks: [{ action: log, parameters: { text: x } }]',
    good: '- id: loop\n  for_each: [1, 2]\n  tasks: [{ action: log, parameters: { text: x } }]',
  },
  'ORC-112': {
    text: `There is nothing in it: the file, the list of tasks, the body of a loop, the choices of an input.`,
    bad: 'name: p\ntasks: []',
    good: 'name: p\ntasks:\n  - { id: hello, action: echo, parameters: { text: hello } }',
  },
  'ORC-113': {
    text: `Within brackets, YAML reads { as the beginning of a map, so that a template needs quotes there. In a value on a line of its own it may stand without. \`orc validate --fix\` adds the quotes.`,
    bad: '- { id: hello, action: echo, parameters: { text: {{ execution.date }} } }',
    good: '- { id: hello, action: echo, parameters: { text: "{{ execution.date }}" } }',
  },
  'ORC-114': {
    text: `What stands here is meant as a JSON Schema and is not one, or uses a keyword that is not understood. Regular expressions in it are those of RE2: no look-around and no back-references, and in return they always take linear time.`,
    bad: 'name: p\ninputs:\n  code: { type: string, pattern: "(" }\ntasks:\n  - { id: hello, action: echo }',
    good: 'name: p\ninputs:\n  code: { type: string, pattern: "^[A-Z]+$" }\ntasks:\n  - { id: hello, action: echo }',
  },
  'ORC-115': {
    text: `An input of the run does not have the type that the pipeline declares, or lies outside its limits or choices. Nothing has run.
On the command line \`-i depth=3\` is read by the declared type; in --inputs FILE.json a number is 3 and not "3".`,
  },
  'ORC-116': {
    text: `The pipeline declares an input without a default, and the run was started without it. Give it with \`-i name=value\` or in --inputs FILE.json, or give the input a default in the file.`,
  },
  'ORC-117': { text: `An input was given that the pipeline does not declare; most often its name has a slip. \`orc plan FILE\` lists the inputs.` },
  'ORC-118': {
    text: `The language has one canonical spelling and reads a number of others, so that older pipelines run as they are: steps for tasks, depends_on and needs for dependencies, if and when for condition, foreach for for_each, tool with action for action: tool.operation, max_retries for retry.max_attempts, requires_model for model, continue_on_error for on_failure, and so on.
This is no problem. \`orc fmt FILE\` writes the canonical spelling and keeps comments.`,
  },
  'ORC-119': {
    text: `orchestrator.config.yaml has a key that does not exist or a value that cannot be. Every key is optional; unknown ones are errors, so that a slip does not silently leave a default in force.`,
  },
  'ORC-120': {
    text: `The pipeline declares an input that no expression, template or AUTO tag refers to. It does no harm, but whoever runs the pipeline will think that it matters. Use it, or remove it.`,
  },
} as const satisfies Record<string, Explanation>;
