import { expect, test } from 'vitest';
import { MajorityOnly } from '../../../sim/checkers/anytime-majority-only.ts';
import { ledgerOf, message, received, votersAre } from './planted.ts';

/** Five voters; `hear` lets nodes hear each other, `later` lets time pass. */
function scene() {
  let nowMs = 1_000;
  const checker = new MajorityOnly(ledgerOf(votersAre(1, 'n1', 'n2', 'n3', 'n4', 'n5')), () => nowMs);
  const hear = (node: string, ...others: string[]): void => {
    for (const other of others) checker.happened(node, received(other, message('probe')));
  };
  const later = (ms: number): void => {
    nowMs += ms;
  };
  return { answer: (node: string) => checker.sent(node, 'c', message('taskAnswer')), checker, hear, later };
}

test('a node that heard a majority of the voters may answer, counting itself', () => {
  const { answer, hear, later } = scene();
  hear('n1', 'n2', 'n3');
  later(8_000);
  answer('n1');
});

test('a node that heard only somebody who had heard a majority may answer, voter or not', () => {
  const { answer, hear } = scene();
  hear('n1', 'n2', 'n3');
  hear('n9', 'n1');
  hear('n5', 'n1');
  answer('n9');
  answer('n5');
});

test('a node that heard too few, and nobody who heard more, violates it with an answer', () => {
  const { answer, hear } = scene();
  hear('n1', 'n2');
  hear('n2', 'n1');
  expect(() => answer('n1')).toThrow('n1 answered t of a, cut off from a majority for 8000 ms');
  expect(() => answer('n9')).toThrow('n9 answered t of a, cut off');
});

test('a node that heard a majority too long ago violates it with an answer', () => {
  const { answer, hear, later } = scene();
  hear('n1', 'n2', 'n3', 'n4');
  later(8_001);
  expect(() => answer('n1')).toThrow('n1 answered t of a, cut off');
});

test('a refusal is no answer', () => {
  const { checker } = scene();
  checker.sent('n1', 'c', message('taskAnswer', { refusal: 'agentNotReady' }));
  checker.sent('n1', 'c', message('probe'));
});
