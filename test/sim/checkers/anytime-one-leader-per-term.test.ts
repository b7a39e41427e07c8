import { expect, test } from 'vitest';
import { OneLeaderPerTerm } from '../../../sim/checkers/anytime-one-leader-per-term.ts';
import { message } from './planted.ts';

const append = (term: number) => message('appendRequest', { term });

test('one leader in each term is right, and the one of the highest term is the leader', () => {
  const checker = new OneLeaderPerTerm();
  checker.sent('n1', 'c', append(1));
  checker.sent('n2', 'c', append(2));
  checker.sent('n1', 'c', append(1));
  checker.sent('n3', 'c', message('voteRequest', { term: 3 }));
  expect(checker.leader).toEqual({ node: 'n2', term: 2 });
  expect(checker.terms).toBe(2);
});

test('a second sender of append requests in a term is a violation', () => {
  const checker = new OneLeaderPerTerm();
  checker.sent('n2', 'c', append(2));
  expect(() => checker.sent('n3', 'c', append(2))).toThrow('n2 and n3 both led term 2');
});
