import { expect, test } from 'vitest';
import { branchKey } from '../../../node/core/branch.ts';
import type { MessageOf } from '../../../node/core/message.ts';
import type { Operation } from '../../../node/core/operation.ts';
import { keys } from '../../../node/core/records.ts';
import { BranchRecord } from '../../../node/core/wire/messages.ts';
import { BranchAcknowledged } from '../../../sim/checkers/anytime-branch.ts';
import type { Losses } from '../../../sim/losses.ts';
import { bytes, message, putHolder, putResult, received } from './planted.ts';

const key = branchKey('a', 'b1');

function scene() {
  let nowMs = 1_000;
  const lost = new Set<string>();
  const losses = { isLost: (node: string) => lost.has(node) } as Losses;
  const checker = new BranchAcknowledged(() => nowMs, losses);
  const record = (number: number, host: string, keepers: string[]) => {
    const parts = { agent: 'a', branch: 'b1', created: 1, baseEpoch: 5, baseSequence: 3, baseChecksum: 1 };
    const more = { baseState: bytes(''), number, host, keepers, sinceMs: 1, untilMs: 0 };
    return { key: keys.branch(key), value: BranchRecord.encode({ ...parts, ...more }) };
  };
  return {
    checker,
    lost,
    later: (ms: number) => (nowMs += ms),
    keep: (node: string, number: number, host: string, keepers: string[]) =>
      checker.durable(node, [record(number, host, keepers)]),
    step: (node: string, number: number, task: string) =>
      checker.durable(node, [putResult(key, task, 4), putHolder(key, number, number, 4)]),
    answer: (node: string, number: number, more: Partial<MessageOf<'taskAnswer'>> = {}) =>
      checker.sent(node, 'c', message('taskAnswer', { branch: 'b1', number, ...more })),
  };
}

test('a branch may answer what all keepers of its number have, and refuse what it likes', () => {
  const { keep, step, answer } = scene();
  for (const node of ['n1', 'n2']) keep(node, 7, 'n1', ['n1', 'n2']);
  for (const node of ['n1', 'n2']) step(node, 7, 't');
  answer('n1', 7);
  answer('n1', 9, { refusal: 'agentNotReady' });
});

test('an answer that one of the keepers does not have violates it', () => {
  const { keep, step, answer } = scene();
  for (const node of ['n1', 'n2']) keep(node, 7, 'n1', ['n1', 'n2']);
  step('n1', 7, 't');
  expect(() => answer('n1', 7)).toThrow('n1 answered t of a~b1, which n2 does not have');
});

test('what a keeper had under another number does not count until it has a step of this one', () => {
  const { keep, step, answer } = scene();
  keep('n1', 7, 'n1', ['n1']);
  step('n1', 7, 't');
  keep('n2', 9, 'n2', ['n2', 'n1']);
  step('n2', 9, 't');
  expect(() => answer('n2', 9)).toThrow('which n1 does not have');
  step('n1', 9, 'other');
  answer('n2', 9);
});

test('an answer under the number of another host violates it', () => {
  const { keep, step, answer } = scene();
  keep('n1', 7, 'n1', ['n1']);
  step('n1', 7, 't');
  expect(() => answer('n2', 7)).toThrow('n2 answered t of a under number 7, which is not its');
});

test('one number with two hosts, or with other keepers, violates it', () => {
  const { keep } = scene();
  keep('n1', 7, 'n1', ['n1', 'n2']);
  keep('n2', 7, 'n1', ['n1', 'n2']);
  expect(() => keep('n2', 7, 'n2', ['n1', 'n2'])).toThrow('a~b1 has number 7 twice');
  expect(() => keep('n2', 7, 'n1', ['n1'])).toThrow('a~b1 has number 7 twice');
});

test('who just heard the leader of the newest term violates it with a provisional answer', () => {
  const { checker, keep, step, answer, later } = scene();
  keep('n1', 7, 'n1', ['n1']);
  step('n1', 7, 't');
  checker.happened('n1', received('n2', message('appendRequest', { term: 4 })));
  answer('n1', 7);
  later(1);
  expect(() => answer('n1', 7)).toThrow('n1 answered t of a provisionally, and hears a leader');
  later(500);
  answer('n1', 7);
  checker.happened('n3', received('n2', message('appendRequest', { term: 5 })));
  checker.happened('n1', received('n2', message('appendRequest', { term: 4 })));
  answer('n1', 7);
});

test('who is in a newer term than a leader turns it away, and may answer provisionally', () => {
  const { checker, keep, step, answer, later } = scene();
  keep('n1', 7, 'n1', ['n1']);
  step('n1', 7, 't');
  const inTerm = (term: number) => ({ key: keys.hardState, value: bytes(JSON.stringify({ term, vote: 'n1' })) });
  checker.durable('n1', [inTerm(5)]);
  checker.happened('n1', received('n2', message('appendRequest', { term: 4 })));
  later(1);
  answer('n1', 7);
  checker.happened('n1', received('n2', message('appendRequest', { term: 5 })));
  later(1);
  expect(() => answer('n1', 7)).toThrow('n1 answered t of a provisionally, and hears a leader');
});

test('a client that is told of what nobody has violates it', () => {
  const { checker, keep, step } = scene();
  keep('n1', 7, 'n1', ['n1']);
  const operation: Operation = { type: 'task', agent: 'a', task: 't', payload: bytes(''), ttlMs: 1 };
  const result = { agent: 'a', task: 't', value: bytes('1'), provisional: true as const, branch: 'b1' };
  expect(() => checker.answered('n3', 'q', operation, { ok: true, result })).toThrow('n3 told that a~b1 did t');
  step('n1', 7, 't');
  checker.answered('n3', 'q', operation, { ok: true, result });
});

test('a branch may be lost when the disk of one who ever kept it is', () => {
  const { checker, keep, lost } = scene();
  keep('n1', 7, 'n1', ['n1', 'n2']);
  expect(checker.mayBeLost('a', 'b1')).toBe(false);
  lost.add('n2');
  expect([checker.mayBeLost('a', 'b1'), checker.mayBeLost('a', 'b2')]).toEqual([true, false]);
});
