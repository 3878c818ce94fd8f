import type { OffsetMap } from './pipeline.ts';

/** A text in the canonical spelling, and where its characters come from in the text as written. */
export interface Rewritten {
  text: string;
  /** Offset in the text as written of a character of the new one. */
  toWritten(offset: number): number;
}

const LOOP_NAMES = 'item|index|iteration|is_first|is_last|position|length|remaining|has_next|has_prev|loop_state|previous|queue_size';
const STRING = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/.source;
/** `$item`, but not within a string of the expression. */
const DOLLAR = new RegExp(`${STRING}|\\$(?=(?:${LOOP_NAMES})\\b)`, 'g');
const LONE_DOLLAR = new RegExp(`^(\\s*)\\$((?:${LOOP_NAMES})(?:\\.[\\w.]+|\\[[^\\]{}]*\\])*)(\\s*)$`);
/** `{{ file:path }}`, `<< path >>` (a path holds a dot or a slash, which tells it from the shell's here-documents), and any other template. */
const SPELLED = /(\{\{-?\s*)file:\s*([^\s{}'"|]+)(\s*-?\}\})|<<[ \t]*([^\s<>'"{}]*[./][^\s<>'"{}]*)[ \t]*>>|\{[{%][\s\S]*?[%}]\}/g;

/** Whether a text holds anything that `rewriteTemplate` might change; cheap, for the many that do not. */
export function mayNeedRewriting(text: string): boolean {
  return text.includes('$') || text.includes('file:') || text.includes('<<');
}

/** The accepted spellings within a text with templates: `$item`, `{{ file:path }}` and `<< path >>`. */
export function rewriteTemplate(text: string): Rewritten {
  const lone = LONE_DOLLAR.exec(text);
  const builder = new Builder(text);
  if (lone !== null) {
    builder.copyTo(lone[1]!.length);
    builder.insert('{{ ', 1);
    builder.copyTo(text.length - lone[3]!.length);
    builder.insert(' }}', 0);
  } else {
    for (const found of text.matchAll(SPELLED)) rewriteOne(builder, found);
  }
  return builder.finish();
}

function rewriteOne(builder: Builder, found: RegExpExecArray): void {
  const [whole, open, fileName, close, angleName] = found;
  const name = fileName ?? angleName;
  builder.copyTo(found.index);
  if (name === undefined) {
    for (const dollar of whole.matchAll(DOLLAR)) {
      if (dollar[0] !== '$') continue;
      builder.copyTo(found.index + dollar.index);
      builder.insert(' ', 1);
    }
    return;
  }
  const nameStart = found.index + whole.indexOf(name, open?.length ?? 2);
  builder.insert(`${open ?? '{{ '}file('`, nameStart - found.index);
  builder.copyTo(nameStart + name.length);
  builder.insert(`')${close ?? ' }}'}`, found.index + whole.length - nameStart - name.length);
}

/** The accepted spellings within an expression that may go without braces: a condition, the source of a loop. */
export function rewriteExpression(text: string): Rewritten {
  const builder = new Builder(text);
  for (const dollar of text.matchAll(DOLLAR)) {
    if (dollar[0] !== '$') continue;
    builder.copyTo(dollar.index);
    builder.insert(' ', 1);
  }
  return builder.finish();
}

/** The map of a rewritten text, laid over that of the text as written. */
export function rewrittenMap(map: OffsetMap, rewritten: Rewritten): OffsetMap {
  return { toSource: offset => map.toSource(rewritten.toWritten(offset)) };
}

/** Puts a new text together from pieces of the old one and remembers where each begins. */
class Builder {
  readonly #written: string;
  readonly #pieces: { start: number; written: number; copied: boolean }[] = [];
  #text = '';
  #done = 0;

  constructor(written: string) {
    this.#written = written;
  }

  copyTo(end: number): void {
    if (end <= this.#done) return;
    this.#pieces.push({ start: this.#text.length, written: this.#done, copied: true });
    this.#text += this.#written.slice(this.#done, end);
    this.#done = end;
  }

  /** Puts `text` where the next `replaced` characters of the old text stood. */
  insert(text: string, replaced: number): void {
    this.#pieces.push({ start: this.#text.length, written: this.#done, copied: false });
    this.#text += text;
    this.#done += replaced;
  }

  finish(): Rewritten {
    this.copyTo(this.#written.length);
    const pieces = this.#pieces;
    const length = this.#text.length;
    const writtenLength = this.#written.length;
    return {
      text: this.#text,
      toWritten(offset) {
        const piece = pieces.findLast(candidate => candidate.start <= offset);
        if (piece === undefined || offset >= length) return writtenLength;
        return piece.copied ? piece.written + offset - piece.start : piece.written;
      },
    };
  }
}
