import { isObject } from '../json.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import { pathText, type Reporter } from '../language/index.ts';
import type { ActionSpec } from '../tools/port.ts';
import type { Site } from './compilation.ts';

/** What reading a file found about single keys, by their path; read once a file. */
const FOUND = new WeakMap<Reporter, Map<string, Diagnostic>>();

function foundIn(reporter: Reporter): Map<string, Diagnostic> {
  let found = FOUND.get(reporter);
  if (found === undefined) {
    const keys = reporter.diagnostics.filter(({ code, path }) => path !== undefined && (code === 'ORC-103' || code === 'ORC-104'));
    FOUND.set(reporter, (found = new Map(keys.map(diagnostic => [diagnostic.path!, diagnostic]))));
  }
  return found;
}

/**
 * Parameters of an action that stand beside `parameters`, where the language took them for unknown keys: their problems are told anew, now that it is known
 * what the action takes. Gives those problems by the name of the parameter.
 */
export function claimStrays({ unit, path }: Site, spec: ActionSpec): Map<string, Diagnostic> {
  const strays = new Map<string, Diagnostic>();
  const found = foundIn(unit.reporter);
  const properties = isObject(spec.parameters) ? spec.parameters['properties'] : undefined;
  if (found.size === 0 || path.parent === undefined || !isObject(properties)) return strays;
  const task = pathText(path.parent);
  for (const name of Object.keys(properties)) {
    const problem = found.get(`${task}.${name}`);
    if (problem?.code !== 'ORC-103') continue;
    problem.message = `\`${name}\` is a parameter of \`${spec.name}\`, and stands beside \`parameters\``;
    problem.label = 'belongs under `parameters`';
    problem.help = [`write: parameters: { ${name}: … }`];
    delete problem.notes;
    strays.set(name, problem);
  }
  return strays;
}

/** Are the parameters no map, which has been told already? */
export function hasNoMap({ unit, path }: Site): boolean {
  return foundIn(unit.reporter).get(pathText(path))?.code === 'ORC-104';
}
