import { isObject, type JsonObject, type JsonSchema } from '../json.ts';
import type { LiteralValue, MapValue, Value } from '../language/pipeline.ts';
import type { Span } from '../language/source.ts';
import { describeSchema } from '../schema.ts';
import type { ActionSpec } from '../tools/port.ts';
import type { Site } from './compilation.ts';
import { checkGiven, checkNames } from './parameters.ts';
import type { PlanValue } from './plan.ts';
import { nearNames } from './references.ts';
import { memberSchema, takesType } from './members.ts';
import { claimStrays, hasNoMap } from './strays.ts';
import { inside, joinEntries, lower } from './values.ts';

/** The action of this name, and the plan's note of it; undefined, with a problem, where there is none. */
export function findAction(site: Site, action: { name: string; span: Span; prose?: string }): ActionSpec | undefined {
  const { compilation, unit } = site;
  const spec = compilation.catalog.get(action.name);
  if (spec !== undefined) {
    if (!Object.hasOwn(compilation.actions, spec.name)) {
      const { effect, parameters, result, provider, powers } = spec;
      compilation.actions[spec.name] = {
        effect,
        parameters,
        result,
        ...(provider === undefined ? {} : { provider }),
        ...(powers.includes('model') ? { model: true } : {}),
      };
    }
    return spec;
  }
  const near = nearNames(site, action.name, compilation.catalog.keys());
  unit.reporter.error('ORC-210', action.span, `there is no action called \`${action.name}\``, {
    path: site.path,
    label: near === undefined ? 'no action has this name' : `did you mean \`${near}\`?`,
    help: [...(near === undefined ? [] : [`did you mean \`${near}\`?`]), 'list actions: orchestrator actions'],
  });
  return undefined;
}

/** A parameter whose schema depends on the task: the inputs of a sub-pipeline. */
interface SpecialParameter {
  key: string;
  schema: JsonSchema;
  check(site: Site, value: Value, lowered: PlanValue): void;
}

/** The parameters of a task as the plan holds them, checked against what the action declares. One that it does not know is left out, with a problem. */
export function lowerParameters(
  site: Site,
  parameters: MapValue,
  spec: ActionSpec | undefined,
  taskId: string,
  at: Span,
  special?: SpecialParameter,
): PlanValue {
  const schema = spec?.parameters ?? true;
  const unknown = spec === undefined ? new Set<string>() : checkParameterNames(site, parameters, spec, taskId, at);
  const entries: [string, PlanValue][] = [];
  for (const { key, value } of parameters.entries) {
    const here = inside(site, key);
    const member = special?.key === key ? special.schema : memberSchema(schema, key);
    // What is left out is still checked for names, but its questions are not asked.
    if (unknown.has(key)) lower({ ...here, autos: here.autos && [] }, value);
    else {
      const isTools = isObject(member) && member['x-actions'] === true;
      if (isTools) checkTools(here, value);
      const lowered = lower(isTools ? { ...here, autos: null } : here, value, member);
      // One that is null counts as not given, unless the action has a meaning for it.
      if ('v' in lowered && lowered.v === null && !takesType(member, 'null')) continue;
      if (special?.key === key) special.check(here, value, lowered);
      else if (spec !== undefined) checkGiven(here, value, lowered, member, key, 'ORC-212', [describeParameter(spec, key)]);
      entries.push([key, lowered]);
    }
  }
  return joinEntries(entries);
}

/** The tools of a task are a list in the file: nothing that is computed adds one, or widens what it may do; only what is fixed of their parameters may be (C16). */
function checkTools(site: Site, tools: Value): void {
  if (tools.kind !== 'list') {
    if (tools.kind !== 'literal') reportTool(site, tools, 'must be written here, as a list of actions');
    return;
  }
  for (const [index, tool] of tools.items.entries()) {
    const here = inside(site, index);
    if (tool.kind === 'map') checkToolMap(here, tool);
    else if (tool.kind === 'literal') checkToolName(here, tool);
    else reportTool(here, tool, 'must be the name of an action');
  }
}

