import { describe, expect, test } from 'vitest';
import { readOutputs } from '../../node/core/agent-outputs.ts';

const read = (value: unknown) => readOutputs(new TextEncoder().encode(JSON.stringify(value)));

describe('what an agent gives beside its state', () => {
  test('is read when it is in order', () => {
    const send = [
      { to: 'counter-2', task: { add: 1 }, priority: 9, key: 'k', reply: { order: 7 } },
      { to: { type: 'counter', key: 'customer 4' }, task: null },
      { to: { topic: 'prices' }, task: 1 },
    ];
    const timers = [
      { name: 'soon', afterMs: 0, task: 1 },
      { name: 'often', atMs: 1_700_000_000_000, everyMs: 1_000, task: {} },
      { name: 'never', cancel: true },
    ];
    expect(read({ send, timers })).toEqual({ send, timers });
    expect(read({})).toEqual({ send: [], timers: [] });
  });

  test.each([
    ['a list', [], /not in an object/],
    ['send that is no list', { send: {} }, /send is not a list/],
    ['timers that are no list', { timers: 1 }, /timers is not a list/],
    ['a sending that is no object', { send: [1] }, /send\[0\]: it is not an object/],
    ['no address', { send: [{ task: 1 }] }, /send\[0\]: "to"/],
    ['an address with a slash', { send: [{ to: 'a/b', task: 1 }] }, /"to"/],
    ['both a type and a topic', { send: [{ to: { type: 'a', topic: 'b' }, key: 1, task: 1 }] }, /"key"/],
    ['no task', { send: [{ to: 'a' }] }, /it has no "task"/],
    ['a priority of 10', { send: [{ to: 'a', task: 1, priority: 10 }] }, /"priority" is not 0 to 9/],
    [
      'the second of two',
      {
        send: [
          { to: 'a', task: 1 },
          { to: '', task: 1 },
        ],
      },
      /send\[1\]/,
    ],
    ['a timer without a name', { timers: [{ afterMs: 1, task: 1 }] }, /timers\[0\]: "name"/],
    ['a timer without a task', { timers: [{ name: 'a', afterMs: 1 }] }, /it has no "task"/],
    ['a timer without a time', { timers: [{ name: 'a', task: 1 }] }, /either "afterMs" or "atMs"/],
    ['a timer with two times', { timers: [{ name: 'a', task: 1, afterMs: 1, atMs: 1 }] }, /either "afterMs" or "atMs"/],
    ['a time before now', { timers: [{ name: 'a', task: 1, afterMs: -1 }] }, /whole ms/],
    ['a timer that fires all the time', { timers: [{ name: 'a', task: 1, afterMs: 1, everyMs: 1 }] }, /"everyMs"/],
  ])('is refused in words: %s', (_what, given, reason) => {
    expect(read(given)).toMatch(reason);
  });

  test('is refused when it is not JSON', () => {
    expect(readOutputs(new TextEncoder().encode('{'))).toMatch(/not JSON/);
  });
});
