import { describe, expect, test } from 'vitest';
import { type CounterInput, type CounterOutput, counterModel } from '../../sim/checkers/counter-model.ts';
import { checkLinearizable } from '../../sim/checkers/linearizability.ts';
import { type NamesInput, type NamesOutput, namesModel, namesOutput } from '../../sim/checkers/names-model.ts';
import {
  deploy,
  failed,
  history,
  migrate,
  type RegisterInput,
  type RegisterOutput,
  read,
  registerModel,
  remove,
  shows,
  state,
  swap,
  task,
  total,
  write,
} from './histories.ts';

const limits = { statesMax: 200_000 };
const never = Number.POSITIVE_INFINITY;

const judgeRegister = (...lines: [string, number, number, RegisterInput, RegisterOutput | undefined][]) =>
  checkLinearizable(registerModel, history(...lines), limits);

describe('a register', () => {
  test('an empty history, and one without answers, is linearizable', () => {
    expect(judgeRegister().verdict).toBe('linearizable');
    expect(judgeRegister(['a', 0, never, write(1), undefined]).verdict).toBe('linearizable');
  });

  test('concurrent writes may take effect in both orders', () => {
    for (const value of [1, 2]) {
      const verdict = judgeRegister(
        ['a', 0, 10, write(1), 'ok'],
        ['b', 0, 10, write(2), 'ok'],
        ['a', 11, 12, read, value],
      );
      expect(verdict.verdict).toBe('linearizable');
      expect(verdict.order?.map(({ input }) => input)[1]).toEqual(write(value));
    }
  });

  test('a read during a write may see it or not, and one of the two that does not see it comes first', () => {
    const during = (first: number, second: number) =>
      judgeRegister(['a', 0, 100, write(1), 'ok'], ['b', 10, 20, read, first], ['b', 30, 40, read, second]).verdict;
    expect(during(0, 0)).toBe('linearizable');
    expect(during(0, 1)).toBe('linearizable');
    expect(during(1, 1)).toBe('linearizable');
    expect(during(1, 0)).toBe('violation');
  });

  test('a stale read is a violation, told with what was in the way', () => {
    const { verdict, evidence } = judgeRegister(
      ['a', 0, 1, write(1), 'ok'],
      ['a', 2, 3, write(2), 'ok'],
      ['b', 4, 5, read, 1],
      ['c', 6, 7, write(3), 'ok'],
    );
    expect(verdict).toBe('violation');
    expect(evidence?.split('\n')).toEqual([
      'no order of the operations explains the first 3 of 4 answers; the longest that fits:',
      '  1. a write 1 → ok (called 0.000 ms, answered 1.000 ms)',
      '  2. a write 2 → ok (called 2.000 ms, answered 3.000 ms)',
      'after it the state is: 2; not placed:',
      '  b read → 1 (called 4.000 ms, answered 5.000 ms): impossible in that state',
    ]);
  });

  test('a lost update is a violation: both swaps cannot have found the same value', () => {
    const lost = judgeRegister(['a', 0, 9, swap(0, 1), 'ok'], ['b', 0, 9, swap(0, 2), 'ok']);
    expect(lost.verdict).toBe('violation');
    expect(judgeRegister(['a', 0, 9, swap(0, 1), 'ok'], ['b', 0, 9, swap(0, 2), 'no']).verdict).toBe('linearizable');
  });

  test('a write without an answer takes effect at any later moment, once, or never', () => {
    const after = (...values: number[]) => {
      const reads = values.map((value, at): [string, number, number, RegisterInput, RegisterOutput] => {
        return ['b', 10 * at + 10, 10 * at + 15, read, value];
      });
      return judgeRegister(['a', 0, 5, write(1), undefined], ...reads).verdict;
    };
    expect(after(0, 0, 0)).toBe('linearizable');
    expect(after(0, 0, 1)).toBe('linearizable');
    expect(after(1, 1, 1)).toBe('linearizable');
    expect(after(0, 1, 0)).toBe('violation');
  });

  test('an effect before its call is a violation, though the call was never answered', () => {
    expect(judgeRegister(['a', 0, 5, read, 1], ['b', 6, never, write(1), undefined]).verdict).toBe('violation');
    expect(judgeRegister(['a', 0, 5, read, 1], ['b', 5, never, write(1), undefined]).verdict).toBe('linearizable');
  });

  test('many writes without an answer do not make it slow', () => {
    const lost = Array.from({ length: 300 }, (_, at): [string, number, number, RegisterInput, undefined] => {
      return ['a', at, never, write(at + 1), undefined];
    });
    const seen = (...values: number[]) =>
      judgeRegister(
        ...lost,
        ...values.map((value, at): [string, number, number, RegisterInput, RegisterOutput] => {
          return ['b', 1_000 + 10 * at, 1_005 + 10 * at, read, value];
        }),
      );
    expect(seen(7, 7, 250, 3)).toMatchObject({ verdict: 'linearizable' });
    const twice = seen(7, 250, 7, 3);
    expect(twice.verdict).toBe('violation');
    expect(twice.states).toBeLessThan(1_000);
  });

  test('what cannot be searched within the limit is undecided, never a violation', () => {
    const writes = Array.from({ length: 12 }, (_, at): [string, number, number, RegisterInput, RegisterOutput] => {
      return [`c${at}`, 0, 100, write(at), 'ok'];
    });
    const impossible = history(...writes, ['r', 101, 102, read, 99]);
    expect(checkLinearizable(registerModel, impossible, { statesMax: 50 })).toMatchObject({
      verdict: 'undecided',
      states: 50,
    });
    expect(checkLinearizable(registerModel, impossible, limits).verdict).toBe('violation');
  });

  test('an operation that was answered before it was called is refused', () => {
    expect(() => judgeRegister(['a', 5, 4, read, 0])).toThrow(RangeError);
    expect(() => judgeRegister(['a', Number.NaN, 4, read, 0])).toThrow(RangeError);
  });
});

