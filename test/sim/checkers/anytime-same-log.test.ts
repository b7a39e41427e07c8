import { expect, test } from 'vitest';
import { keys } from '../../../node/core/records.ts';
import { SameLog } from '../../../sim/checkers/anytime-same-log.ts';
import { entry, message, putEntry, report } from './planted.ts';

const drop = (index: number) => ({ key: keys.entry(index), value: undefined });
const append = (term: number, commitIndex: number, entries: ReturnType<typeof entry>[] = []) =>
  message('appendRequest', { term, commitIndex, entries });

/** n1 leads term 1, and index 1 and 2 are committed; n2 has both. */
function committed(): SameLog {
  const checker = new SameLog();
  for (const node of ['n1', 'n2']) checker.durable(node, [putEntry(1, 1), putEntry(2, 1), putEntry(3, 1)]);
  checker.sent('n1', 'c', append(1, 2));
  return checker;
}

test('what a leader announced and has on disk counts as committed', () => {
  expect(committed().commitIndex).toBe(2);
});

test('what a leader announced before its own disk had it counts from its next announcement on', () => {
  const checker = committed();
  checker.sent('n1', 'c', append(1, 4));
  expect(checker.commitIndex).toBe(3);
  checker.durable('n1', [putEntry(4, 1)]);
  checker.sent('n1', 'c', append(1, 4));
  expect(checker.commitIndex).toBe(4);
});

test('replacing an uncommitted entry is fine, a committed one a violation', () => {
  const checker = committed();
  checker.durable('n2', [putEntry(3, 2)]);
  expect(() => checker.durable('n2', [putEntry(2, 2)])).toThrow('n2 replaced a committed entry at index 2');
});

test('a node that never had the committed entry may still hold, and replace, another one', () => {
  const checker = committed();
  checker.durable('n3', [putEntry(2, 0, 'stale')]);
  expect(() => checker.durable('n3', [putEntry(2, 1)])).not.toThrow();
});

test('a log may lose its front, not its committed end', () => {
  const checker = committed();
  checker.durable('n2', [drop(1)]);
  expect(() => checker.durable('n2', [drop(2), drop(3)])).toThrow('n2 cut its log before index 2');
});

test('a node whose disk is empty has cut nothing', () => {
  const checker = committed();
  checker.started('n2', true);
  expect(() => checker.durable('n2', [putEntry(1, 1), putEntry(2, 1)])).not.toThrow();
});

test('two entries of the same term and index are a violation', () => {
  const checker = committed();
  expect(() => checker.sent('n1', 'c', append(1, 2, [entry(3, 1, 'other')]))).toThrow(
    'another entry at term/index 1/3',
  );
});

test('reports of an index are equal on all nodes, also after a restart', () => {
  const checker = new SameLog();
  for (const node of ['n1', 'n2']) {
    checker.reported(node, report(1, 'one'));
    checker.reported(node, report(2, 'two'));
    checker.reported(node, report(2, 'of the same entry'));
    checker.reported(node, report(0, 'only mine', {}, node));
  }
  checker.started('n1', false);
  expect(() => checker.reported('n1', report(1, 'one'))).not.toThrow();
});

test('a report of an index that differs, or comes after that of a later one, is a violation', () => {
  const checker = new SameLog();
  checker.reported('n1', report(1, 'one'));
  checker.reported('n1', report(2, 'two'));
  expect(() => checker.reported('n1', report(1, 'one'))).toThrow('n1 reported index 1 after 2');
  expect(() => checker.reported('n2', report(1, 'uno'))).toThrow('n2 applied at 1');
});
