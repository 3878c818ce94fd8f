import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { BROKEN, makeProject } from './project.ts';

const BROWSER = '/usr/bin/chromium';

/** In the browser: how far the page runs over, what it says, and the contrast of its verdict. */
const LOOK = `(() => {
  const channel = value => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const verdict = document.querySelector('.verdict');
  const [dark, bright] = [getComputedStyle(verdict).backgroundColor, getComputedStyle(verdict.querySelector('b')).color].map(luminance).sort((a, b) => a - b);
  const { scrollWidth, clientWidth } = document.documentElement;
  return [scrollWidth - clientWidth, document.body.innerText, (bright + 0.05) / (dark + 0.05)];
})()`;

// Skipped where Debian's browser is not installed: the rules that need none are tested beside the code.
test.skipIf(!existsSync(BROWSER))(
  'a browser opens the report from disk: nothing is asked for, nothing is refused, nothing runs off the page, in light, dark and print',
  async () => {
    const { call, folder } = makeProject({ 'p.yaml': BROKEN });
    await call(['run', 'p.yaml', '-q', '--report', 'r.html']);
    const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] });
    try {
      for (const look of [{ colorScheme: 'light' }, { colorScheme: 'dark' }, { media: 'print' }, { width: 420 }] as const) {
        const page = await browser.newPage({ viewport: { width: 'width' in look ? look.width : 1200, height: 900 } });
        const said: string[] = [];
        page.on('console', message => said.push(message.text()));
        page.on('request', request => said.push(request.url()));
        await page.emulateMedia(look);
        const address = pathToFileURL(join(folder, 'r.html')).href;
        await page.goto(address);
        expect(said).toEqual([address]);
        const [wide, shown, contrast] = await page.evaluate<[number, string, number]>(LOOK);
        expect(wide).toBeLessThanOrEqual(0);
        expect(shown).toContain('Failed at boom');
        expect(contrast).toBeGreaterThan(4.5);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  },
);