function checkToolMap(site: Site, tool: MapValue): void {
  let spec: ActionSpec | undefined;
  for (const { key, value } of tool.entries) {
    if (key === 'action' && value.kind === 'literal') spec = checkToolName(inside(site, key), value);
    else if (key !== 'fixed' && !isWritten(value)) reportTool(inside(site, key), value, 'must be written here: only `fixed` may hold what is computed');
  }
  const properties = isObject(spec?.parameters) ? spec.parameters['properties'] : undefined;
  const fixed = tool.entries.find(({ key }) => key === 'fixed')?.value;
  if (!isObject(properties) || fixed?.kind !== 'map') return;
  for (const { key, keySpan } of fixed.entries) {
    if (Object.hasOwn(properties, key)) continue;
    const near = nearNames(site, key, Object.keys(properties));
    site.unit.reporter.error('ORC-213', keySpan, `\`${spec!.name}\` has no parameter \`${key}\``, {
      path: inside(inside(site, 'fixed'), key).path,
      ...(near === undefined ? {} : { label: `did you mean \`${near}\`?` }),
    });
  }
}

function checkToolName(site: Site, { value, span }: LiteralValue): ActionSpec | undefined {
  if (typeof value !== 'string') return undefined;
  const spec = findAction(site, { name: value, span });
  if (spec?.engine !== undefined) reportTool(site, { span }, `cannot be \`${spec.name}\`, which is a task of its own`);
  return spec;
}

function isWritten(value: Value): boolean {
  if (value.kind === 'list') return value.items.every(isWritten);
  return value.kind === 'map' ? value.entries.every(entry => isWritten(entry.value)) : value.kind === 'literal';
}

function reportTool(site: Site, { span }: { span: Span }, message: string): void {
  site.unit.reporter.error('ORC-212', span, `\`${site.target.replace(/^parameters\./, '')}\` ${message}`, { path: site.path });
}

function checkParameterNames(site: Site, parameters: MapValue, spec: ActionSpec, taskId: string, at: Span): Set<string> {
  const { reporter } = site.unit;
  const strays = claimStrays(site, spec);
  return checkNames(site, parameters, spec.parameters, {
    unknown(key, span, near, known) {
      const details = {
        path: inside(site, key).path,
        label: near === undefined ? 'is left out' : `did you mean \`${near}\`?`,
        notes: [known.length === 0 ? `\`${spec.name}\` takes no parameters` : `\`${spec.name}\` takes: ${known.join(', ')}`],
        ...(near === undefined ? {} : { help: [`did you mean \`${near}\`?`] }),
      };
      const message = `\`${spec.name}\` has no parameter \`${key}\``;
      if (near === undefined) reporter.warn('ORC-213', span, message, details);
      else reporter.error('ORC-213', span, message, details);
    },
    missing(names) {
      if (hasNoMap(site)) return;
      const beside = names.filter(name => strays.has(name));
      for (const name of beside) strays.get(name)!.severity = 'error';
      if (beside.length > 0) return;
      const listed = names.map(name => `\`${name}\``).join(' or ');
      reporter.error('ORC-211', at, `\`${taskId}\` gives ${spec.name} no ${listed}`, {
        path: site.path,
        label: `needs ${listed}`,
        notes: names.filter(name => !name.includes(' ')).map(name => describeParameter(spec, name)),
        ...(spec.example === undefined ? {} : { help: [`for example:\n${spec.example}`] }),
      });
    },
  });
}

/** `web_search: max_results (integer from 1 to 100, default 10) - how many results to return`. */
function describeParameter(spec: ActionSpec, name: string): string {
  const schema = memberSchema(spec.parameters, name);
  const { default: fallback, description } = isObject(schema) ? schema : ({} as JsonObject);
  const standard = fallback === undefined ? '' : `, default ${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}`;
  return `${spec.name}: ${name} (${describeSchema(schema)}${standard})${typeof description === 'string' ? ` - ${description}` : ''}`;
}
