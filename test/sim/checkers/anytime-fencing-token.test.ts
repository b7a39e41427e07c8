import { expect, test } from 'vitest';
import { FencingToken } from '../../../sim/checkers/anytime-fencing-token.ts';
import { report } from './planted.ts';

/** An agent whose code passes on what it was told last. */
function watching() {
  let token: number | undefined = 5;
  const checker = new FencingToken(() => token);
  const say = (kind: string, epoch: number, host = 'n1'): void =>
    checker.reported('n1', report(epoch, kind, { agent: 'a', epoch, host }));
  const run = (epoch: number, agent = 'a', node = 'n1'): void => {
    const effect = { type: 'runTask' as const, agent, epoch, task: 't', payload: new Uint8Array(0), deadlineMs: 1 };
    checker.decided(node, effect);
    checker.did(node, effect);
  };
  return { checker, say, run, tell: (told: number | undefined) => void (token = told) };
}

test('a token that grows with the epochs of a host is right, and so is one that is not known', () => {
  const { say, run, tell } = watching();
  say('agentActive', 5);
  run(5);
  say('agentPlaced', 9);
  run(5);
  say('agentActive', 9);
  tell(9);
  run(9);
  tell(undefined);
  run(9);
});

test('code that was not told its new epoch is found', () => {
  const { say, run } = watching();
  say('agentActive', 9);
  expect(() => run(9)).toThrow('the code of a on n1 passes on 5 in t of epoch 9');
});

test('a task begun in an epoch that is over is found, on the host that knows it and nowhere else', () => {
  const { say, run, checker } = watching();
  say('agentActive', 9, 'n2');
  run(5);
  say('agentActive', 9);
  run(5, 'a', 'n2');
  expect(() => run(5)).toThrow('n1 begins t of a in epoch 5, after 9 was active');
  checker.started('n1');
  run(5);
});

test('branches have the token of the state that they began from', () => {
  const { say, run } = watching();
  say('agentActive', 9);
  run(1, 'a~b1');
});
