/** The light door of the plan room: what a stored plan needs, without YAML or the parser. Compiling is behind `compile.ts`. */
export { edges } from './block.ts';
export { decodePlan, encodePlan } from './codec.ts';
export { levelsOf, type Edges } from './cycles.ts';
export { CircularDependencyError, DependencyResolver, levels, MissingDependencyError, resolveDependencies, type Dependent } from './dependencies.ts';
export { estimate, forEachTask, planLevels, type Estimate } from './estimate.ts';
export { frameOf } from './fingerprint.ts';
export { graph, graphText } from './graph.ts';
export type { Block, Place, Plan, PlanAction, PlanAuto, PlanHandler, PlanInput, PlanRetry, PlanTask, PlanTaskKind, PlanValue } from './plan.ts';
