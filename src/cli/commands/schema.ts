import type { Invocation } from '../invocation.ts';
import { usageError } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';

export async function schema(terminal: Terminal, { args }: Invocation): Promise<number> {
  const [what = 'pipeline'] = args;
  if (what !== 'pipeline' && what !== 'config')
    throw usageError(`there is no schema of \`${what}\``, ['orchestrator schema pipeline', 'orchestrator schema config']);
  terminal.out(`${JSON.stringify(what === 'config' ? await configSchema() : await pipelineSchemaFor(terminal), null, 2)}\n`);
  return 0;
}

async function configSchema(): Promise<unknown> {
  return (await import('../../runtime/index.ts')).CONFIG_SCHEMA;
}

async function pipelineSchemaFor(terminal: Terminal): Promise<unknown> {
  const [{ pipelineSchema }, { surroundingsOf }] = await Promise.all([import('../../language/index.ts'), import('../compiling.ts')]);
  return pipelineSchema(surroundingsOf(terminal).specs);
}
