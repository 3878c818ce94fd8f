import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isScalar, parseDocument, Document, Scalar, type YAMLMap } from 'yaml';
import { nodeSpan, textMap } from './nodes.ts';
import { linearMap, mappedSpan, scalarMap, shiftedMap } from './offsets.ts';
import { makeSource } from './source.ts';

/** The text of the value of `k`, and for each of its characters what stands at its place in the file. */
function setup(text: string): { decoded: string; places: string[]; offsets: number[] } {
  const node = (parseDocument(text).contents as YAMLMap).get('k', true);
  if (!isScalar(node) || typeof node.value !== 'string') throw new Error('the test has no text');
  const map = textMap(makeSource('t.yaml', text), node);
  const offsets = Array.from({ length: node.value.length + 1 }, (_, i) => map.toSource(i));
  return { decoded: node.value, places: offsets.map(offset => text[offset] ?? ''), offsets };
}

describe('offsets', () => {
  test.each<[string, string, string, string]>([
    ['plain', 'k: abc', 'abc', 'abc'],
    ['plain over lines', 'k: ab\n  cd\n\n  ef', 'ab cd\nef', 'ab\ncd\nef'],
    ['single quotes', "k: 'it''s'", "it's", "it's"],
    ['single quotes over lines', "k: 'a\n  b\n\n\n  c'", 'a b\n\nc', 'a\nb\n\nc'],
    ['double quotes with escapes', 'k: "\\"\\x41\\u00e9\\U0001F600\\n!"', '"A\u00e9\u{1F600}\n!', '\\\\\\\\\\\\!'],
    ['double quotes over lines', 'k: "a \\\n   b\n   c"', 'a b c', 'a b\nc'],
    ['double quotes on lines of Windows', 'k: "a\\\r\n  b\r\n  c"', 'ab c', 'ab\rc'],
    ['a literal block', 'k: |\n  a\n    b\n\n  c\n', 'a\n  b\n\nc\n', 'a\n  b\n\nc\n'],
    ['a literal block with an indentation of its own', 'k: |2-\n    a\n  b', '  a\nb', '  a\nb'],
    ['a literal block that begins with a blank line', 'k: |\n\n  a\n', '\na\n', '\na\n'],
    ['a literal block on lines of Windows', 'k: |\r\n  a\r\n  b\r\n', 'a\nb\n', 'a\rb\r'],
    ['a folded block', 'k: >\n  a\n  b\n\n  c\n   d\n  e\n', 'a b\nc\n d\ne\n', 'a\nb\nc\n d\ne\n'],
    ['a folded block that keeps its end', 'k: >+\n  a\n\n\nj: 1', 'a\n\n\n', 'a\n\n\n'],
  ])('%s', (_name, text, decoded, places) => {
    const found = setup(text);
    expect(found.decoded).toBe(decoded);
    const same = (character: string): string => (character === ' ' ? '\n' : character);
    // White space that YAML folds may stand at any of the characters that it was made from.
    expect(found.places.slice(0, -1).map(same).join('')).toBe(Array.from(places, same).join(''));
  });

  test('the end of a text is the end of its scalar', () => {
    expect(setup('k: "a\\n"').offsets.at(-1)).toBe(7);
    expect(setup('k: |-\n  ab').offsets).toEqual([8, 9, 10]);
    expect(setup('k: |\n').offsets).toEqual([5]);
    expect(setup('k: |').offsets).toEqual([4]);
  });

  test('offsets outside of a text are those of its ends', () => {
    const map = scalarMap("'a''b'", 1, 5, 'single', "a'b");
    expect([-3, 0, 1, 2, 3, 99].map(offset => map.toSource(offset))).toEqual([1, 1, 2, 4, 5, 5]);
  });

  test('a part of a text has the map of the whole, shifted', () => {
    const map = scalarMap("'a''b'", 1, 5, 'single', "a'b");
    expect(shiftedMap(map, 2).toSource(0)).toBe(4);
    expect(shiftedMap(map, 0)).toBe(map);
    expect(mappedSpan(map, 1, 3)).toEqual({ start: 2, end: 5 });
    expect(mappedSpan(linearMap(10), 2, 2)).toEqual({ start: 12, end: 12 });
  });

  test('every character of every style is found where it stands', () => {
    const styles = [Scalar.PLAIN, Scalar.QUOTE_SINGLE, Scalar.QUOTE_DOUBLE, Scalar.BLOCK_LITERAL, Scalar.BLOCK_FOLDED] as const;
    const piece = fc.constantFrom('a', 'bc', ' ', '\n', "'", '"', '\\', '\t', 'é', '{{ x }}', '\u{1F600}', ': ', ' #', '\u0007');
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 30 }), fc.constantFrom(...styles), fc.boolean(), (pieces, type, narrow) => {
        const scalar = new Scalar(pieces.join(''));
        scalar.type = type;
        const document = new Document({});
        document.set('k', scalar);
        const text = document.toString({ lineWidth: narrow ? 20 : 0, doubleQuotedMinMultiLineLength: 10 });
        const node = (parseDocument(text).contents as YAMLMap).get('k', true);
        if (!isScalar(node) || typeof node.value !== 'string') return;
        const { decoded, offsets } = setup(text);
        const { start, end } = nodeSpan(node);
        for (const [i, offset] of offsets.entries()) {
          expect(offset).toBeGreaterThanOrEqual(start);
          expect(offset).toBeLessThanOrEqual(end);
          if (i > 0) expect(offset).toBeGreaterThanOrEqual(offsets[i - 1]!);
          if (/[a-cxé{}]/.test(decoded[i] ?? '')) expect(text[offset]).toBe(decoded[i]);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
