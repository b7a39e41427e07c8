import { expect, test } from 'vitest';
import type { Event } from '../../../node/core/event.ts';
import type { Operation } from '../../../node/core/operation.ts';
import { toBytes, toJson } from '../../../node/core/text.ts';
import { TaskInTime } from '../../../sim/checkers/anytime-task-in-time.ts';
import { bytes, message, received } from './planted.ts';

const task: Operation = { type: 'task', agent: 'a', task: 't', payload: bytes('{}'), ttlMs: 1_000 };
const asked = { request: 'r', operation: toBytes(toJson(task)), session: '', serial: 0, lowest: 0 };
const forwarded = { type: 'forward', body: asked } as const;

/** The ways in which a node is asked for a task that has 1 s. */
const ways: [string, Event][] = [
  ['by its user', { type: 'request', request: 'q', operation: task }],
  ['by another node', received('n2', message('taskAsk'))],
  ['by one that passes on what it was asked', received('n2', forwarded)],
];

function scene() {
  let nowMs = 500;
  const checker = new TaskInTime((node) => (node === 'n1' ? nowMs : 0));
  const run = (name = 't'): void => checker.began('n1', 'a', name);
  const later = (ms: number): void => {
    nowMs += ms;
  };
  return { checker, later, run };
}

test.each(ways)('a task that was asked for %s may begin within its time, by the clock of its host', (_way, event) => {
  const { checker, later, run } = scene();
  checker.happened('n1', event);
  later(1_000);
  run();
});

test.each(ways)('a task that was asked for %s violates it by beginning later', (_way, event) => {
  const { checker, later, run } = scene();
  checker.happened('n1', event);
  later(1_010);
  expect(() => run()).toThrow('n1 began t of a 8 ms after its deadline');
});

test('a task that is asked for again has its time again', () => {
  const { checker, later, run } = scene();
  for (let i = 0; i < 3; i++) {
    for (const [, event] of ways.slice(0, 2)) checker.happened('n1', event);
    later(900);
  }
  run();
});

test('a task that nobody asked of this node is a violation', () => {
  const { checker, run } = scene();
  checker.happened('n2', received('n1', message('taskAsk')));
  checker.happened('n1', received('n2', message('taskAsk', { agent: 'b' })));
  expect(() => run()).toThrow('n1 ran t of a, which nobody asked of it');
});

test('a letter that came late from elsewhere is no violation where its sender lives on the same node by then', () => {
  const letter = '~m:b:10-3-0-0';
  const { checker, later, run } = scene();
  checker.happened('n1', received('n2', message('taskAsk', { task: letter, ttlMs: 1_000 })));
  later(1_010);
  expect(() => run(letter)).toThrow('n1 began ~m:b:10-3-0-0 of a 8 ms after its deadline');
  const start = { type: 'startAgent', agent: 'b', agentType: 't', epoch: 1, source: '', state: undefined } as const;
  checker.did('n1', start);
  run(letter);
  checker.started('n1');
  expect(() => run(letter)).toThrow('after its deadline');
});
