import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { EXIT } from '../exit.ts';
import { usageError, type Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';

export async function init(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const folder = resolve(terminal.cwd, args[0] ?? '.');
  const answers = await gather(terminal, folder, flags.text('name'), flags.text('model'), flags.on('yes'));
  const files: [string, string][] = [
    ['pipeline.yaml', pipelineText(answers.name)],
    ['orchestrator.config.yaml', configText(answers.model)],
  ];
  const there = files.map(([name]) => join(folder, name)).filter(path => existsSync(path));
  if (there.length > 0 && !flags.on('force'))
    throw usageError(`${relative(terminal.cwd, there[0]!) || there[0]} is there already`, [
      'write over it: orchestrator init --force',
      'or take another folder: orchestrator init demo',
    ]);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  ignoreState(folder);
  if (terminal.quiet) return EXIT.ok;
  const shown = relative(terminal.cwd, folder);
  const at = (name: string): string => (shown === '' ? name : join(shown, name));
  terminal.err(
    `${terminal.paint('ok', '✓')} wrote ${files.map(([name]) => at(name)).join(' and ')}\n\nNext:\n${shown === '' ? '' : `  cd ${shown}\n`}  orchestrator validate pipeline.yaml\n  orchestrator run pipeline.yaml -i name=Ada\n`,
  );
  return EXIT.ok;
}

interface Answers {
  name: string;
  model: string | undefined;
}

async function gather(terminal: Terminal, folder: string, name: string | undefined, model: string | undefined, yes: boolean): Promise<Answers> {
  const proposed =
    basename(folder)
      .toLowerCase()
      .replaceAll(/[^a-z0-9_]+/g, '_')
      .replace(/^[^a-z_]+/, '') || 'pipeline';
  if (yes || !terminal.canAsk || (name !== undefined && model !== undefined)) return { name: name ?? proposed, model };
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const askedName = name ?? ((await asking.question(`Name of the pipeline (${proposed}): `)).trim() || proposed);
    const askedModel = model ?? ((await asking.question('Model, such as local/smollm2 (none): ')).trim() || undefined);
    return { name: askedName, model: askedModel };
  } finally {
    asking.close();
  }
}

function ignoreState(folder: string): void {
  const path = join(folder, '.gitignore');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (/^\.orchestrator\/?$/m.test(text)) return;
  writeFileSync(path, `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}.orchestrator/\n`);
}

function pipelineText(name: string): string {
  return `pipeline:
  name: ${JSON.stringify(name)}
  version: "1.0"
  description: Greets somebody, and keeps the greeting in a file
  inputs:
    name: { type: string, default: world, description: Whom to greet }
  tasks:
    - id: greet
      action: echo
      parameters: { text: "Hello, {{ name }}!" }
    - id: keep
      action: filesystem.write
      parameters:
        path: greeting.txt
        content: "{{ greet.result }}"
  outputs:
    greeting: "{{ greet.result }}"
    file: "{{ keep.result.path }}"
`;
}

function configText(model: string | undefined): string {
  return `# Every key is optional; \`orchestrator doctor\` says what is ready. Reference: docs/reference/configuration.md
${
  model === undefined
    ? `# models:
#   default: lab/small                     # the model of tasks that name none
#   providers:
#     lab: { type: openai-compatible, base_url: "http://127.0.0.1:8000/v1", api_key: "\${env:LAB_KEY}" }
`
    : `models:
  default: ${JSON.stringify(model)}
${providerText(model)}`
}policy: { shell: deny, code: deny }         # what pipelines may do; more than this counts once you say: orchestrator trust
`;
}

function providerText(model: string): string {
  const [provider] = model.split('/') as [string];
  const settings =
    provider === 'local'
      ? '{ type: llama.cpp, models_dir: ~/.orchestrator/models }'
      : '{ type: openai-compatible, base_url: "http://127.0.0.1:8000/v1" }    # where it is served; api_key: "${env:NAME}" if it wants one';
  return `  providers:
    ${provider}: ${settings}
`;
}
