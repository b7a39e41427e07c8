import { expect, test } from 'vitest';
import { keys } from '../../../node/core/records.ts';
import { SealedHolder } from '../../../sim/checkers/anytime-sealed-holder.ts';
import { putHolder } from './planted.ts';

/** n1 holds a: step 7 of epoch 3, sealed at 4. */
function holder(): SealedHolder {
  const checker = new SealedHolder();
  checker.durable('n1', [putHolder('a', 3, 3, 6)]);
  checker.durable('n1', [putHolder('a', 3, 3, 7)]);
  checker.durable('n1', [putHolder('a', 4, 3, 7)]);
  return checker;
}

test('a holder that goes from step to step, is sealed, and takes a later epoch is right', () => {
  const checker = holder();
  checker.durable('n1', [putHolder('a', 4, 4, 7)]);
  checker.durable('n1', [putHolder('a', 4, 4, 8)]);
  checker.durable('n2', [putHolder('a', 1, 1, 1)]);
});

test('a holder that gave the agent up may begin anew', () => {
  const checker = holder();
  checker.durable('n1', [{ key: keys.holder('a'), value: undefined }]);
  checker.durable('n1', [putHolder('a', 1, 1, 0)]);
});

test.each([
  ['its seal was taken back', putHolder('a', 4, 3, 7), putHolder('a', 3, 3, 7)],
  ['it took an epoch below its seal', putHolder('a', 4, 3, 7), putHolder('a', 4, 3, 8)],
  ['it went back', putHolder('a', 2, 5, 9), putHolder('a', 2, 3, 10)],
  ['it went back', putHolder('a', 3, 3, 7), putHolder('a', 3, 3, 6)],
])('a violation: %s', (what, before, now) => {
  const checker = new SealedHolder();
  checker.durable('n1', [before]);
  expect(() => checker.durable('n1', [now])).toThrow(what);
});
