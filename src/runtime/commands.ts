import { hasEnded, pathOf, slotOf, type Command, type RunState } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import type { Plan } from '../plan/index.ts';

/** Does a command fit the run as it stands? Throws ORC-508 in words, so that nobody waits for an answer that cannot come. */
export function checkCommand(run: string, plan: Plan, state: RunState, command: Command): void {
  const refuse = (message: string, help: string[]): never => {
    throw new OrchestratorError('ORC-508', message, { class: 'invalid_input', help });
  };
  if (hasEnded(state)) refuse(`${run} is ${state.status}, so it cannot be told to ${command.type}`, [`orchestrator show ${run}`]);
  if (command.type !== 'approve' && command.type !== 'settle') return;
  const slot = slotOf(plan, state, command.task);
  const extra = slot < 0 ? undefined : state.extra.get(slot);
  const wanted = command.type === 'approve' ? 'approval' : 'needs_attention';
  if (slot < 0 || state.taskReason[slot] !== wanted) {
    const waiting = waitingPaths(plan, state, wanted);
    const similar = nearest(command.task, waiting, 1)[0];
    refuse(
      slot < 0
        ? `there is no task \`${command.task}\` in ${run}`
        : `\`${command.task}\` does not wait for ${command.type === 'approve' ? 'an approval' : 'a verdict'}`,
      waiting.length === 0 ? [`orchestrator show ${run}`] : [`orchestrator ${command.type} ${run} '${similar ?? waiting[0]}' …`],
    );
  }
  if (command.type === 'approve' && !extra!.choices!.includes(command.choice)) {
    refuse(`\`${command.choice}\` is not a choice of \`${command.task}\`: ${extra!.choices!.join(', ')}`, [
      `orchestrator approve ${run} '${command.task}' --choice ${extra!.choices![0]}`,
    ]);
  }
}

function waitingPaths(plan: Plan, state: RunState, reason: string): string[] {
  const paths: string[] = [];
  for (let slot = 0; slot < state.slots; slot++) if (state.taskReason[slot] === reason) paths.push(pathOf(plan, state, slot));
  return paths;
}
