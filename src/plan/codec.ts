import { OrchestratorError } from '../errors.ts';
import { isObject, type Json } from '../json.ts';
import type { Plan } from './plan.ts';

/** A plan as the text that the store keeps. */
export function encodePlan(plan: Plan): string {
  return JSON.stringify(plan);
}

/** The plan that `encodePlan` wrote. Throws ORC-504 where the text is none, ORC-502 where a newer program wrote it. */
export function decodePlan(text: string): Plan {
  let plan: Json;
  try {
    plan = JSON.parse(text) as Json;
  } catch (cause) {
    throw new OrchestratorError('ORC-504', 'the stored plan is not JSON', { class: 'storage', cause });
  }
  if (!isObject(plan) || typeof plan['hash'] !== 'string' || !Array.isArray(plan['blocks']))
    throw new OrchestratorError('ORC-504', 'what is stored is not a plan', { class: 'storage' });
  if (plan['format'] !== 1)
    throw new OrchestratorError('ORC-502', `the stored plan has format ${String(plan['format'])}, and this program reads format 1`, { class: 'storage' });
  return plan as unknown as Plan;
}
