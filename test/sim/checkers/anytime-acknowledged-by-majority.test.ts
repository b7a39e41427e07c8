import { describe, expect, test } from 'vitest';
import type { Operation, Outcome } from '../../../node/core/operation.ts';
import { writeResult } from '../../../node/core/records.ts';
import { AcknowledgedByMajority } from '../../../sim/checkers/anytime-acknowledged-by-majority.ts';
import { bytes, created, ledgerOf, message, placed, putHolder, putResult } from './planted.ts';

const holders = ['n1', 'n2', 'n3'];
const task: Operation = { type: 'task', agent: 'a', task: 't', payload: bytes('{}'), ttlMs: 1_000 };
const done: Outcome = { ok: true, result: { agent: 'a', task: 't', value: bytes('1') } };
const start = (epoch: number) =>
  ({ type: 'startAgent', agent: 'a', agentType: 'counter', epoch, source: '', state: undefined }) as const;

/** The log placed agent a on n1 in epoch 3 and on n2 in epoch 4; n1 runs it. */
function watching(): AcknowledgedByMajority {
  const checker = new AcknowledgedByMajority(
    ledgerOf(created(1, 'a'), placed(2, 'a', 'n1', 3, holders), placed(3, 'a', 'n2', 4, holders)),
  );
  checker.did('n1', start(3));
  return checker;
}

const keep = (checker: AcknowledgedByMajority, epoch: number, ...nodes: string[]): void => {
  for (const node of nodes) checker.durable(node, [putResult('a', 't', 1), putHolder('a', epoch, epoch, 1)]);
};

describe('an answer whose result a majority of the holders has', () => {
  test('may be told by the host, by whoever passed it on, and again in a later epoch', () => {
    const checker = watching();
    keep(checker, 3, 'n1', 'n2');
    checker.sent('n1', 'c', message('taskAnswer'));
    checker.answered('n9', 'q1', task, done);
    checker.did('n1', { type: 'stopAgent', agent: 'a', epoch: 3 });
    checker.did('n2', start(4));
    keep(checker, 4, 'n3', 'n2');
    checker.sent('n2', 'c', message('taskAnswer'));
  });

  test('is a violation from a node that no longer runs it, or that the log never named', () => {
    const checker = watching();
    keep(checker, 3, 'n1', 'n2');
    checker.did('n3', start(3));
    expect(() => checker.sent('n3', 'c', message('taskAnswer'))).toThrow('which the log does not place there');
    checker.started('n1');
    expect(() => checker.sent('n1', 'c', message('taskAnswer'))).toThrow('which the log does not place there');
  });
});

test('an answer whose result too few of the holders have in one epoch is a violation', () => {
  const checker = watching();
  keep(checker, 3, 'n1');
  keep(checker, 4, 'n3', 'n9');
  const what = 'in epoch 3 on 1 of 3 holders, in epoch 4 on 1 of 3 holders';
  expect(() => checker.sent('n1', 'c', message('taskAnswer'))).toThrow(
    `n1 acknowledged t of a, whose result is ${what}`,
  );
  expect(() => checker.answered('n9', 'q1', task, done)).toThrow(`n9 acknowledged t of a, whose result is ${what}`);
});

test('that a task is set aside is kept, too, by who has all of the state since it was cancelled; by who has nothing of it not', () => {
  const checker = watching();
  const aside = { task: 't', sequence: 1, ok: false, value: bytes(''), valueDropped: false };
  const put = (node: string, result: Parameters<typeof writeResult>[1]): void =>
    checker.durable(node, [writeResult('a', result), putHolder('a', 3, 3, result.sequence)]);
  put('n1', {
    ...aside,
    aside: { payload: bytes('{}'), key: '', priority: 5, tries: 3, reason: 'poison', retriedBy: '' },
  });
  const tell = (): void => checker.sent('n1', 'c', message('taskAnswer', { refusal: 'taskSetAside' }));
  expect(tell).toThrow('in epoch 3 on 1 of 3 holders');
  put('n2', { ...aside, task: 'u', sequence: 2 });
  expect(tell).toThrow('in epoch 3 on 1 of 3 holders');
  put('n2', { ...aside, sequence: 3, cancelled: true });
  tell();
});

test('an answer that nobody wrote down is a violation, though it be that the agent refused', () => {
  const checker = watching();
  const failed: Outcome = { ok: false, error: { code: 'taskFailed', message: '', details: {} } };
  expect(() => checker.answered('n1', 'q1', task, failed)).toThrow('whose result is on no disk');
});

test('a refusal for want of an answer promises nothing', () => {
  const checker = watching();
  const late: Outcome = { ok: false, error: { code: 'deadlineExceeded', message: '', details: {} } };
  checker.answered('n1', 'q1', task, late);
  checker.answered('n1', 'q2', { type: 'status' }, done);
  checker.sent('n1', 'c', message('taskAnswer', { refusal: 'agentNotReady' }));
});
