/// <reference lib="dom" />
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Recording } from '../../sim/recording.ts';
import { reportPage } from '../../sim/report/page.ts';
import { largeFixture, recordingFixture } from './recording-fixture.ts';

const chromiumPath = '/usr/bin/chromium';
const flags = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'].concat([
  '--disable-component-update',
  '--disable-sync',
]);
const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true };

/** One node, one event in the middle of the run: its mark is in the middle of the lane, at half of the width. */
const single: Recording = {
  ...recordingFixture(),
  durationMs: 1_000,
  nodes: [{ id: 'n1', joinedMs: 0 }],
  events: [
    {
      step: 3,
      atMs: 500,
      kind: 'fault',
      node: 'n1',
      text: 'n1 loses power',
      details: { disk: { torn: true }, by: 'chance' },
    },
  ],
  spans: [],
  traffic: [],
};

const hostile = `<img src=x onerror=alert(1)></script><script>alert(2)</script>${'w'.repeat(300)}`;
const hostileRun: Recording = {
  ...single,
  seed: hostile,
  command: hostile,
  nodes: [{ id: hostile, joinedMs: 0 }],
  agents: [hostile],
  verdict: { ok: false, summary: hostile, checker: hostile, evidence: hostile },
  counts: { [hostile]: 7 },
  events: [
    {
      step: 1,
      atMs: 400,
      kind: 'violation',
      node: hostile,
      agent: hostile,
      text: hostile,
      details: { [hostile]: hostile },
    },
  ],
  spans: [{ fromMs: 0, toMs: 400, kind: 'agent', node: hostile, agent: hostile, text: hostile }],
  traffic: [{ atMs: 300, from: hostile, to: hostile, type: hostile, sent: 2, lost: 1 }],
};

/** A browser beside other tests on two cores takes many times what it takes alone. */
const timeout = 120_000;

