import { describe, expect, test } from 'vitest';
import { type CounterInput, type CounterOutput, counterModel } from '../../sim/checkers/counter-model.ts';
import { History } from '../../sim/checkers/history.ts';
import type { Model } from '../../sim/checkers/linearizability.ts';
import { type NamesInput, namesModel } from '../../sim/checkers/names-model.ts';

const limits = { operationsMax: 20, statesMax: 10_000 };
const task = (serial: number): CounterInput => ({ type: 'task', serial });
const read: CounterInput = { type: 'read' };
const total = (value: number): CounterOutput => ({ type: 'task', total: value });
const shows = (...serials: number[]): CounterOutput => ({
  type: 'read',
  total: serials.length,
  counts: Object.fromEntries(serials.map((serial) => [serial, 1])),
});

const counters = (operationsMax = limits.operationsMax) => new History(counterModel, { ...limits, operationsMax });
type Counters = ReturnType<typeof counters>;

/** Asks and is answered a millisecond later. */
function ask(history: Counters, input: CounterInput, output: CounterOutput, atMs: number, key = 'counter'): void {
  history.returned(history.called(key, 'a', input, atMs), output, atMs + 1);
}

/** One after the other, each with the next total. */
function count(history: Counters, from: number, until: number): void {
  for (let serial = from; serial <= until; serial++) ask(history, task(serial), total(serial), 10 * serial);
}

/** A number is written. */
const register: Model<number, number | 'read', number | 'ok'> = {
  init: (_history, from) => from ?? 0,
  step: (state, input, output) => (input !== 'read' ? input : output === state ? state : undefined),
  key: String,
  describe: (input, output) => `${input} → ${output ?? 'no answer'}`,
};

describe('a history', () => {
  test('judges each key alone', () => {
    const history = counters();
    ask(history, task(1), total(1), 0, 'x');
    ask(history, task(2), total(1), 0, 'y');
    ask(history, task(3), total(3), 5, 'y');
    expect(history.check('x')).toMatchObject({ verdict: 'linearizable', operations: 1 });
    expect(history.check('y')).toMatchObject({ verdict: 'violation', operations: 2 });
    expect(history.check('nobody asked')).toMatchObject({ verdict: 'linearizable', operations: 0 });
    expect(history.keys).toEqual(['x', 'y']);
  });

  test('takes an operation in flight, and one that nobody waits for any more, as open', () => {
    const history = counters();
    const first = history.called('counter', 'a', task(1), 0);
    const second = history.called('counter', 'b', task(2), 0);
    ask(history, read, shows(1), 5);
    history.unknown(first);
    history.returned(first, total(7), 6);
    expect(history.check('counter').verdict).toBe('linearizable');
    history.returned(second, total(1), 8);
    history.returned(second, total(2), 9);
    expect(history.operations('counter').map(({ output }) => output)).toEqual([undefined, total(1), shows(1)]);
    expect(history.check('counter').verdict).toBe('violation');
  });

  test('forgets a read that was not answered: it changed nothing', () => {
    const history = counters();
    history.unknown(history.called('counter', 'a', read, 0));
    expect(history.operations('counter')).toEqual([]);
  });

  test('keeps the order of what happens at the same moment', () => {
    const history = counters();
    const first = history.called('counter', 'a', task(1), 3);
    history.returned(first, total(2), 3);
    const second = history.called('counter', 'a', task(2), 3);
    history.returned(second, total(1), 3);
    expect(history.check('counter').verdict).toBe('violation');
    const overlapping = counters();
    const ids = [1, 2].map((serial) => overlapping.called('counter', `${serial}`, task(serial), 3));
    ids.map((id, at) => overlapping.returned(id, total(2 - at), 3));
    expect(overlapping.check('counter').verdict).toBe('linearizable');
  });
});

