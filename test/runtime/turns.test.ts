import { setImmediate as soon } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../../node/runtime/turns.ts';

test('so many have their turn at a time, the others in their order', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  for (let at = 1; at <= 5; at++) void turns.take().then(() => begun.push(at));
  await soon();
  expect(begun).toEqual([1, 2]);
  turns.give();
  await soon();
  expect(begun).toEqual([1, 2, 3]);
  for (let at = 0; at < 4; at++) turns.give();
  await soon();
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  // Both places are free again, and no more than both.
  for (let at = 6; at <= 8; at++) void turns.take().then(() => begun.push(at));
  await soon();
  expect(begun).toEqual([1, 2, 3, 4, 5, 6, 7]);
});
