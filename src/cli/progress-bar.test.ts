import { expect, test } from 'vitest';
import { ProgressBar } from './progress-bar.ts';
import { sparkline } from './sparkline.ts';
import type { Terminal } from './terminal.ts';

function setup(settings: Partial<Terminal>): { bar: ProgressBar; said: string[] } {
  const said: string[] = [];
  const terminal = { canRedraw: false, quiet: false, columns: 80, err: (text: string) => void said.push(text), ...settings };
  return { bar: new ProgressBar(terminal as Terminal), said };
}

test('elsewhere than on a terminal each tenth is a line, and more than all is all', () => {
  const { bar, said } = setup({});
  for (const received of [1, 100, 150, 199, 200, 900, 1000, 5000]) bar.update('x', received, 1000);
  bar.clear();
  expect(said).toEqual(['x: 100 B of 1000 B\n', 'x: 200 B of 1000 B\n', 'x: 900 B of 1000 B\n', 'x: 1000 B of 1000 B\n']);
});

test('on a terminal one line changes, no wider than it, and is taken away at the end', () => {
  const { bar, said } = setup({ canRedraw: true, columns: 60 });
  bar.update('a file with a long name from a source with a long name', 1000, 1000);
  bar.clear();
  bar.clear();
  expect(said).toHaveLength(2);
  expect(said[0]).toMatch(/^\r\u001b\[2K█{24} 100 % 1000 B of 1000 B {2}a file/);
  expect(said[0]!.length - '\r\u001b[2K'.length).toBeLessThan(60);
  expect(said[1]).toBe('\r\u001b[2K');
});

test('--quiet says nothing; where the whole is unknown, what has come is told', () => {
  const quiet = setup({ quiet: true, canRedraw: true });
  quiet.bar.update('x', 1, 2);
  expect(quiet.said).toEqual([]);
  const open = setup({ canRedraw: true });
  open.bar.update('x', 2048, undefined);
  expect(open.said).toEqual(['\r\u001b[2K… 2.0 KiB  x']);
});

test('a sparkline is as high as its numbers, of which the largest is the whole height', () => {
  expect(sparkline([0, 50, 100])).toBe('▁▅█');
  expect(sparkline([0, 0])).toBe('▁▁');
});
