import type { JsonObject } from '../json.ts';
import type { Abilities } from './port.ts';
import { objects, texts } from './settings.ts';

/** How much a model knows, from little to much; a level is asked for as an `expertise`. */
export const LEVELS = ['low', 'medium', 'high', 'very-high'] as const;
export type Level = (typeof LEVELS)[number];

/** What a model is good for, beyond what the port tells. */
export interface Traits {
  level: Level | undefined;
  /** Fields that it is good at, and `fast`. */
  expertise: string[];
  /** `structured`, `streaming`, `tools`; of a model that makes vectors `embeddings` alone. */
  capabilities: string[];
  /** What it reads: `text`, `image`, `file`, `audio`. */
  modalities: string[];
  /** Undefined: nobody said, so none is ruled out. */
  languages: string[] | undefined;
  sizeBillions: number | undefined;
}

interface Family {
  name: RegExp;
  level: Level;
  expertise?: string[];
  /** Beside text. Absent is not known: some of the family do. */
  modalities?: string[];
  tools?: false;
}

/** What the large services' models read. */
const SEES = ['image', 'file'];
const HEARS = [...SEES, 'audio'];
const TEXT_ONLY: string[] = [];

/** Families of models that are about, the first that fits. The catalog of the configuration wins over it. */
const FAMILIES: Family[] = [
  { name: /claude.*opus/, level: 'very-high', expertise: ['code', 'reasoning', 'analysis', 'creative'], modalities: SEES },
  { name: /claude.*sonnet/, level: 'high', expertise: ['code', 'reasoning', 'analysis', 'creative'], modalities: SEES },
  { name: /claude.*haiku/, level: 'medium', expertise: ['fast', 'code', 'analysis'], modalities: SEES },
  { name: /gpt-\d[\w.]*-nano/, level: 'low', expertise: ['fast'], modalities: SEES },
  { name: /^o[13]-mini/, level: 'medium', expertise: ['fast', 'code', 'analysis'], modalities: TEXT_ONLY },
  { name: /gpt-\d[\w.]*-mini|^o\d-mini/, level: 'medium', expertise: ['fast', 'code', 'analysis'], modalities: SEES },
  { name: /gpt-5|^o\d/, level: 'very-high', expertise: ['code', 'reasoning', 'analysis'], modalities: SEES },
  { name: /gpt-4/, level: 'high', expertise: ['code', 'reasoning', 'analysis', 'creative'], modalities: SEES },
  { name: /gpt-3\.5/, level: 'low', expertise: ['fast'], modalities: TEXT_ONLY },
  { name: /gemini.*flash-lite/, level: 'low', expertise: ['fast'], modalities: HEARS },
  { name: /gemini.*flash/, level: 'medium', expertise: ['fast', 'analysis'], modalities: HEARS },
  { name: /gemini.*pro/, level: 'very-high', expertise: ['code', 'reasoning', 'analysis'], modalities: HEARS },
  { name: /codestral|coder|starcoder|codellama/, level: 'medium', expertise: ['code'], modalities: TEXT_ONLY },
  { name: /deepseek-(r\d|reasoner)/, level: 'high', expertise: ['code', 'reasoning'], modalities: TEXT_ONLY },
  { name: /mistral-large|pixtral-large/, level: 'high', expertise: ['code', 'reasoning', 'analysis'] },
  { name: /mistral-small|ministral/, level: 'medium', expertise: ['fast'] },
  { name: /smollm|tinyllama/, level: 'low', expertise: ['fast'], modalities: TEXT_ONLY, tools: false },
];

const LEVEL_BY_SIZE: { below: number; level: Level }[] = [
  { below: 4, level: 'low' },
  { below: 20, level: 'medium' },
  { below: 100, level: 'high' },
  { below: Infinity, level: 'very-high' },
];

/** What is known of a model by its name, and by its entry in the catalog. */
export function traitsOf(name: string, entry: JsonObject = {}): Traits {
  const family = familyOf(name);
  const sizeBillions = readSize(entry['size']) ?? sizeInName(name);
  const said = texts(entry['expertise']).map(word => word.toLowerCase());
  const bySize = LEVEL_BY_SIZE.find(({ below }) => sizeBillions !== undefined && sizeBillions < below)?.level;
  const modalities = entry['modalities'] === undefined ? (family?.modalities ?? []) : texts(entry['modalities']);
  const languages = texts(entry['languages']);
  return {
    level: LEVELS.findLast(level => said.includes(level)) ?? family?.level ?? bySize,
    expertise: said.length > 0 ? said : (family?.expertise ?? []),
    capabilities: capabilitiesOf(name, entry),
    modalities: ['text', ...modalities.map(modalityOf)],
    languages: languages.length === 0 ? undefined : languages,
    sizeBillions,
  };
}

function familyOf(name: string): Family | undefined {
  return makesVectors(name) ? undefined : FAMILIES.find(({ name: pattern }) => pattern.test(name.toLowerCase()));
}

function makesVectors(name: string): boolean {
  return /embed|(^|[/-])(bge|gte|e5|minilm)-/i.test(name);
}

function capabilitiesOf(name: string, entry: JsonObject): string[] {
  const family = familyOf(name);
  const guessed = makesVectors(name) ? ['embeddings'] : family === undefined || family.tools === false ? [] : ['tools'];
  const said = entry['capabilities'] === undefined ? guessed : texts(entry['capabilities']);
  // An answer of a shape is asked for in words too, checked and asked again: every model that answers can be brought to it.
  return said.length === 1 && said[0] === 'embeddings' ? said : ['structured', 'streaming', ...said];
}

function modalityOf(word: string): string {
  return { vision: 'image', pdf: 'file' }[word] ?? word;
}

/** What a model can do as far as its name and its entry in the catalog tell; what neither tells is left open. */
export function abilitiesOf(name: string, entry: JsonObject = {}): Abilities {
  const family = familyOf(name);
  const said = entry['capabilities'] === undefined ? undefined : texts(entry['capabilities']);
  const reads = (entry['modalities'] === undefined ? family?.modalities : texts(entry['modalities']))?.map(modalityOf);
  const known: { [ability in keyof Abilities]: boolean | undefined } = {
    tools: said?.includes('tools') ?? (family === undefined ? undefined : family.tools !== false),
    images: reads?.includes('image'),
    files: reads?.includes('file'),
    embeddings: said?.includes('embeddings') ?? (makesVectors(name) || (family === undefined ? undefined : false)),
  };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** Billions of parameters: `7B`, `135m`, `8x7b`, or a number, which means billions. */
export function readSize(value: unknown): number | undefined {
  if (typeof value === 'number') return value > 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const [, times, number, unit = 'b'] = /^\s*(?:(\d+)x)?(\d+(?:\.\d+)?)\s*([bmt]?)\s*$/i.exec(value) ?? [];
  if (number === undefined) return undefined;
  const factor = { b: 1, m: 1e-3, t: 1e3 }[unit.toLowerCase() || 'b']!;
  return Number(times ?? 1) * Number(number) * factor;
}

/** `llama-3.1-8b-instruct`, `SmolLM2-135M-Instruct`. */
function sizeInName(name: string): number | undefined {
  const [, size] = /(?:^|[-_:/])((?:\d+x)?\d+(?:\.\d+)?[bm])(?=$|[-_.:/])/i.exec(name) ?? [];
  return size === undefined ? undefined : readSize(size);
}

/** The entries of a catalog by id. */
export function catalogOf(section: JsonObject): Map<string, JsonObject> {
  return new Map(objects(section['catalog']).map(entry => [entry['id'] as string, entry]));
}