describe.skipIf(!existsSync(chromiumPath))(`the report page in a browser (needs ${chromiumPath})`, { timeout }, () => {
  const wrong: string[] = [];
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conclave-report-'));
    browser = await chromium.launch({ executablePath: chromiumPath, chromiumSandbox: false, args: flags });
  }, timeout);

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    if (wrong.length > 0) throw new Error(`the page was not silent: ${wrong.splice(0).join(', ')}`);
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a recording's page from a file. Whatever it says on the console, asks or loads counts as wrong. */
  async function open(recording: Recording, options: BrowserContextOptions = desktop): Promise<Page> {
    const viewer = readFileSync(new URL('../../dist/report-viewer.js', import.meta.url), 'utf8');
    const file = join(folder, 'report.html');
    writeFileSync(file, reportPage(recording, viewer));
    const page = await (await browser.newContext(options)).newPage();
    const address = pathToFileURL(file).href;
    page.on('console', (message) => wrong.push(message.text()));
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('dialog', (dialog) => wrong.push(dialog.message()));
    page.on('request', (request) => {
      if (request.url() !== address) wrong.push(request.url());
    });
    await page.goto(address);
    await page.locator('#names li').first().waitFor();
    return page;
  }

  const range = (page: Page): Promise<string> => page.locator('#range').innerText();
  const picture = (page: Page, id: string): Promise<string> =>
    page.evaluate((name) => (document.getElementById(name) as HTMLCanvasElement).toDataURL(), id);
  async function changed(page: Page, before: string): Promise<void> {
    await expect.poll(() => range(page)).not.toBe(before);
  }

  /** How far the page is wider than the window, px. */
  const overflowPx = (page: Page): Promise<number> =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

  async function centreOf(page: Page, selector: string): Promise<{ x: number; y: number }> {
    const box = await page.locator(selector).boundingBox();
    if (box === null) throw new Error(`${selector} is not on the page`);
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  test('says that every promise held, and shows a lane for each node and how to run it again', async () => {
    const recording = recordingFixture();
    const page = await open(recording);
    expect(await page.locator('h1').innerText()).toBe('Every promise held');
    expect(await page.locator('#names li').allInnerTexts()).toEqual(['World', ...recording.nodes.map(({ id }) => id)]);
    expect((await page.locator('#command').innerText()).trim()).toBe(recording.command);
    expect(await page.locator('#seed').innerText()).toBe(recording.seed);
    expect(await page.locator('#counts').innerText()).toContain('tasks acknowledged');
    expect(await page.locator('#before').isHidden()).toBe(true);
    await page.click('#copy');
    await page.locator('#copied', { hasText: /Copied|Marked/ }).waitFor();
  });

  test('says which promise was broken, and opens on the last stretch before that', async () => {
    const recording = recordingFixture({ broken: true });
    const page = await open(recording);
    expect(await page.locator('#verdict').innerText()).toContain('A promise was broken');
    expect(await page.locator('#verdict').innerText()).toContain('anytime-acknowledged-task');
    expect(await page.locator('.evidence').innerText()).toBe(recording.verdict.evidence);
    expect(await page.locator('#details h3').innerText()).toContain('effects were lost');
    const near = await range(page);
    await page.click('#whole');
    await changed(page, near);
    expect(await range(page)).toBe(`0.0 – 37.2 s`);
    await page.click('#before');
    await expect.poll(() => range(page)).toBe(near);
  });

  test('a click on a mark shows all that is known of the event', async () => {
    const page = await open(single);
    const lane = await centreOf(page, '#names li:nth-child(2)');
    const time = await centreOf(page, '#lanes');
    await page.mouse.move(time.x, lane.y);
    await page.locator('#tooltip', { hasText: '0.500 s · n1 · fault' }).waitFor();
    await page.mouse.click(time.x, lane.y);
    await page.locator('#details h3', { hasText: 'n1 loses power' }).waitFor();
    expect(await page.locator('#details .facts').innerText()).toMatch(/0\.500 s[\s\S]*n1[\s\S]*fault/);
    expect(JSON.parse(await page.locator('#details pre').innerText())).toEqual(single.events[0]?.details);
    await page.mouse.click(time.x + 100, lane.y);
    await page.locator('#details .hint').waitFor();
  });

  test('wheel, buttons and a drag on the axis zoom, and a drag on the lanes moves', async () => {
    const page = await open(recordingFixture());
    const whole = await range(page);
    const axis = await picture(page, 'axis');
    const middle = await centreOf(page, '#lanes');
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.wheel(0, -400);
    await changed(page, whole);
    expect(await picture(page, 'axis')).not.toBe(axis);
    const near = await range(page);
    await page.mouse.down();
    await page.mouse.move(middle.x - 120, middle.y, { steps: 4 });
    await page.mouse.up();
    await changed(page, near);
    const moved = await range(page);
    await page.click('#zoom-out');
    await changed(page, moved);
    await page.mouse.dblclick(middle.x, middle.y);
    await expect.poll(() => range(page)).toBe(whole);
    const top = await centreOf(page, '#axis');
    await page.mouse.move(top.x, top.y);
    await page.mouse.down();
    await page.mouse.move(top.x + 80, top.y, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => range(page)).toMatch(/^20\.\d+ – 2\d\.\d+ s$/);
  });

  test('everything can be reached with keys', async () => {
    const page = await open(recordingFixture());
    const whole = await range(page);
    await page.keyboard.press('+');
    await changed(page, whole);
    const near = await range(page);
    await page.keyboard.press('ArrowRight');
    await changed(page, near);
    await page.keyboard.press('0');
    await expect.poll(() => range(page)).toBe(whole);
    await page.keyboard.press('n');
    await page.locator('#details h3', { hasText: 'founding' }).waitFor();
    await page.focus('#list');
    await page.keyboard.press('ArrowDown');
    await page.locator('#details h3', { hasText: 'n1 starts' }).waitFor();
    expect(await page.locator('#list').getAttribute('aria-activedescendant')).toBe(
      await page.locator('.row[aria-selected=true]').getAttribute('id'),
    );
    await page.keyboard.press('Enter');
    await changed(page, whole);
    await page.keyboard.press('Escape');
    await page.locator('#details .hint').waitFor();
    await page.focus('#filter');
    await page.keyboard.type('n0-');
    expect(await page.locator('#filter').inputValue()).toBe('n0-');
  });

  test('the list holds what is in view and passes the filter, and leads to the event', async () => {
    const recording = recordingFixture();
    const page = await open(recording);
    const all = recording.events.length;
    await expect.poll(() => page.locator('#summary').innerText()).toBe(`${all} of ${all} events in view`);
    await page.uncheck('.kind input[value=acknowledged]');
    await page.fill('#filter', 'leads in term');
    const leads = recording.events.filter(({ text }) => text.includes('leads in term'));
    await expect.poll(() => page.locator('.row').count()).toBe(leads.length);
    await page.locator('.row').last().click();
    expect(await page.locator('#details h3').innerText()).toBe(leads.at(-1)?.text);
    await page.fill('#filter', 'no such words');
    await page.locator('#empty').waitFor();
  });

  test('messages can be shown, and those of one type alone', async () => {
    const page = await open(recordingFixture());
    expect(await page.isChecked('#messages')).toBe(false);
    const without = await picture(page, 'lanes');
    await page.check('#messages');
    await expect.poll(() => picture(page, 'lanes')).not.toBe(without);
    const all = await picture(page, 'lanes');
    await page.selectOption('#message-type', 'probe');
    await expect.poll(() => picture(page, 'lanes')).not.toBe(all);
  });

  test('nothing that a run recorded becomes markup or runs, and it breaks no line of the page', async () => {
    const page = await open(hostileRun);
    expect(await page.locator('#details h3').innerText()).toBe(hostile);
    expect(await page.locator('#seed').innerText()).toBe(hostile);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(2);
    expect(await overflowPx(page)).toBeLessThanOrEqual(0);
  });

  test.each([
    ['a clean run', recordingFixture()],
    ['a broken promise', recordingFixture({ broken: true })],
    ['hostile texts', hostileRun],
  ])('a narrow window needs no scrolling sideways: %s', async (_name, recording) => {
    const page = await open(recording, phone);
    expect(await overflowPx(page)).toBeLessThanOrEqual(0);
    await page.click('#legend summary');
    expect(await overflowPx(page)).toBeLessThanOrEqual(0);
    await page.keyboard.press('n');
    expect(await overflowPx(page)).toBeLessThanOrEqual(0);
    expect((await page.locator('#lanes').boundingBox())?.width).toBeGreaterThan(250);
  });

  test.each(['light', 'dark'] as const)('axe finds nothing wrong, and contrast enough: %s', async (colorScheme) => {
    const find = async (page: Page, within: string): Promise<string[][]> => {
      const { violations } = await new AxeBuilder({ page }).include(within).analyze();
      return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
    };
    const broken = await open(recordingFixture({ broken: true }), { ...desktop, colorScheme });
    await broken.click('#legend summary');
    expect(await find(broken, 'html')).toEqual([]);
    const clean = await open(recordingFixture(), { ...desktop, colorScheme });
    expect(await find(clean, '.head')).toEqual([]);
  });

  test('20,000 events of 100 nodes open, zoom and scroll', async () => {
    const page = await open(recordingFixture({ ...largeFixture, broken: true }));
    expect(await page.locator('#names li').count()).toBe(101);
    expect(await page.locator('.row').count()).toBeLessThan(100);
    await page.click('#whole');
    await page.check('#messages');
    const frames = await page.evaluate(async () => {
      const lanes = document.getElementById('lanes') as HTMLCanvasElement;
      const { left, top } = lanes.getBoundingClientRect();
      let drawn = 0;
      for (; drawn < 20; drawn++) {
        const options = { clientX: left + 300, clientY: top + 100, deltaY: drawn < 10 ? -60 : 60, cancelable: true };
        lanes.dispatchEvent(new WheelEvent('wheel', options));
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return drawn;
    });
    expect(frames).toBe(20);
    await page.evaluate(() => document.getElementById('scroller')?.scrollTo(0, 1e6));
    await page.locator('#names li').last().waitFor();
  });
});
