import { expect, test } from 'vitest';
import { OneCluster } from '../../../sim/checkers/anytime-one-cluster.ts';
import { message } from './planted.ts';

test('frames of one cluster, and those from before there is one, are right', () => {
  const checker = new OneCluster();
  checker.sent('n1', '', message('probe'));
  expect(checker.cluster).toBeUndefined();
  checker.sent('n1', 'a', message('probe'));
  checker.sent('n2', 'a', message('probe'));
  checker.sent('n3', '', message('probe'));
  expect(checker.cluster).toBe('a');
});

test('a second cluster id on any frame is a violation', () => {
  const checker = new OneCluster();
  checker.sent('n1', 'a', message('probe'));
  expect(() => checker.sent('n2', 'b', message('probe'))).toThrow(
    'n2 speaks for cluster b, but there is a, first seen from n1',
  );
});
