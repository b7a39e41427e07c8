import { describe, expect, test } from 'vitest';
import { type BranchCopy, doneByBoth, joinMailboxes, ownPart, toTakeOver } from '../../node/core/branch-copy.ts';
import { joined } from '../../node/core/bytes.ts';
import { emptyMailbox, encodeMailbox, type Mailbox } from '../../node/core/mailbox.ts';
import { decodeMerge, encodeMerge } from '../../node/core/merge-payload.ts';
import type { TaskResult } from '../../node/core/message.ts';
import { ResultTable } from '../../node/core/result-table.ts';
import { limits } from '../../node/core/settings.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import { StateTrail } from '../../node/core/state-trail.ts';
import { fromBytes, toBytes } from '../../node/core/text.ts';

const result = (task: string, sequence: number, more: Partial<TaskResult> = {}): TaskResult => ({
  ...{ task, sequence, ok: true, value: toBytes(task), valueDropped: false, ...more },
});
const letter = (id: string) => ({ id, sequence: 4, to: 'x', task: 1, priority: 5, key: 'a' });
const timer = (id: string, name: string) => ({ id, name, atMs: 5, task: 1 });
const none = new ResultTable([]);
const stateOf = (own: string, mailbox: Mailbox): Uint8Array => joined([toBytes(own), encodeMailbox(mailbox)]);

function copyOf(results: TaskResult[], theirs: Mailbox = emptyMailbox, base: Mailbox = emptyMailbox): BranchCopy {
  return {
    ...{ branch: 'b', number: 9, base: { epoch: 2, sequence: 3, checksum: 0 }, sequence: 7, results },
    ...{ baseState: stateOf('base', base), state: stateOf('theirs', theirs) },
  };
}

describe("a branch's tasks", () => {
  const copy = copyOf([
    result('old', 3),
    result('both', 4),
    result('new', 5),
    result('begun', 6, { ok: false, tries: 1 }),
  ]);

  test('that both sides ended are those that the majority ended since they parted', () => {
    expect(doneByBoth(copy, new ResultTable([result('old', 3), result('both', 4)]))).toEqual(['both']);
    expect(doneByBoth(copy, new ResultTable([result('old', 3), result('both', 4, { tries: 1 })]))).toEqual([]);
  });

  test('that the majority does not know keep their answers; none that only began, or was done before they parted', () => {
    const tasks = (ours: TaskResult[]) => toTakeOver(copy, new ResultTable(ours)).map(({ task }) => task);
    expect(tasks([result('old', 3), result('both', 4)])).toEqual(['new']);
    expect(tasks([])).toEqual(['both', 'new']);
    expect(tasks([result('both', 4), result('new', 5, { ok: false, tries: 2 })])).toEqual(['new']);
  });
});

describe('mailboxes that come together', () => {
  test('have the letters of both, those of the branch to leave with the merge', () => {
    const base = { letters: [letter('m1')], timers: [] };
    const copy = copyOf([], { letters: [letter('m1'), letter('m2')], timers: [] }, base);
    const ours = { letters: [letter('m3')], timers: [] };
    expect(joinMailboxes(copy, ours, 30, none)).toEqual({
      letters: [letter('m3'), { ...letter('m2'), sequence: 30 }],
      timers: [],
    });
  });

  test('have the timers that the branch set, and not those that it took back or set anew', () => {
    const base = { letters: [], timers: [timer('t1', 'kept'), timer('t2', 'back'), timer('t3', 'anew')] };
    const theirs = { letters: [], timers: [timer('t1', 'kept'), timer('u3', 'anew'), timer('u4', 'new')] };
    const after = joinMailboxes(copyOf([], theirs, base), base, 30, none);
    expect(after).toMatchObject({ timers: [{ id: 't1' }, { id: 'u3' }, { id: 'u4' }] });
  });

  test('are ours where the branch sent and set nothing, and are refused where they would be too much', () => {
    const ours = { letters: [letter('m3')], timers: [] };
    expect(joinMailboxes(copyOf([]), ours, 30, none)).toBe(ours);
    const many = { letters: Array.from({ length: limits.lettersMax }, (_, i) => letter(`n${i}`)), timers: [] };
    expect(joinMailboxes(copyOf([], many), ours, 30, none)).toMatch(/tasks for others under way/);
  });

  test('have what two parts of a branch sent and set before they parted once, whether it has left and fired or not', () => {
    const one = { letters: [letter('m1'), letter('m2')], timers: [timer('t1', 'one'), timer('t2', 'two')] };
    const other = { letters: [letter('m1'), letter('m3')], timers: [timer('t1', 'one'), timer('t2', 'two')] };
    const first = joinMailboxes(copyOf([], one), emptyMailbox, 30, none) as Mailbox;
    const fired = { letters: first.letters, timers: [timer('t2', 'two')] };
    const results = new ResultTable([result('t1', 31)]);
    const after = joinMailboxes(copyOf([], other), fired, 40, results) as Mailbox;
    expect(after.letters.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3']);
    expect(after.timers.map(({ id }) => id)).toEqual(['t2']);
  });

  test('have no letter a second time whose answer has come already', () => {
    const theirs = { letters: [{ ...letter('m1'), reply: 1 }, letter('m2')], timers: [] };
    const after = joinMailboxes(copyOf([], theirs), emptyMailbox, 40, new ResultTable([result('m1-r', 31)])) as Mailbox;
    expect(after.letters.map(({ id }) => id)).toEqual(['m2']);
  });

  test('are no part of the states that a merge is given', () => {
    const copy = copyOf([], { letters: [letter('m2')], timers: [] });
    const given = { branch: 'b', both: ['t'], base: ownPart(copy.baseState), theirs: ownPart(copy.state) };
    const { base, theirs, ...rest } = decodeMerge(encodeMerge(given));
    expect([rest, fromBytes(base), fromBytes(theirs)]).toEqual([{ branch: 'b', both: ['t'] }, 'base', 'theirs']);
  });
});

describe('the trail of states', () => {
  const state = (text: string) => StateBytes.of(toBytes(text), 16);
  const at = (trail: StateTrail, durable: number) => trail.newestUpTo(durable)?.sequence;

  test('knows the newest step that is durable, and nothing before the first', () => {
    const trail = new StateTrail();
    expect(at(trail, 9)).toBeUndefined();
    trail.begin({ sequence: 4, state: state('4') });
    expect(at(trail, 3)).toBeUndefined();
    for (const sequence of [5, 6, 7]) trail.add({ sequence, state: state(`${sequence}`) }, 4);
    expect([at(trail, 4), at(trail, 6)]).toEqual([4, 6]);
    expect(fromBytes(trail.newestUpTo(6)?.state.bytes() ?? new Uint8Array())).toBe('6');
  });

  test('stays within its bound when nothing becomes durable, and keeps the one that is', () => {
    const trail = new StateTrail();
    trail.begin({ sequence: 0, state: state('0') });
    for (let sequence = 1; sequence <= 5_000; sequence++) trail.add({ sequence, state: state('x') }, 0);
    expect(at(trail, 0)).toBe(0);
    expect(at(trail, 5_000)).toBe(5_000);
  });
});
