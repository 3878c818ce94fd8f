/** The rooms of `src/` in their order: a room imports only rooms named here, all of which stand before it. */
export interface Room {
  readonly name: string;
  readonly imports: readonly string[];
  /** Packages that the room is made of; a room without this list may use any that package.json names. */
  readonly packages?: readonly string[];
  /** Floor 1: no clock, no chance, no timers, no promises, nothing of Node. */
  readonly pure?: boolean;
  /** Only the types of these rooms. */
  readonly typesOnly?: readonly string[];
}

const FLOORS_1_AND_2 = ['language', 'plan', 'engine', 'store', 'models', 'tools'];

export const ROOMS: readonly Room[] = [
  { name: 'leaves', imports: [], packages: ['re2js'], pure: true },
  { name: 'language', imports: ['leaves'], packages: ['yaml', 're2js'], pure: true },
  { name: 'plan', imports: ['leaves', 'language'], packages: [], pure: true },
  { name: 'engine', imports: ['leaves', 'language', 'plan'], packages: [], pure: true },
  { name: 'store', imports: ['leaves', 'engine'], typesOnly: ['engine'] },
  { name: 'models', imports: ['leaves'] },
  { name: 'tools', imports: ['leaves'] },
  { name: 'runtime', imports: ['leaves', ...FLOORS_1_AND_2] },
  { name: 'observe', imports: ['leaves', 'language', 'plan', 'engine', 'store', 'models'] },
  { name: 'debug', imports: ['leaves', 'plan', 'engine', 'store', 'runtime'] },
  { name: 'recover', imports: ['leaves', 'plan', 'engine', 'store', 'runtime'] },
  { name: 'server', imports: ['leaves', ...FLOORS_1_AND_2, 'runtime', 'observe', 'debug', 'recover'] },
  { name: 'cli', imports: ['leaves', ...FLOORS_1_AND_2, 'runtime', 'observe', 'debug', 'recover', 'server'] },
  { name: 'door', imports: ['leaves', ...FLOORS_1_AND_2, 'runtime', 'observe', 'debug', 'recover', 'server'] },
];

/** Leaf files that do what no other pure file may, and what it is. */
export const LEAF_LICENCES: Readonly<Record<string, readonly string[]>> = {
  'src/hash.ts': ['node:crypto'],
  'src/clock.ts': ['Date.now', 'performance', 'systemClock'],
};

/** Ports that know of nothing but leaves, so that every room, also an earlier one, may speak in their types. */
export const LEAF_PORTS: ReadonlySet<string> = new Set(['src/models/port.ts', 'src/tools/port.ts']);

/** Files whose types other rooms may import past the room's `index.ts`. */
export const PORTS: ReadonlySet<string> = new Set([
  'src/language/source.ts',
  'src/language/diagnostic.ts',
  'src/language/pipeline.ts',
  'src/language/expression/ast.ts',
  'src/plan/plan.ts',
  'src/engine/event.ts',
  'src/engine/document.ts',
  'src/store/port.ts',
  'src/runtime/api.ts',
]);

/** Doors beside a room's `index.ts`: what is behind them is loaded only by those who need it (the compiler with its YAML, own actions, the validator). */
export const INNER_DOORS: ReadonlySet<string> = new Set([
  'src/language/expression/index.ts',
  'src/language/source.ts',
  'src/language/explanations.ts',
  'src/language/yaml-words.ts',
  'src/plan/compile.ts',
  'src/models/pull.ts',
  'src/runtime/validator.ts',
  'src/tools/own.ts',
]);

/** The room of a file under `src/`: its first folder; loose files are leaves, but for the library's door. */
export function roomOf(file: string): string {
  const [, first = '', second] = file.split('/');
  if (first === 'index.ts') return 'door';
  return second === undefined || first === 'schema' ? 'leaves' : first;
}

/** The arrows as a table: a row a room, `x` what it may import, `t` what it may import the types of. */
export function drawRooms(rooms: readonly Room[] = ROOMS): string {
  const width = Math.max(...rooms.map(room => room.name.length));
  const head = `${' '.repeat(width)}  ${rooms.map(room => room.name.slice(0, 4).padEnd(4)).join(' ')}`;
  const cell = (room: Room, other: Room): string => (!room.imports.includes(other.name) ? '·' : room.typesOnly?.includes(other.name) ? 't' : 'x');
  const rows = rooms.map(room => `${room.name.padEnd(width)}  ${rooms.map(other => cell(room, other).padEnd(4)).join(' ')}`);
  return [head, ...rows].join('\n');
}