describe('a history that grows', () => {
  test('forgets what it has judged, and still knows the state that it left', () => {
    const history = counters();
    count(history, 1, 500);
    expect(history.operations('counter').length).toBeLessThanOrEqual(limits.operationsMax);
    expect(history.check('counter')).toMatchObject({ verdict: 'linearizable', operations: 500 });
    ask(history, task(3), total(3), 6_000);
    expect(history.check('counter').verdict).toBe('linearizable');
    ask(history, task(4), total(501), 6_010);
    expect(history.check('counter')).toMatchObject({ verdict: 'violation', operations: 502 });
  });

  test('reads are judged by what was forgotten, too', () => {
    const all = Array.from({ length: 100 }, (_, at) => at + 1);
    const shown = (serials: number[]) => {
      const history = counters();
      count(history, 1, 100);
      ask(history, read, shows(...serials), 2_000);
      return history.check('counter').verdict;
    };
    expect(shown(all)).toBe('linearizable');
    expect(shown(all.with(1, 101))).toBe('violation');
    expect(shown(all.slice(1))).toBe('violation');
  });

  test('a violation in a piece that would be forgotten stays the verdict', () => {
    const history = counters();
    count(history, 1, 9);
    ask(history, task(10), total(9), 100);
    count(history, 11, 100);
    const { verdict, evidence, stopped } = history.check('counter');
    expect(verdict).toBe('violation');
    expect(evidence).toContain('task 10 → total 9');
    expect(stopped).toContain('is a violation');
  });

  test('an operation that is never answered ends the recording at the limit, soundly', () => {
    const history = counters();
    history.called('counter', 'b', task(1_000), 0);
    const late = history.called('counter', 'b', task(999), 0);
    count(history, 1, 100);
    expect(history.operations('counter').length).toBe(limits.operationsMax);
    // Its effect may stand on what was not recorded.
    history.returned(late, total(102), 5_000);
    const { verdict, operations, stopped } = history.check('counter');
    expect({ verdict, operations }).toEqual({ verdict: 'linearizable', operations: limits.operationsMax });
    expect(stopped).toBe('recorded until 190.000 ms: there are 20 operations, and some are without an answer');
    // Another key is not concerned.
    ask(history, task(1), total(1), 0, 'other');
    expect(history.check('other')).not.toHaveProperty('stopped');
  });

  test('a piece that may have left one of several states is taken up from each', () => {
    const after = (value: number) => {
      const history = new History(register, { operationsMax: 4, statesMax: 1_000 });
      const ids = [1, 2].map((written) => history.called('x', `c${written}`, written, 0));
      for (const id of ids) history.returned(id, 'ok', 5);
      history.returned(history.called('x', 'a', 'read', 10), value, 11);
      expect(history.operations('x').length).toBe(1);
      return history.check('x');
    };
    expect(after(1)).toMatchObject({ verdict: 'linearizable', operations: 3 });
    expect(after(2)).toMatchObject({ verdict: 'linearizable', operations: 3 });
    expect(after(0)).toMatchObject({ verdict: 'violation', operations: 3 });
  });

  test('what a forgotten piece remembers is not mistaken for something new', () => {
    const history = new History(namesModel, { operationsMax: 4, statesMax: 1_000 });
    const told = (input: NamesInput, atMs: number): void => {
      history.returned(history.called('x', 'a', input, atMs), 'ok', atMs + 1);
    };
    told({ type: 'deploy', request: 'r' }, 0);
    told({ type: 'delete' }, 10);
    for (const request of ['r', 's']) history.unknown(history.called('x', 'b', { type: 'deploy', request }, 20));
    expect(history.operations('x').length).toBe(2);
    told({ type: 'migrate' }, 30);
    expect(history.check('x')).toMatchObject({ verdict: 'linearizable', operations: 5 });
  });

  test('a piece that may have left too many states is kept until the limit', () => {
    const history = new History(register, limits);
    for (let at = 0; at < 30; at++) {
      const ids = Array.from({ length: 20 }, (_, written) => history.called('x', `c${written}`, written, 100 * at));
      for (const id of ids) history.returned(id, 'ok', 100 * at + 50);
    }
    const { verdict, operations, stopped } = history.check('x');
    expect({ verdict, operations }).toEqual({ verdict: 'linearizable', operations: 20 });
    expect(stopped).toContain('too much is possible after them');
  });
});
