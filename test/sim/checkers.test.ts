import { describe, expect, test } from 'vitest';
import type { Message } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { Entry } from '../../node/core/wire/messages.ts';
import { AcknowledgedTasks } from '../../sim/checkers/anytime-acknowledged-task.ts';
import { OneCluster } from '../../sim/checkers/anytime-one-cluster.ts';
import { OneLeaderPerTerm } from '../../sim/checkers/anytime-one-leader-per-term.ts';
import { SameLog } from '../../sim/checkers/anytime-same-log.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const entry = (index: number, term: number, data = `${term}`) => ({ index, term, kind: 0, data: bytes(data) });
const put = (...args: Parameters<typeof entry>) => ({ key: keys.entry(args[0]), value: Entry.encode(entry(...args)) });
const drop = (index: number) => ({ key: keys.entry(index), value: undefined });

function append(term: number, commitIndex: number, entries: ReturnType<typeof entry>[] = []): Message {
  const body = { term, previousIndex: 0, previousTerm: 0, commitIndex, entries, round: 1 };
  return { type: 'appendRequest', body };
}

describe('one leader per term', () => {
  test('a second sender of append requests in a term is a violation', () => {
    const checker = new OneLeaderPerTerm();
    checker.sent('n1', 'c', append(1, 0));
    checker.sent('n2', 'c', append(2, 0));
    checker.sent('n1', 'c', append(1, 0));
    expect(checker.leader).toEqual({ node: 'n2', term: 2 });
    expect(() => checker.sent('n3', 'c', append(2, 0))).toThrow('n2 and n3 both led term 2');
  });
});

describe('one cluster', () => {
  test('a second cluster id on any frame is a violation', () => {
    const checker = new OneCluster();
    checker.sent('n1', '', append(1, 0));
    checker.sent('n1', 'a', append(1, 0));
    expect(() => checker.sent('n2', 'b', append(1, 0))).toThrow('n2 speaks for cluster b');
  });
});

describe('the same log everywhere', () => {
  /** n1 leads term 1, and index 1 and 2 are committed; n2 has both. */
  function committed(): SameLog {
    const checker = new SameLog();
    for (const node of ['n1', 'n2']) checker.durable(node, [put(1, 1), put(2, 1), put(3, 1)]);
    checker.sent('n1', 'c', append(1, 2));
    return checker;
  }

  test('what a leader announced and has on disk counts as committed', () => {
    expect(committed().commitIndex).toBe(2);
  });

  test('replacing an uncommitted entry is fine, a committed one a violation', () => {
    const checker = committed();
    checker.durable('n2', [put(3, 2)]);
    expect(() => checker.durable('n2', [put(2, 2)])).toThrow('n2 replaced a committed entry at index 2');
  });

  test('a node that never had the committed entry may still hold, and replace, another one', () => {
    const checker = committed();
    checker.durable('n3', [put(2, 0, 'stale')]);
    expect(() => checker.durable('n3', [put(2, 1)])).not.toThrow();
  });

  test('a log may lose its front, not its committed end', () => {
    const checker = committed();
    checker.durable('n2', [drop(1)]);
    expect(() => checker.durable('n2', [drop(2), drop(3)])).toThrow('n2 cut its log before index 2');
  });

  test('two entries of the same term and index are a violation', () => {
    const checker = committed();
    expect(() => checker.sent('n1', 'c', append(1, 2, [entry(3, 1, 'other')]))).toThrow(
      'another entry at term/index 1/3',
    );
  });

  test('reports of an index must be equal on all nodes, also after a restart', () => {
    const checker = new SameLog();
    const report = (index: number, text: string) => ({ index, atMs: 1, kind: 'k', text, details: {} });
    checker.reported('n1', report(1, 'one'));
    checker.reported('n1', report(2, 'two'));
    checker.reported('n1', report(0, 'only mine'));
    expect(() => checker.reported('n1', report(1, 'one'))).toThrow('n1 reported index 1 after 2');
    checker.started('n1', false);
    checker.reported('n1', report(1, 'one'));
    expect(() => checker.reported('n2', report(1, 'uno'))).toThrow('n2 applied at 1');
  });
});

describe('acknowledged tasks', () => {
  function asked(...serials: number[]): AcknowledgedTasks {
    const oracle = new AcknowledgedTasks();
    for (const serial of serials) oracle.asked('a', serial);
    return oracle;
  }

  test('acknowledged once and counted once is right; unknown may have counted once or not at all', () => {
    const oracle = asked(1, 2, 3);
    oracle.acknowledged('a', 1, 1);
    expect(() => oracle.judge('a', { total: 2, counts: { 1: 1, 2: 1 } })).not.toThrow();
    expect(oracle.acknowledgedCount()).toBe(1);
  });

  test('an acknowledged task that is not in the state is a violation', () => {
    const oracle = asked(1);
    oracle.acknowledged('a', 1, 1);
    expect(() => oracle.judge('a', { total: 0, counts: {} })).toThrow('serial 1, which was acknowledged, 0 times');
  });

  test('a task that took effect twice is a violation, even when nobody knows its answer', () => {
    expect(() => asked(1).judge('a', { total: 2, counts: { 1: 2 } })).toThrow('serial 1, which was unknown, 2 times');
  });

  test('a refused task that took effect is a violation', () => {
    const oracle = asked(1);
    oracle.refused('a', 1);
    expect(() => oracle.judge('a', { total: 1, counts: { 1: 1 } })).toThrow('which was refused, 1 times');
  });

  test('a total that goes back behind an acknowledged one, or comes twice, is a violation at once', () => {
    const oracle = asked(1, 2);
    oracle.acknowledged('a', 1, 5);
    expect(() => oracle.acknowledged('a', 2, 5)).toThrow('the same total 5');
    oracle.asked('a', 3);
    expect(() => oracle.acknowledged('a', 3, 4)).toThrow('effects were lost');
  });
});
