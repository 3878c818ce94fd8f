/** Where things stand in the file: what two texts with one meaning may differ in. */
const PLACES = new Set(['span', 'idSpan', 'keySpan', 'map', 'start', 'end', 'nameStart']);

/** A parsed pipeline without its places, as text, to compare what two files mean. */
export function bare(pipeline: unknown): string {
  const leaveOut = function (this: object, key: string, value: unknown): unknown {
    if (PLACES.has(key)) return undefined;
    // The text of a template goes with its tree, which says the same without its white space.
    if (key === 'text' && 'map' in this) return undefined;
    return key === 'source' && typeof value === 'object' ? undefined : value;
  };
  return JSON.stringify(pipeline, leaveOut, 1);
}
