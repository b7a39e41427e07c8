import { expect, test } from 'vitest';
import { offers } from '../../strategies/capability.ts';

test.each([
  ['gpu', ['gpu'], true],
  ['gpu', ['gpus', 'cpu'], false],
  ['gpu', ['gpu=2'], true],
  ['gpu>=2', ['gpu'], false],
  ['gpu>=2', ['gpu=2'], true],
  ['gpu>=2', ['gpu=1.9', 'gpu=10'], true],
  ['gpu>=2', ['gpu=1.9'], false],
  ['gpu>2', ['gpu=2.0'], false],
  ['gpu>2', ['gpu=2.0.1'], true],
  ['gpu<2', ['gpu=1.99'], true],
  ['gpu<=2', ['gpu=2.1'], false],
  ['gpu=2', ['gpu=2.0'], true],
  ['gpu=2', ['gpu=2.0.0.1'], false],
  ['gpu>=2', ['gpu>=2'], true],
  ['gpu>=1', ['gpu>=2'], false],
  ['gpu>=two', ['gpu=2'], false],
  ['container:registry:5000/web@sha256:ab', ['container:registry:5000/web@sha256:ab'], true],
])('what wants %s is met by %j: %s', (wanted, offered, met) => {
  expect(offers(offered, wanted)).toBe(met);
});
