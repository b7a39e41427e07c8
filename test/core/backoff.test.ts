import { expect, test } from 'vitest';
import { Backoff } from '../../node/core/backoff.ts';

test('what fails is left alone twice as long each time, up to a limit, and from the beginning after a calm', () => {
  const backoff = new Backoff({ msMin: 100, msMax: 300, calmMs: 1_000 });
  expect(backoff.isOver('a', 0)).toBe(true);
  const waits = (nowMs: number): number => {
    backoff.fail('a', nowMs);
    let ms = 0;
    while (!backoff.isOver('a', nowMs + ms)) ms += 1;
    return ms;
  };
  expect([waits(1_000), waits(1_100), waits(1_300), waits(1_600), waits(2_600)]).toEqual([100, 200, 300, 300, 100]);
  expect(backoff.isOver('b', 2_600)).toBe(true);
  backoff.fail('b', 5_000);
  expect(backoff.names()).toEqual(['b']);
  backoff.fail('c', 5_000, 1);
  expect(backoff.leftMs('c', 5_000)).toBe(200);
  backoff.forget('b');
  expect(backoff.isOver('b', 5_000)).toBe(true);
});
