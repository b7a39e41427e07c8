import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RecordedEvent, RecordedSpan, Recording } from '../../sim/recording.ts';
import { Filter } from '../../sim/report/filter.ts';
import { nearestEvent } from '../../sim/report/hit.ts';
import { compact, firstFrom, lanesOf, place, roomy } from '../../sim/report/lanes.ts';
import { reportPage } from '../../sim/report/page.ts';
import { formatMs, Scale, ticksOf } from '../../sim/report/scale.ts';
import { Traffic } from '../../sim/report/traffic.ts';
import { stretchBefore, violationMsOf } from '../../sim/report/violation.ts';
import { recordingFixture } from './recording-fixture.ts';

const viewer = 'document.title;';
const hostile = '</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> &amp; \u2028"';

/** A recording in which every text that a run can bring along is an attack. */
function hostileRecording(): Recording {
  const recording = recordingFixture();
  const [first, ...others] = recording.events;
  return {
    ...recording,
    seed: hostile,
    command: hostile,
    nodes: [{ id: hostile, joinedMs: 0 }, ...recording.nodes],
    agents: [hostile],
    verdict: { ok: false, summary: hostile, checker: hostile, evidence: hostile },
    counts: { [hostile]: 1 },
    events: [{ ...(first as RecordedEvent), node: hostile, text: hostile, details: { [hostile]: hostile } }, ...others],
    spans: [{ fromMs: 0, toMs: 9, kind: 'agent', node: hostile, agent: hostile, text: hostile }],
    traffic: [{ atMs: 0, from: hostile, to: hostile, type: hostile, sent: 1, lost: 0 }],
  };
}

/** Texts of the elements of a kind, as an HTML parser finds them: a script ends at the first `</script`. */
const contentsOf = (page: string, tag: string): { attributes: string; text: string }[] =>
  [...page.matchAll(new RegExp(`<${tag}([^>]*)>(.*?)</${tag}`, 'gis'))].map(([, attributes = '', text = '']) => ({
    attributes,
    text,
  }));

function dataOf(page: string): unknown {
  const data = contentsOf(page, 'script').find(({ attributes }) => attributes.includes('application/json'));
  return JSON.parse(data?.text ?? '');
}

