import type { RunDocument } from '../engine/document.ts';
import type { Plan, PlanAuto } from '../plan/plan.ts';
import { answerKey, inputKey, type EmbeddedShell } from '../runtime/index.ts';
import { taskAt } from './trouble.ts';

/** The answer to one AUTO tag of a run. */
export interface TagAnswer {
  /** Path of its task; empty for a tag of an input. */
  path: string;
  /** Its target, with a number where a task has several for the same one. */
  key: string;
  target: string;
  value: RunDocument['autos'][number]['value'];
  source: RunDocument['autos'][number]['source'];
  model: string | null;
  reason: string | null;
  /** The tag itself; undefined where the plan does not have it. */
  tag: PlanAuto | undefined;
}

/** The answers to the tags of a run, in the order of its document; their tags are those of its plan. */
export async function answersOf(shell: EmbeddedShell, document: RunDocument, plan: Plan | undefined): Promise<TagAnswer[]> {
  /** Reasons by path and number of the tag; the document has the answers of a path in the order of these numbers. */
  const reasons = new Map<string, Map<number, string | null>>();
  for await (const event of shell.events(document.run)) {
    if (event.type !== 'auto.resolved') continue;
    const path = event.path ?? '';
    const ofPath = reasons.get(path) ?? new Map<number, string | null>();
    reasons.set(path, ofPath.set(event.index, event.reason));
  }
  const counters = new Map<string, number>();
  return document.autos.map(auto => {
    const at = counters.get(auto.path) ?? 0;
    counters.set(auto.path, at + 1);
    const ofPath = reasons.get(auto.path) ?? new Map<number, string | null>();
    const index = [...ofPath.keys()].sort((a, b) => a - b)[at] ?? at;
    const tags = plan === undefined ? [] : tagsAt(plan, auto.path);
    const tag = tags[index];
    const key = plan === undefined || tag === undefined ? auto.target : auto.path === '' ? inputKey(plan, index) : answerKey(tags, index);
    return { ...auto, key, reason: ofPath.get(index) ?? null, tag };
  });
}

function tagsAt(plan: Plan, path: string): PlanAuto[] {
  return path === '' ? plan.inputs.flatMap(input => input.autos ?? []) : (taskAt(plan, path)?.autos ?? []);
}

/** How an answer is called before people. */
export function answerName({ path, key }: Pick<TagAnswer, 'path' | 'key'>): string {
  return path === '' ? key : `${path}.${key}`;
}
