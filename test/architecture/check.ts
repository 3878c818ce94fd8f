import { INNER_DOORS, LEAF_LICENCES, LEAF_PORTS, PORTS, ROOMS, roomOf, type Room } from './rooms.ts';
import { readSource, type Import, type SourceFile } from './source.ts';

export interface Offence {
  readonly rule: string;
  readonly where: string;
  readonly message: string;
}

const MAX_FILE_LINES = 500;
const MAX_FUNCTION_LINES = 70;
const NO_FOLDERS = new Set(['core', 'types', 'utils', 'helpers', 'common']);
const NO_ADJECTIVES = new Set(['enhanced', 'advanced', 'unified', 'simple', 'new', 'v2']);

/** All that is wrong with a tree of sources, given as path and text. */
export function checkSources(tree: ReadonlyMap<string, string>): Offence[] {
  const files = [...tree].map(([path, text]) => readSource(path, text));
  const product = files.filter(file => !file.isTest);
  return [
    ...files.flatMap(checkSize),
    ...files.flatMap(checkName),
    ...product.flatMap(checkHabits),
    ...product.flatMap(checkArrows),
    ...product.flatMap(checkPurity),
    ...checkCycles(product),
  ];
}

function checkSize(file: SourceFile): Offence[] {
  const found: Offence[] = [];
  if (file.lines > MAX_FILE_LINES) found.push({ rule: 'file-lines', where: file.path, message: `${file.lines} lines, at most ${MAX_FILE_LINES}` });
  if (file.isTest) return found;
  for (const { line, lines } of file.functions) {
    if (lines > MAX_FUNCTION_LINES)
      found.push({ rule: 'function-lines', where: `${file.path}:${line}`, message: `${lines} lines, at most ${MAX_FUNCTION_LINES}` });
  }
  return found;
}

function checkName({ path }: SourceFile): Offence[] {
  const folders = path.split('/').slice(0, -1);
  const words = (path.split('/').at(-1) ?? '').toLowerCase().split(/[._-]/);
  return [
    ...folders.filter(folder => NO_FOLDERS.has(folder)).map(folder => `a type or function lives with its maker, not in ${folder}/`),
    ...words.filter(word => NO_ADJECTIVES.has(word)).map(word => `"${word}" says which attempt this is, not what it is`),
  ].map(message => ({ rule: 'name', where: path, message }));
}

function checkHabits(file: SourceFile): Offence[] {
  const at = (line: number): string => `${file.path}:${line}`;
  return [
    ...file.anys.map(({ line }) => ({ rule: 'any', where: at(line), message: 'the type `any` switches the checker off' })),
    ...file.evals.map(({ what, line }) => ({ rule: 'eval', where: at(line), message: `${what} makes code of text (C1)` })),
    ...(file.defaultExport ? [{ rule: 'default-export', where: file.path, message: 'a default export has no name of its own' }] : []),
  ];
}

function checkArrows(file: SourceFile): Offence[] {
  const name = roomOf(file.path);
  const room = ROOMS.find(one => one.name === name);
  if (room === undefined) return [{ rule: 'room', where: file.path, message: `there is no room ${name}` }];
  return file.imports.flatMap(one => {
    const message = one.isPackage ? objectToPackage(room, file, one) : objectToFile(room, one);
    return message === undefined ? [] : [{ rule: 'arrow', where: `${file.path}:${one.line}`, message }];
  });
}

function objectToPackage(room: Room, file: SourceFile, { target }: Import): string | undefined {
  if (LEAF_LICENCES[file.path]?.includes(target)) return undefined;
  if (target.startsWith('node:')) return room.pure === true ? `${room.name} is pure, and ${target} is not` : undefined;
  return room.packages === undefined || room.packages.includes(target) ? undefined : `${room.name} is not made of ${target}`;
}

function objectToFile(room: Room, { target, typeOnly }: Import): string | undefined {
  if (!target.startsWith('src/')) return target === 'package.json' ? undefined : `${target} lies outside src/`;
  const other = roomOf(target);
  if (other === room.name || (typeOnly && LEAF_PORTS.has(target))) return undefined;
  if (!room.imports.includes(other)) return `${room.name} may not import ${other}`;
  if (room.typesOnly?.includes(other) && !typeOnly) return `${room.name} may import only the types of ${other}`;
  const isDoor = other === 'leaves' || target === `src/${other}/index.ts` || INNER_DOORS.has(target);
  return isDoor || (typeOnly && PORTS.has(target)) ? undefined : `${target} is not the door of ${other}`;
}

function checkPurity(file: SourceFile): Offence[] {
  if (ROOMS.find(room => room.name === roomOf(file.path))?.pure !== true) return [];
  const licence = LEAF_LICENCES[file.path] ?? [];
  return file.impure
    .filter(({ what }) => !licence.includes(what))
    .map(({ what, line }) => ({ rule: 'purity', where: `${file.path}:${line}`, message: `${what} has no place on floor 1` }));
}

/** Tarjan's strongly connected components over the imports of values: types are gone before anything runs. */
function checkCycles(files: readonly SourceFile[]): Offence[] {
  const targets = new Map(files.map(file => [file.path, file.imports.filter(one => !one.isPackage && !one.typeOnly).map(one => one.target)]));
  const index = new Map<string, number>();
  const stack: string[] = [];
  const found: Offence[] = [];
  const visit = (path: string): number => {
    const mine = index.size;
    let lowest = mine;
    index.set(path, mine);
    stack.push(path);
    for (const target of targets.get(path) ?? []) {
      if (!targets.has(target)) continue;
      if (!index.has(target)) lowest = Math.min(lowest, visit(target));
      else if (stack.includes(target)) lowest = Math.min(lowest, index.get(target) ?? mine);
    }
    if (lowest === mine) {
      const knot = stack.splice(stack.indexOf(path));
      if (knot.length > 1) found.push({ rule: 'cycle', where: path, message: `imports itself through ${knot.join(', ')}` });
    }
    return lowest;
  };
  for (const path of targets.keys()) if (!index.has(path)) visit(path);
  return found;
}

/** Runtime dependencies that the table of docs/dependencies.md does not give a reason for. */
export function checkDependencies(manifest: { dependencies?: object; peerDependencies?: object }, document: string): Offence[] {
  const named = new Set([...document.matchAll(/^\| `([^`]+)` \|(?: *[^|\s][^|\n]*\|){2}/gm)].map(match => match[1]));
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    .filter(name => !named.has(name))
    .map(name => ({ rule: 'dependency', where: 'docs/dependencies.md', message: `says nothing of ${name}` }));
}

/** Texts that only this machine knows, in what is committed. */
export function checkPlaces(tree: ReadonlyMap<string, string>, places: readonly string[]): Offence[] {
  return [...tree].flatMap(([path, text]) =>
    places.filter(place => text.includes(place)).map(place => ({ rule: 'place', where: path, message: `names ${place}` })),
  );
}
