/** Task runs in the order of their root tasks, what ran inside a loop or group right after it. */
export function nested<T>(entries: readonly [path: string, value: T][]): [path: string, value: T][] {
  const roots = new Map<string, number>();
  const rootOf = (path: string): string => /^[^[@/]+/.exec(path)?.[0] ?? path;
  for (const [path] of entries) if (!roots.has(rootOf(path))) roots.set(rootOf(path), roots.size);
  return entries.toSorted(([a], [b]) => roots.get(rootOf(a))! - roots.get(rootOf(b))!);
}
