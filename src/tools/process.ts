import type { JsonObject } from '../json.ts';
import type { Action } from './port.ts';

const load = () => import('./programs.ts');

const COMMON: JsonObject = {
  args: {
    type: 'array',
    items: { type: 'string' },
    default: [],
    description: 'Data for the program, one argument each; no shell reads them. In a shell command they are "$1", "$2" and so on.',
  },
  cwd: { type: 'string', default: '.', 'x-auto': false, description: 'Folder in which it runs; it must lie in a folder of policy.files.roots.' },
  env: {
    type: 'object',
    additionalProperties: true,
    default: {},
    'x-auto': false,
    'x-secret': true,
    description:
      'Environment variables to add to PATH, HOME, LANG, TMPDIR and ORCHESTRATOR_IDEMPOTENCY_KEY, which are all that it gets. Secrets may stand here.',
  },
  timeout: {
    type: ['number', 'string'],
    'x-duration': true,
    description: 'How long it may run: seconds, or 30s, 2m. Without it the timeout of the task holds.',
  },
  max_output: {
    type: 'integer',
    minimum: 0,
    default: 1_048_576,
    description: 'Bytes kept of each output; where there is more, the middle is left out and the text says so.',
  },
  check: { type: 'boolean', default: true, description: 'Fail where the return code is not 0; false takes any code as a result.' },
};

const RESULT: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['stdout', 'stderr', 'return_code', 'duration_ms'],
  properties: {
    stdout: { type: 'string', description: 'What it wrote on its standard output.' },
    stderr: { type: 'string', description: 'What it wrote on its standard error.' },
    return_code: { type: 'integer', description: 'Its exit code; 128 and the number of the signal where a signal ended it.' },
    duration_ms: { type: 'integer', description: 'How long it ran, in ms.' },
  },
};

/** Programs of the host. Both are denied until the policy allows them (C9, C10). */
export const PROCESS_ACTIONS: Action[] = [
  {
    name: 'shell.run',
    summary: 'Runs a command.',
    effect: 'effectful',
    powers: ['shell'],
    description: [
      'policy.shell decides: deny (the default), allow, or a list of programs. With allow, /bin/sh reads the command.',
      'With a list there is no shell: the command is split into words, the first must be in the list, the command may hold no template, and what stands in args may not begin with a hyphen.',
      'The command gets a group of its own. At the time-out and at cancel the group is asked to end, and killed 2 s later; what it leaves running when it ends is killed too.',
    ].join(' '),
    parameters: {
      type: 'object',
      required: ['command'],
      additionalProperties: false,
      properties: {
        command: { type: 'string', minLength: 1, 'x-auto': false, 'x-literal': true, description: 'The command. Data belongs into args, not into this text.' },
        ...COMMON,
        input: { type: 'string', 'x-secret': true, description: 'What the command reads on its standard input.' },
      },
    },
    result: RESULT,
    example: '- id: count\n  action: shell.run\n  parameters: { command: \'grep -c TODO "$1"\', args: ["{{ file }}"] }',
    run: async (parameters, context) => (await load()).runShell(parameters, context),
  },
  {
    name: 'python.run',
    summary: 'Runs Python code.',
    effect: 'effectful',
    powers: ['code'],
    description:
      'Runs python3 -I with the code on its standard input, in a group of its own, with the network taken away (bwrap or unshare). Where the system cannot do that it is refused, unless policy.network.private is allow. policy.code must be allow.',
    parameters: {
      type: 'object',
      required: ['code'],
      additionalProperties: false,
      properties: {
        code: { type: 'string', 'x-auto': false, 'x-literal': true, description: 'The program. Data belongs into args, which it finds in sys.argv[1:].' },
        ...COMMON,
        memory_mib: { type: 'number', minimum: 16, default: 2048, description: 'Memory that it may map, in MiB.' },
      },
    },
    result: RESULT,
    example:
      '- id: sum\n  action: python.run\n  parameters:\n    code: |\n      import sys\n      print(sum(map(float, sys.argv[1:])))\n    args: ["1.5", "2"]',
    run: async (parameters, context) => (await load()).runPython(parameters, context),
  },
];
