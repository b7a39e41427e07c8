import { expect, test } from 'vitest';
import { SameState } from '../../../sim/checkers/anytime-same-state.ts';
import { putHolder } from './planted.ts';

const step = (epoch: number, sequence: number, checksum: number) =>
  putHolder('a', epoch, epoch, sequence, '', checksum);

test('holders whose states are the same at the same step are right, whatever an older epoch had', () => {
  const checker = new SameState();
  checker.durable('n1', [step(2, 1, 11), step(2, 2, 12)]);
  checker.durable('n2', [step(2, 2, 12)]);
  checker.durable('n2', [step(3, 2, 99)]);
  checker.durable('n1', [step(2, 3, 13)]);
  checker.durable('n1', [step(3, 2, 99)]);
});

test('a violation: two holders differ in a step', () => {
  const checker = new SameState();
  checker.durable('n1', [step(2, 2, 12)]);
  expect(() => checker.durable('n2', [step(2, 2, 13)])).toThrow(/n2 and n1 keep different states as step 2 of epoch 2/);
});
