import { describe, expect, test } from 'vitest';
import type { Operation, Outcome } from '../../../node/core/operation.ts';
import { defaultSettings } from '../../../node/core/settings.ts';
import { Fenced } from '../../../sim/checkers/anytime-fenced.ts';
import { Ledger } from '../../../sim/ledger.ts';
import { activated, bytes, created, message, placed, report } from './planted.ts';

const { hostSilentMs } = defaultSettings;
const holders = ['n1', 'n2', 'n3'];
const value = bytes('{"total":7}');
const answer = message('taskAnswer', { value });
const task: Operation = { type: 'task', agent: 'a', task: 't', payload: bytes('{}'), ttlMs: 1_000 };
const done: Outcome = { ok: true, result: { agent: 'a', task: 't', value } };

/** Agent a runs on n1 in epoch 3; an operator lets it go on with what n2 has, by index 5. Total 7 of task t is given up. */
function scene() {
  const ledger = new Ledger();
  const living = { nowMs: 0, instances: () => instances };
  let instances = [{ node: 'n1', agent: 'a', epoch: 3 }];
  const losses = {
    isLost: (_agent: string, name: string, total: number) => name === 't' && total === 7,
    indexOf: () => ledger.agents.get('a')?.wentOnAt,
  };
  const checker = new Fenced(living, ledger, losses);
  const say = (one: Parameters<Ledger['reported']>[1]): void => {
    ledger.reported('n2', one);
    checker.reported('n2', one);
  };
  for (const one of [created(1, 'a'), placed(2, 'a', 'n1', 3, holders), activated(4, 'a', 3)]) say(one);
  checker.did('n1', { type: 'startAgent', agent: 'a', agentType: 'counter', epoch: 3, source: '', state: undefined });
  return {
    ...{ checker, say },
    letGoOn: () => say(report(5, 'agentRecovered', { agent: 'a', from: 'n2' })),
    place: () => say(placed(6, 'a', 'n2', 6, ['n2'])),
    later: (ms: number) => void (living.nowMs += ms),
    ends: () => void (instances = []),
  };
}

describe('an agent that an operator let go on', () => {
  test('is placed anew when its earlier host has ended it, or must have stopped', () => {
    for (const prepare of [
      ({ ends }: ReturnType<typeof scene>) => ends(),
      ({ later }: ReturnType<typeof scene>) => later(hostSilentMs),
    ]) {
      const one = scene();
      one.letGoOn();
      prepare(one);
      one.place();
    }
  });

  test('violates it by being placed while its earlier host runs it and may still answer', () => {
    const { letGoOn, later, place } = scene();
    letGoOn();
    later(hostSilentMs - 10);
    expect(place).toThrow(
      `a is placed anew ${hostSilentMs - 10} ms after an operator let it go on, and n1 still runs it`,
    );
  });
});

describe('a step that was given up', () => {
  test('may be acknowledged until the agent is placed anew, and a later one of the same task for ever', () => {
    const { checker, letGoOn, ends, place } = scene();
    letGoOn();
    checker.sent('n1', 'c', answer);
    checker.answered('n1', 'q', task, done);
    ends();
    place();
    checker.sent('n2', 'c', message('taskAnswer', { value: bytes('{"total":8}') }));
    checker.sent('n1', 'c', message('taskAnswer', { value, branch: 'b' }));
    // It was told before, and is passed on late.
    checker.answered('n9', 'q', task, done);
  });

  test.each(['to another node', 'to its user', 'though its code went on in another epoch'])(
    'is acknowledged %s by a host of before: a violation',
    (how) => {
      const { checker, letGoOn, ends, place } = scene();
      letGoOn();
      ends();
      place();
      if (how.startsWith('though')) checker.did('n1', { type: 'renewAgent', agent: 'a', from: 3, epoch: 4 });
      const tell = (): void =>
        how === 'to another node' ? checker.sent('n1', 'c', answer) : checker.answered('n1', 'q', task, done);
      expect(tell).toThrow('n1 acknowledged t of a with total 7, which is of an epoch before 5');
    },
  );

  test("is nobody's any more once that host has ended the agent", () => {
    const { checker, letGoOn, ends, place } = scene();
    letGoOn();
    ends();
    checker.did('n1', { type: 'stopAgent', agent: 'a', epoch: 3 });
    place();
    checker.answered('n1', 'q', task, done);
  });
});
