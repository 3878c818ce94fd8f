import { styleText } from 'node:util';

/** How a piece of text is meant; what that looks like is decided here alone. */
export type Style = 'error' | 'warning' | 'info' | 'ok' | 'strong' | 'faint' | 'line' | 'aside' | 'busy';

export type Paint = (style: Style, text: string) => string;

const FORMATS: Record<Style, Parameters<typeof styleText>[0]> = {
  error: ['bold', 'red'],
  warning: ['bold', 'yellow'],
  info: ['bold', 'cyan'],
  ok: 'green',
  strong: 'bold',
  faint: 'dim',
  line: 'blue',
  aside: 'blue',
  busy: 'cyan',
};

export const plain: Paint = (_, text) => text;
export const coloured: Paint = (style, text) => (text === '' ? '' : styleText(FORMATS[style], text, { validateStream: false }));

/** Characters that would move the cursor, recolour the terminal or turn the direction of text (C20). Tab and line feed are left to whoever lays out lines. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ue000-\uf8ff\ufeff]/g;

/** Makes control characters visible, so that no text of a file, a model or a server can steer the terminal (C20). */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, character => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same for a text that must stay on its line. */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const ANSI = /\u001b\[[0-9;]*m/g;

/** Columns that a character takes in a terminal. */
function characterWidth(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1f64f) ||
    (code >= 0x1f680 && code <= 0x1f6ff) ||
    (code >= 0x1f900 && code <= 0x1f9ff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

/** Columns that a text takes in a terminal; colours take none, a Chinese character two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text.replace(ANSI, '')) width += characterWidth(character);
  return width;
}

/** A text in so many columns, with `…` where something is left out. */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The end of a text in so many columns, with `…` where something before it is left out. */
export function fitEnd(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const character of [...text].reverse()) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    kept = character + kept;
  }
  return columns < 1 ? '' : `…${kept}`;
}

/** A text in so many columns, filled up with blanks. */
export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, columns - widthOf(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

/** Breaks a text at its spaces into lines of so many columns; a longer word stands alone. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `1 error`, `2 errors`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}
