import { expect, test } from 'vitest';
import type { Effect } from '../../../node/core/effect.ts';
import { RecalledFirst } from '../../../sim/checkers/anytime-recalled-first.ts';

function watching() {
  const checker = new RecalledFirst();
  const of = { agent: 'a', epoch: 1 };
  const did = (effect: object): void => checker.did('n1', { ...of, ...effect } as Effect);
  return {
    give: (task: string) => did({ type: 'runTask', task, payload: new Uint8Array(0), deadlineMs: 1 }),
    recall: () => did({ type: 'recallTasks' }),
    stop: () => did({ type: 'stopAgent' }),
    ran: (task: string) =>
      checker.happened('n1', {
        ...{ type: 'taskRan' as const, ...of, task, ok: true, value: new Uint8Array(0), state: undefined },
        outputs: undefined,
      }),
    returned: (...tasks: string[]) => checker.happened('n1', { type: 'tasksReturned', ...of, tasks }),
    failed: () => checker.happened('n1', { type: 'agentFailed', ...of, reason: 'it crashed' }),
    checker,
  };
}

test('tasks are given after what was asked back has come, though that is nothing', () => {
  const { give, recall, ran, returned } = watching();
  give('t1');
  give('t2');
  recall();
  returned('t2');
  give('t3');
  recall();
  ran('t1');
  returned();
  give('t4');
});

test('code that has done all may be given one', () => {
  const { give, recall, ran } = watching();
  give('t1');
  recall();
  ran('t1');
  give('t2');
  expect(() => give('t3')).toThrow('n1 gives a t3 while it waits for what it asked back of t2');
});

test('what is given while others are to come back is found', () => {
  const { give, recall, ran } = watching();
  for (const task of ['t1', 't2', 't3']) give(task);
  recall();
  ran('t1');
  expect(() => give('t4')).toThrow('n1 gives a t4 while it waits for what it asked back of t2, t3');
});

test('nothing comes back from code that has ended', () => {
  const { give, recall, stop, failed, checker } = watching();
  for (const end of [stop, failed, () => checker.ended('n1')]) {
    give('t1');
    give('t2');
    recall();
    end();
    give('t1');
    give('t2');
  }
});