// ---- the counter agent ----

const judgeCounter = (...lines: [string, number, number, CounterInput, CounterOutput | undefined][]) =>
  checkLinearizable(counterModel, history(...lines), limits);

describe('the counter agent', () => {
  test('the same serial again answers the same total and takes effect once', () => {
    const again = (value: number) =>
      judgeCounter(
        ['a', 0, 1, task(1), total(1)],
        ['b', 2, 3, task(2), total(2)],
        ['a', 4, 5, task(1), total(value)],
        ['b', 6, 7, state, shows(1, 2)],
      ).verdict;
    expect(again(1)).toBe('linearizable');
    expect(again(3)).toBe('violation');
  });

  test('an effect that is doubled after a timeout is a violation', () => {
    const { verdict, evidence } = judgeCounter(
      ['a', 0, never, task(1), undefined],
      ['a', 5, 9, task(1), total(1)],
      ['b', 20, 21, state, { type: 'read', total: 2, counts: { 1: 2 } }],
    );
    expect(verdict).toBe('violation');
    expect(evidence).toContain('b read → total 2 of serials 1 ×2 (called 20.000 ms, answered 21.000 ms): impossible');
    const twice: CounterOutput = { type: 'read', total: 2, counts: { 1: 2, 2: 1 } };
    const both = [['a', 0, 1, task(1), total(1)] as const, ['a', 2, 3, task(2), total(2)] as const];
    expect(judgeCounter(...both.map((line) => [...line] as never), ['b', 4, 5, state, twice]).verdict).toBe(
      'violation',
    );
  });

  test('a lost update is a violation: two serials with one total, or a total that skips one', () => {
    expect(judgeCounter(['a', 0, 9, task(1), total(1)], ['b', 0, 9, task(2), total(1)]).verdict).toBe('violation');
    expect(judgeCounter(['a', 0, 1, task(1), total(1)], ['b', 2, 3, task(2), total(3)]).verdict).toBe('violation');
  });

  test('totals that go backwards in time are a violation', () => {
    expect(judgeCounter(['a', 0, 1, task(1), total(2)], ['b', 2, 3, task(2), total(1)]).verdict).toBe('violation');
    expect(judgeCounter(['a', 0, 2, task(1), total(2)], ['b', 1, 3, task(2), total(1)]).verdict).toBe('linearizable');
  });

  test('a task without an answer fills the gap that another total leaves, wherever reads allow it', () => {
    const gap = (...seen: number[]) =>
      judgeCounter(
        ['a', 0, never, task(1), undefined],
        ['b', 0, never, task(2), undefined],
        ['c', 10, 11, state, shows()],
        ['c', 20, 21, task(3), total(2)],
        ['c', 30, 31, state, shows(...seen)],
      ).verdict;
    expect(gap(1, 3)).toBe('linearizable');
    expect(gap(2, 3)).toBe('linearizable');
    expect(gap(1, 2, 3)).toBe('linearizable');
    expect(gap(3)).toBe('violation');
    expect(gap(3, 4)).toBe('violation');
  });

  test('a failed task never took effect, and never will', () => {
    const read = (...seen: number[]) =>
      judgeCounter(
        ['a', 0, never, task(1), undefined],
        ['a', 5, 9, task(1), failed],
        ['b', 10, 11, state, shows(...seen)],
      ).verdict;
    expect(read()).toBe('linearizable');
    expect(read(1)).toBe('violation');
    expect(judgeCounter(['a', 0, 1, task(1), failed], ['a', 2, 3, task(1), total(1)]).verdict).toBe('violation');
    expect(judgeCounter(['a', 0, 1, task(1), total(1)], ['a', 2, 3, task(1), failed]).verdict).toBe('violation');
  });
});

