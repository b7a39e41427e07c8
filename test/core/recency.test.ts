import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import { Recency } from '../../node/core/recency.ts';
import { defaultSettings } from '../../node/core/settings.ts';

/** A node's clocks, moved by hand. */
function scene() {
  const clocks = { nowMs: 1_000, wallMs: 5_000_000, settings: defaultSettings };
  const recency = new Recency(clocks as unknown as Context);
  recency.observe();
  const pass = (ms: number, wallMs = ms): void => {
    clocks.nowMs += ms;
    clocks.wallMs += wallMs;
    recency.observe();
  };
  return { recency, pass };
}

describe('what a node knows of the log', () => {
  test('is recent for five seconds, and not before it heard anything', () => {
    const { recency, pass } = scene();
    expect(recency.isRecent).toBe(false);
    recency.applied(Number.POSITIVE_INFINITY);
    expect(recency.isRecent).toBe(false);
    recency.applied(100);
    expect(recency.isRecent).toBe(true);
    pass(4_899);
    expect(recency.isRecent).toBe(true);
    pass(1);
    expect(recency.isRecent).toBe(false);
  });

  test('is not when the machine was suspended, however little of that its own clock shows', () => {
    const { recency, pass } = scene();
    recency.applied(0);
    pass(10, 60_000);
    expect(recency.isRecent).toBe(false);
    // Of before.
    recency.applied(10);
    expect(recency.isRecent).toBe(false);
    pass(50);
    recency.applied(20);
    expect(recency.isRecent).toBe(true);
  });

  test('stays so when the wall clock is set back, or goes a little faster', () => {
    const { recency, pass } = scene();
    recency.applied(0);
    pass(10, -3_600_000);
    pass(1_000, 1_400);
    expect(recency.isRecent).toBe(true);
  });
});
