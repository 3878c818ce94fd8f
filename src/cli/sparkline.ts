const BARS = '▁▂▃▄▅▆▇█';

/** Numbers as a row of bars, each as high as its share of the largest. */
export function sparkline(values: readonly number[]): string {
  const largest = Math.max(...values);
  return values.map(value => BARS[largest <= 0 ? 0 : Math.min(BARS.length - 1, Math.floor((value / largest) * BARS.length))]!).join('');
}