// ---- names of agents ----

const judgeNames = (...lines: [string, number, number, NamesInput, NamesOutput | undefined][]) =>
  checkLinearizable(namesModel, history(...lines), limits).verdict;

describe('names of agents', () => {
  test('of two deploys under one name one makes the agent', () => {
    const both = (a: NamesOutput, b: NamesOutput) =>
      judgeNames(['a', 0, 9, deploy('r'), a], ['b', 0, 9, deploy('s'), b]);
    expect(both('ok', 'agentExists')).toBe('linearizable');
    expect(both('agentExists', 'ok')).toBe('linearizable');
    expect(both('ok', 'ok')).toBe('violation');
    expect(both('agentExists', 'agentExists')).toBe('violation');
  });

  test('a deploy that is sent again under its request answers ok and makes nothing', () => {
    const after = (outcome: NamesOutput) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 2, 3, remove, 'ok'],
        ['a', 4, 5, deploy('r'), 'ok'],
        ['b', 6, 7, migrate, outcome],
      );
    expect(after('agentUnknown')).toBe('linearizable');
    expect(after('ok')).toBe('violation');
  });

  test('a name is free when its deletion is answered, and not before that is settled', () => {
    const during = (calledMs: number, outcome: NamesOutput) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 10, 20, remove, 'ok'],
        ['c', 12, 13, migrate, 'agentUnknown'],
        ['a', calledMs, calledMs + 1, deploy('s'), outcome],
      );
    expect(during(15, 'agentExists')).toBe('linearizable');
    expect(during(15, 'ok')).toBe('linearizable');
    expect(during(21, 'ok')).toBe('linearizable');
    expect(during(21, 'agentExists')).toBe('violation');
  });

  test('a deletion without an answer may take effect late, and end later still', () => {
    const after = (...outcomes: [NamesInput, NamesOutput][]) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 2, never, remove, undefined],
        ...outcomes.map(([input, output], at): [string, number, number, NamesInput, NamesOutput] => {
          return ['c', 10 + 2 * at, 11 + 2 * at, input, output];
        }),
      );
    const ending: [NamesInput, NamesOutput][] = [
      [migrate, 'ok'],
      [migrate, 'agentUnknown'],
      [deploy('s'), 'agentExists'],
    ];
    expect(after(...ending, [deploy('t'), 'ok'], [migrate, 'ok'])).toBe('linearizable');
    expect(after(...ending, [migrate, 'ok'])).toBe('violation');
    expect(after([migrate, 'agentUnknown'], [deploy('s'), 'ok'], [migrate, 'agentUnknown'])).toBe('violation');
  });

  test('a deletion that is asked for again takes effect once, and spares a later agent of that name', () => {
    const again = (outcome: NamesOutput) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 10, 90, remove, 'ok'],
        ['c', 20, 30, deploy('s'), 'ok'],
        ['c', 40, 50, migrate, outcome],
      );
    expect(again('ok')).toBe('linearizable');
    expect(again('agentUnknown')).toBe('violation');
  });

  test('a deletion of what is not there may answer ok, since a first try may have deleted it', () => {
    expect(judgeNames(['a', 0, 1, remove, 'ok'], ['a', 2, 3, remove, 'agentUnknown'])).toBe('linearizable');
    expect(judgeNames(['a', 0, 1, deploy('r'), 'ok'], ['b', 2, 3, remove, 'agentUnknown'])).toBe('violation');
  });

  test('a refusal for other reasons says nothing about the name, and changed nothing', () => {
    const refused = judgeNames(
      ['a', 0, 1, deploy('r'), 'refused'],
      ['a', 2, 3, migrate, 'agentUnknown'],
      ['a', 4, 5, deploy('r'), 'ok'],
      ['a', 6, 7, migrate, 'refused'],
    );
    expect(refused).toBe('linearizable');
    expect(judgeNames(['a', 0, 1, deploy('r'), 'refused'], ['a', 2, 3, migrate, 'ok'])).toBe('violation');
  });

  test('an answer that leaves it open whether it took effect is taken as unknown', () => {
    const error = (code: string) =>
      namesOutput({ ok: false, error: { code: code as never, message: '', details: {} } });
    expect(['agentExists', 'agentUnknown', 'nodeUnknown'].map(error)).toEqual([
      'agentExists',
      'agentUnknown',
      'refused',
    ]);
    expect(['deadlineExceeded', 'leaderUnknown', 'backlogFull', 'internal'].map(error)).toEqual(
      Array(4).fill(undefined),
    );
    expect(namesOutput({ ok: true, result: { agent: 'x' } })).toBe('ok');
    expect(namesOutput(undefined)).toBe(undefined);
  });
});
