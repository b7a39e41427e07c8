import { expect, test } from 'vitest';
import { keys } from '../../../node/core/records.ts';
import { SealedHolder } from '../../../sim/checkers/anytime-sealed-holder.ts';
import { putHolder } from './planted.ts';

/** By the log n1 is a holder of a in epoch 3 and in no later one; epoch 5 is active. */
function sealedHolder(): SealedHolder {
  const holders = (epoch: number): string[] => (epoch <= 3 ? ['n1', 'n2'] : ['n2', 'n3']);
  const checker = new SealedHolder({ placement: (_agent, epoch) => ({ epoch, host: 'n2', holders: holders(epoch) }) });
  for (const epoch of [3, 5]) {
    checker.reported('n2', { index: 9, kind: 'agentActive', details: { agent: 'a', epoch } } as never);
  }
  return checker;
}

/** n1 holds a: step 7 of epoch 3, sealed at 4. */
function holder(): SealedHolder {
  const checker = sealedHolder();
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

test('a holder that is none any more may let go of what a later epoch has taken over', () => {
  const checker = holder();
  checker.durable('n1', [putHolder('a', 5, 0, 0)]);
  checker.durable('n1', [putHolder('a', 6, 6, 1)]);
});

test.each([
  ['it let go of what no active epoch', putHolder('a', 3, 3, 7), putHolder('a', 3, 0, 0)],
  ['it let go of what no active epoch', putHolder('a', 4, 3, 7), putHolder('a', 4, 0, 0)],
  ['it let go of what no active epoch', putHolder('a', 6, 6, 7), putHolder('a', 6, 0, 0)],
  ['its seal was taken back', putHolder('a', 6, 3, 7), putHolder('a', 5, 0, 0)],
  ['it took an epoch below its seal', putHolder('a', 5, 0, 0), putHolder('a', 5, 4, 1)],
  ['its seal was taken back', putHolder('a', 4, 3, 7), putHolder('a', 3, 3, 7)],
  ['it took an epoch below its seal', putHolder('a', 4, 3, 7), putHolder('a', 4, 3, 8)],
  ['it went back', putHolder('a', 2, 5, 9), putHolder('a', 2, 3, 10)],
  ['it went back', putHolder('a', 3, 3, 7), putHolder('a', 3, 3, 6)],
])('a violation: %s', (what, before, now) => {
  const checker = sealedHolder();
  checker.durable('n1', [before]);
  expect(() => checker.durable('n1', [now])).toThrow(what);
});
