import { describe, expect, test } from 'vitest';
import { value, text, codeAt } from '../../../test/support/expressions.ts';

describe('numbers', () => {
  test.each<[string, string]>([
    ['4 / 2', '2.0'],
    ['7 // 2', '3'],
    ['-7 // 2', '-4'],
    ['-7 % 3', '2'],
    ['7 % -3', '-2'],
    ['6.0 % -3', '-0.0'],
    ['0.0 // 5', '0.0'],
    ['2.5 // 0.1', '24.0'],
    ['2 ** 10', '1024'],
    ['2 ** -1', '0.5'],
    ['2.0 ** 3', '8.0'],
    ['0.5 + 0.5', '1.0'],
    ['true + 1', '2'],
    ['-true', '-1'],
    ['+2.0', '2.0'],
    ['-0.0', '-0.0'],
    ['1e16', '1e+16'],
    ['123456789012345680.0', '1.2345678901234568e+17'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['1.5e-7', '1.5e-07'],
    ['1e400', 'inf'],
    ['-1e400', '-inf'],
    ['1e400 - 1e400', 'nan'],
    ['[1e400, -1e400, 1e400 - 1e400]', '[Infinity, -Infinity, NaN]'],
    ['10 ** 21', '1000000000000000000000'],
    ['0x1F + 0b11 + 0o17', '49'],
    ['1 == 1.0 and true == 1', 'true'],
    ['2.5 | round', '2.0'],
    ['3.5 | round', '4.0'],
    ['2.675 | round(2)', '2.67'],
    ['0.125 | round(2)', '0.12'],
    ['1250 | round(-2)', '1200'],
    ['1350 | round(-2)', '1400'],
    ['1e400 | round', 'inf'],
    ['2.5 | round(200)', '2.5'],
    ['1.234 | round(1, "ceil")', '1.3'],
    ['-5.5 | abs', '5.5'],
    ['"1_0" | int', '10'],
    ['" -0x1f " | int(0, 16)', '-31'],
    ['"0o17" | int(0, 8)', '15'],
    ['"0b11" | int(0, 2)', '3'],
    ['"1e3" | int', '1000'],
    [`"${'9'.repeat(350)}" | int(7)`, '7'],
    ['none | int(4)', '4'],
    ['"inf" | int(4)', '4'],
    ['"-inf" | float', '-inf'],
    ['"nan" | float', 'nan'],
    ['"Infinity" | float', 'inf'],
    ['"x" | float', '0.0'],
    ['1 | filesizeformat', '1 Byte'],
    ['300 | filesizeformat', '300 Bytes'],
    ['2048 | filesizeformat(true)', '2.0 KiB'],
    ['1e30 | filesizeformat', '1000000.0 YB'],
    ['-1234.5 | number_format(1)', '-1,234.5'],
    ['-0.1 | number_format', '0'],
    ['1e22 | number_format(2)', '10,000,000,000,000,000,000,000.00'],
    ['1e400 | number_format', 'inf'],
  ])('%s is %s', (source, expected) => {
    expect(text(`{{ ${source} }}`)).toBe(expected);
  });

  test('JSON drops the distinction of floats, and integers stay', () => {
    expect(value('[4 / 2, 2, 2.5, {"a": 4 / 2}]')).toEqual([2, 2, 2.5, { a: 2 }]);
    expect(value('4 / 2')).toBe(2);
  });

  test.each([
    ['1 / 0', '1 / 0'],
    ['1 % 0', '1 % 0'],
    ['0 ** -1', '0 ** -1'],
    ['(-8) ** 0.5', '(-8) ** 0.5'],
    ['10 ** 400', '10 ** 400'],
    ['1e400', '1e400'],
    ['[1e400]', '[1e400]'],
    ['[4 / 2, 1e400]', '[4 / 2, 1e400]'],
    ['-"a"', '-"a"'],
    ['1 + "a"', '1 + "a"'],
    ['1 | round(0, "up")', '1 | round(0, "up")'],
    ['"a" | abs', '"a" | abs'],
    ['"a" | filesizeformat', '"a" | filesizeformat'],
  ])('%s fails at its place', (source, at) => {
    expect(codeAt(source)).toEqual(['ORC-310', at]);
  });
});