describe('the report page', () => {
  test('holds the recording as data that reads back equal', () => {
    for (const recording of [recordingFixture(), recordingFixture({ broken: true }), hostileRecording()]) {
      expect(dataOf(reportPage(recording, viewer))).toEqual(recording);
    }
  });

  test('lets no text of a run become markup', () => {
    const page = reportPage(hostileRecording(), viewer);
    expect(contentsOf(page, 'script').map(({ text }) => text.includes('alert('))).toEqual([true, false]);
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).not.toContain('<img');
    expect(page).not.toContain('<!--');
    expect(contentsOf(page, 'title')[0]?.text).not.toMatch(/<|>/);
  });

  test('ends its script where the script ends, whatever is written in it', () => {
    const page = reportPage(recordingFixture(), `const a = '</script>', b = '</SCRIPT >', c = '<!--';`);
    const script = contentsOf(page, 'script').at(-1)?.text;
    expect(script).toBe(`const a = '<\\/script>', b = '<\\/SCRIPT >', c = '<\\!--';`);
  });

  test('runs no script and takes no style but its own, by their hashes', () => {
    const page = reportPage(hostileRecording(), viewer);
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? '';
    const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src ${hashOf(contentsOf(page, 'script').at(-1)?.text ?? '')};`);
    expect(policy).toContain(`style-src ${hashOf(contentsOf(page, 'style')[0]?.text ?? '')};`);
    expect(policy).not.toContain('unsafe');
  });

  test('names nothing to load', () => {
    const page = reportPage(recordingFixture({ broken: true }), viewer);
    expect(page).not.toMatch(/https?:\/\//i);
    expect(page).not.toMatch(/\s(src|srcset|href|action|data|poster)\s*=|@import|url\(/i);
  });

  test('is the same for the same recording', () => {
    const settings = { seed: 'again', broken: true };
    expect(reportPage(recordingFixture(settings), viewer)).toBe(reportPage(recordingFixture(settings), viewer));
  });
});

describe('the time scale', () => {
  const whole = Scale.whole(10_000, 500);

  test('shows the whole run with a little room at both ends', () => {
    expect(whole.fromMs).toBeLessThan(0);
    expect(whole.toMs).toBeGreaterThan(10_000);
    expect(whole.xOf(5_000)).toBeCloseTo(250);
    expect(whole.msAt(whole.xOf(1_234))).toBeCloseTo(1_234);
  });

  test('keeps the moment under the mouse where it is while zooming', () => {
    const near = whole.zoomed(8, 3_000).zoomed(1.5, 3_000);
    expect(near.xOf(3_000)).toBeCloseTo(whole.xOf(3_000));
    expect(near.stretchMs).toBeCloseTo(whole.stretchMs / 12);
  });

  test('never leaves the run, and never shows less than can be told apart', () => {
    expect(whole.panned(1e9)).toMatchObject({ fromMs: whole.fromMs, toMs: whole.toMs });
    expect(whole.zoomed(4).panned(1e9).toMs).toBeCloseTo(whole.toMs);
    expect(whole.zoomed(1e9).stretchMs).toBe(1);
    expect(whole.zoomed(1e-9).stretchMs).toBeCloseTo(whole.stretchMs);
    expect(Scale.whole(0, 0).msPerPx).toBeGreaterThan(0);
  });

  test('moves only when a moment is out of sight, and then puts it into the middle', () => {
    const near = whole.showing(2_000, 3_000);
    expect(near.reaching(2_500)).toBe(near);
    const moved = near.reaching(7_000);
    expect(moved.xOf(7_000)).toBeCloseTo(250);
  });

  test('writes round moments that leave room for their words', () => {
    expect(ticksOf(whole, 84).map(({ label }) => label)).toEqual(['0 s', '2 s', '4 s', '6 s', '8 s', '10 s']);
    const labels = ticksOf(whole.showing(1_000, 1_003), 84).map(({ label }) => label);
    expect(labels).toEqual(['1.000 s', '1.001 s', '1.002 s', '1.003 s']);
    for (const factor of [1, 3, 17, 230, 4_000]) {
      const scale = whole.zoomed(factor, 3_210);
      const xs = ticksOf(scale, 84).map(({ atMs }) => scale.xOf(atMs));
      for (const [index, x] of xs.slice(1).entries()) expect(x - (xs[index] ?? 0)).toBeGreaterThanOrEqual(83.9);
    }
  });

  test('writes moments as exactly as it is asked to', () => {
    expect([formatMs(12_345.678, 1), formatMs(12_345.678, 1_000), formatMs(-0.0001, 10)]).toEqual([
      '12.346 s',
      '12 s',
      '0.00 s',
    ]);
  });
});

describe('the lanes', () => {
  const span = (fromMs: number, toMs: number, kind: RecordedSpan['kind'], agent?: string): RecordedSpan => ({
    fromMs,
    toMs,
    kind,
    node: 'n1',
    ...(agent === undefined ? {} : { agent }),
    text: '1',
  });
  const recording: Recording = {
    ...recordingFixture(),
    nodes: [{ id: 'n1', joinedMs: 5 }],
    events: [{ step: 0, atMs: 1, kind: 'report', node: 'n9', text: 'from a node that never joined' }],
    spans: [
      span(0, 10, 'agent', 'a'),
      span(5, 15, 'agent', 'b'),
      span(10, 20, 'agent', 'c'),
      span(0, 20, 'leading'),
      span(8, 12, 'cut'),
    ],
  };

  test('are the world and every node that something happened on', () => {
    expect(lanesOf(recording).map(({ name }) => name)).toEqual(['World', 'n1', 'n9']);
  });

  test('put spans that overlap in time into rows of their own, and others into one', () => {
    const lane = lanesOf(recording)[1];
    expect(lane?.agents.map(({ span: { agent }, row }) => [agent, row])).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 0],
    ]);
    expect(lane).toMatchObject({ agentRows: 2, stateRows: 2 });
  });

  test('lie one below the other without a gap, lower when there are many, and fill the room there is', () => {
    const lanes = lanesOf(recordingFixture({ nodes: 40 }));
    for (const density of [roomy, compact]) {
      const placed = place(lanes, density, 0);
      for (const [index, { topPx }] of placed.entries()) {
        const before = placed[index - 1];
        expect(topPx).toBe(before === undefined ? 0 : before.topPx + before.heightPx);
      }
    }
    const bottomPx = (placed: ReturnType<typeof place>): number => placed.reduce((sum, each) => sum + each.heightPx, 0);
    expect(bottomPx(place(lanes, compact, 0))).toBeLessThan(bottomPx(place(lanes, roomy, 0)) * 0.7);
    const few = lanesOf(recordingFixture({ nodes: 3 }));
    expect(bottomPx(place(few, roomy, 500))).toBeGreaterThan(bottomPx(place(few, roomy, 0)));
    expect(bottomPx(place(few, roomy, 500))).toBeLessThanOrEqual(500);
  });

  test('find the mark that is meant: the nearest, and of two as near the one that lies above', () => {
    const event = (atMs: number, kind: RecordedEvent['kind']): RecordedEvent => ({ step: 0, atMs, kind, text: kind });
    const events = [event(100, 'acknowledged'), event(101, 'fault'), event(160, 'report')];
    const scale = Scale.whole(1_000, 1_000).showing(0, 1_000);
    expect(nearestEvent(events, scale, scale.xOf(100))?.kind).toBe('fault');
    expect(nearestEvent(events, scale, scale.xOf(157))?.kind).toBe('report');
    expect(nearestEvent(events, scale, scale.xOf(130))).toBeUndefined();
  });
});

describe('the messages', () => {
  const recording = recordingFixture();
  const traffic = new Traffic(recording);
  const sum = (each: readonly { sent: number }[]): number => each.reduce((total, { sent }) => total + sent, 0);

  test('add up to the same at every zoom', () => {
    for (const msPerPx of [0.1, 5, 50, 400]) {
      const flows = traffic.flows(0, recording.durationMs, msPerPx, undefined);
      expect(sum(flows)).toBe(sum(recording.traffic));
      expect(flows.reduce((lost, flow) => lost + flow.lost, 0)).toBe(
        recording.traffic.reduce((lost, each) => lost + each.lost, 0),
      );
    }
    const [near, far] = [5, 400].map((msPerPx) => traffic.flows(0, recording.durationMs, msPerPx, undefined).length);
    expect(far).toBeLessThan(near ?? 0);
  });

  test('can be of one type only, and tell of which types they are', () => {
    const probes = traffic.flows(0, recording.durationMs, 100, 'probe');
    expect(sum(probes)).toBe(sum(recording.traffic.filter(({ type }) => type === 'probe')));
    const flow = traffic.flows(0, recording.durationMs, 100, undefined)[0];
    if (flow === undefined) throw new Error('the fixture has messages');
    expect(sum(traffic.typesOf(flow, undefined))).toBe(flow.sent);
    expect(traffic.types[0]?.type).toBe('appendRequest');
  });
});

describe('the filter', () => {
  const { events } = recordingFixture();

  test('lets everything pass until it is told otherwise', () => {
    expect(new Filter(events).passing()).toBe(events);
  });

  test('wants all words somewhere in text, node, agent or kind, however they are written', () => {
    const filter = new Filter(events);
    filter.text = '  DEPLOY   n2 ';
    expect(filter.passing().map(({ text }) => text)).toEqual(
      ['counter-1', 'ledger-1', 'watcher-1', 'trader-1'].map((agent) => `deploy ${agent}`),
    );
  });

  test('hides kinds, and shows them again', () => {
    const filter = new Filter(events);
    filter.show('acknowledged', false);
    expect(filter.passing().filter(({ kind }) => kind === 'acknowledged')).toEqual([]);
    expect(filter.passing().length).toBeGreaterThan(0);
    filter.show('acknowledged', true);
    expect(filter.passing()).toBe(events);
  });
});

describe('a broken promise', () => {
  test('is at its event, else at the end of the run, else nowhere', () => {
    const broken = recordingFixture({ broken: true });
    expect(violationMsOf(broken)).toBe(broken.durationMs);
    expect(violationMsOf({ ...broken, events: [] })).toBe(broken.durationMs);
    expect(violationMsOf(recordingFixture())).toBeUndefined();
  });

  test('is shown with what came before it', () => {
    const { fromMs, toMs } = stretchBefore(100_000, 200_000);
    expect(100_000 - fromMs).toBeGreaterThan(4 * (toMs - 100_000));
    expect(toMs).toBeGreaterThan(100_000);
  });

  test('an index into events finds the first at a moment or after it', () => {
    const events = [1, 3, 3, 7].map((atMs) => ({ atMs }));
    expect([0, 1, 2, 3, 4, 8].map((atMs) => firstFrom(events, atMs))).toEqual([0, 0, 1, 1, 3, 4]);
  });
});
