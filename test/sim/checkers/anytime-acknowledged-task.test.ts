import { expect, test } from 'vitest';
import { AcknowledgedTasks } from '../../../sim/checkers/anytime-acknowledged-task.ts';

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
  expect(oracle.acknowledgedCount('b')).toBe(0);
});

test('an acknowledged task that is not in the state is a violation', () => {
  const oracle = asked(1);
  oracle.acknowledged('a', 1, 1);
  expect(() => oracle.judge('a', { total: 0, counts: {} })).toThrow('serial 1, which was acknowledged, 0 times');
});

test('a task that took effect twice is a violation, even when nobody knows its answer', () => {
  expect(() => asked(1).judge('a', { total: 2, counts: { 1: 2 } })).toThrow('serial 1, which was unknown, 2 times');
});

test('what a given-up step sent may come beside what is sent anew, and no third time', () => {
  const oracle = asked(1);
  oracle.asked('b', 2, { agent: 'a', serial: 1 });
  expect(() => oracle.judge('b', { total: 2, counts: { 2: 2 } })).toThrow('serial 2, which was unknown, 2 times');
  oracle.goBack('a', { total: 0, counts: {} });
  oracle.acknowledged('a', 1, 1);
  oracle.promised('b', 2, { agent: 'a', serial: 1 });
  expect(() => oracle.judge('b', { total: 2, counts: { 2: 2 } })).not.toThrow();
  expect(() => oracle.judge('b', { total: 3, counts: { 2: 3 } })).toThrow('serial 2, which was promised, 3 times');
  oracle.goBack('a', { total: 1, counts: { 1: 1 } });
  expect(() => oracle.judge('b', { total: 3, counts: { 2: 3 } })).toThrow('serial 2, which was promised, 3 times');
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

test('an answer to, or an effect of, what nobody sent is a violation, and so is a sum that does not add up', () => {
  expect(() => asked(1).acknowledged('a', 2, 1)).toThrow('acknowledged serial 2, which nobody sent');
  expect(() => asked(1).judge('a', { total: 1, counts: { 2: 1 } })).toThrow('counted serial 2, which nobody sent');
  expect(() => asked(1).judge('a', { total: 2, counts: { 1: 1 } })).toThrow('its serials add up to 1');
});
