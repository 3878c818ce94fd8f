import type { JsonObject } from '../json.ts';
import { objects, texts } from './settings.ts';

/** How much a model knows, from little to much; a level is asked for as an `expertise`. */
export const LEVELS = ['low', 'medium', 'high', 'very-high'] as const;
export type Level = (typeof LEVELS)[number];

/** What a model is good for, beyond what the port tells. */
export interface Traits {
  level: Level | undefined;
  /** Fields that it is good at, and `fast`. */
  expertise: string[];
  /** `structured`, `streaming`, `tools`. */
  capabilities: string[];
  /** What it reads: `text`, `image`, `audio`. */
  modalities: string[];
  /** Undefined: nobody said, so none is ruled out. */
  languages: string[] | undefined;
  sizeBillions: number | undefined;
}

/** Families of models that are about, the first that fits. The catalog of the configuration wins over it. */
const FAMILIES: { name: RegExp; level: Level; expertise?: string[]; modalities?: string[]; tools?: false }[] = [
  { name: /claude.*opus/, level: 'very-high', expertise: ['code', 'reasoning', 'analysis', 'creative'], modalities: ['image'] },
  { name: /claude.*sonnet/, level: 'high', expertise: ['code', 'reasoning', 'analysis', 'creative'], modalities: ['image'] },
  { name: /claude.*haiku/, level: 'medium', expertise: ['fast', 'code', 'analysis'], modalities: ['image'] },
  { name: /gpt-\d[\w.]*-nano/, level: 'low', expertise: ['fast'], modalities: ['image'] },
  { name: /gpt-\d[\w.]*-mini|^o\d-mini/, level: 'medium', expertise: ['fast', 'code', 'analysis'], modalities: ['image'] },
  { name: /gpt-5|^o\d/, level: 'very-high', expertise: ['code', 'reasoning', 'analysis'], modalities: ['image'] },
  { name: /gpt-4/, level: 'high', expertise: ['code', 'reasoning', 'analysis', 'creative'], modalities: ['image'] },
  { name: /gpt-3\.5/, level: 'low', expertise: ['fast'] },
  { name: /gemini.*flash-lite/, level: 'low', expertise: ['fast'], modalities: ['image', 'audio'] },
  { name: /gemini.*flash/, level: 'medium', expertise: ['fast', 'analysis'], modalities: ['image', 'audio'] },
  { name: /gemini.*pro/, level: 'very-high', expertise: ['code', 'reasoning', 'analysis'], modalities: ['image', 'audio'] },
  { name: /codestral|coder|starcoder|codellama/, level: 'medium', expertise: ['code'] },
  { name: /deepseek-(r\d|reasoner)/, level: 'high', expertise: ['code', 'reasoning'] },
  { name: /mistral-large|pixtral-large/, level: 'high', expertise: ['code', 'reasoning', 'analysis'] },
  { name: /mistral-small|ministral/, level: 'medium', expertise: ['fast'] },
  { name: /smollm|tinyllama/, level: 'low', expertise: ['fast'], tools: false },
];

const LEVEL_BY_SIZE: { below: number; level: Level }[] = [
  { below: 4, level: 'low' },
  { below: 20, level: 'medium' },
  { below: 100, level: 'high' },
  { below: Infinity, level: 'very-high' },
];

/** What is known of a model by its name, and by its entry in the catalog. */
export function traitsOf(name: string, entry: JsonObject = {}): Traits {
  const family = FAMILIES.find(({ name: pattern }) => pattern.test(name.toLowerCase()));
  const sizeBillions = readSize(entry['size']) ?? sizeInName(name);
  const said = texts(entry['expertise']).map(word => word.toLowerCase());
  const bySize = LEVEL_BY_SIZE.find(({ below }) => sizeBillions !== undefined && sizeBillions < below)?.level;
  const modalities = entry['modalities'] === undefined ? (family?.modalities ?? []) : texts(entry['modalities']);
  const languages = texts(entry['languages']);
  return {
    level: LEVELS.findLast(level => said.includes(level)) ?? family?.level ?? bySize,
    expertise: said.length > 0 ? said : (family?.expertise ?? []),
    // An answer of a shape is asked for in words too, checked and asked again: every model can be brought to it.
    capabilities: ['structured', 'streaming', ...(entry['capabilities'] === undefined ? familyTools(family) : texts(entry['capabilities']))],
    modalities: ['text', ...modalities.map(word => (word === 'vision' ? 'image' : word))],
    languages: languages.length === 0 ? undefined : languages,
    sizeBillions,
  };
}

function familyTools(family: (typeof FAMILIES)[number] | undefined): string[] {
  return family === undefined || family.tools === false ? [] : ['tools'];
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
