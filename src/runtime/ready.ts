import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import type { Models } from '../models/index.ts';
import type { Plan } from '../plan/index.ts';
import type { StartOptions } from './api.ts';

/** Before a run is accepted: are the models and providers that it needs there? Throws ORC-401, ORC-402, ORC-407 (exit 4), ORC-201 for an unknown `until`. */
export function checkReady(plan: Plan, models: Models, options: StartOptions): void {
  const mocked = new Set(Object.keys(options.mocks ?? {}));
  const tasks = plan.blocks.flatMap(block => block.tasks);
  if (options.until !== undefined && !plan.blocks[0]!.tasks.some(task => task.id === options.until)) {
    const ids = plan.blocks[0]!.tasks.map(task => task.id);
    const near = nearest(options.until, ids, 1)[0];
    throw new OrchestratorError('ORC-201', `there is no task \`${options.until}\` to run until`, {
      class: 'invalid_input',
      help: [near === undefined ? `tasks: ${ids.slice(0, 20).join(', ')}${ids.length > 20 ? ', …' : ''}` : `did you mean \`${near}\`?`],
    });
  }
  // In a replay the cassette stands for all of them.
  if (options.replay !== undefined) return;
  for (const [name, action] of Object.entries(plan.actions)) {
    if (action.provider === undefined || !tasks.some(task => task.action === name && !mocked.has(task.id))) continue;
    throw new OrchestratorError('ORC-407', `\`${name}\` needs a provider, and none is configured`, {
      class: 'unavailable',
      help: [`orchestrator actions ${name}`],
    });
  }
  if (!plan.needsModel || plan.defaultModel !== undefined) return;
  const open = tasks.filter(task => needsModel(task, options.locked) && !mocked.has(task.id));
  if (
    open.length === 0 &&
    (options.locked === true || !plan.inputs.some(input => input.autos?.some(tag => tag.default === undefined && tag.model === undefined)))
  )
    return;
  // A default that is no model is told now, and not by the first task that asks it.
  if (models.hasDefault()) return void models.default();
  throw new OrchestratorError('ORC-402', `${open.length === 0 ? 'an input' : `\`${open[0]!.id}\``} needs a model, and none is configured`, {
    class: 'unavailable',
    help: [
      'name one in orchestrator.config.yaml, under models: default',
      'or give the <AUTO> tags a default="…"',
      'or take a recorded result: --mock TASK=@FILE',
    ],
  });
}

/** Actions that ask the model of the task, or the default, where their parameters name none. */
const ASKING = new Set(['agent', 'analyze_text', 'chat', 'classify', 'embed', 'extract', 'generate_structured', 'generate_text']);

/** A locked run asks for no tags. */
function needsModel(task: Plan['blocks'][number]['tasks'][number], locked = false): boolean {
  if (task.model !== undefined) return false;
  const { parameters } = task;
  const names = 'v' in parameters ? Object.keys(parameters.v ?? {}) : 'o' in parameters ? parameters.o.map(([name]) => name) : [];
  return (ASKING.has(task.action) && !names.includes('model')) || (!locked && task.autos.some(tag => tag.default === undefined && tag.model === undefined));
}
