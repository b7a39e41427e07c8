import { describe, expect, test } from 'vitest';
import type { Observer } from '../../sim/checkers/checker.ts';
import { TallyLetters } from '../../sim/tally-letters.ts';
import type { World } from '../../sim/world.ts';

/** The task t of tally-1 gives tally-2 one. */
function letters(sender: Record<string, number>, receiver: Record<string, number>, branches = 0) {
  const watching: Observer[] = [];
  const world = { watch: (observer: Observer) => void watching.push(observer) } as unknown as World;
  const all = new TallyLetters(world);
  all.add('t', 'tally-1', 'tally-2');
  all.learn('tally-1', sender, branches);
  all.learn('tally-2', receiver, 0);
  return { all, watching };
}

describe('what autonomous agents give each other', () => {
  test('is there where the task that sent it is', () => {
    const { all } = letters({ t: 1 }, { 'letter-t': 1, own: 1 });
    expect(all.missing()).toBeUndefined();
    all.check();
  });

  test('is missing where it is not, unless it was set aside', () => {
    const { all, watching } = letters({ t: 1 }, {});
    expect(all.missing()).toBe('tally-2 did not get letter-t of tally-1');
    const report = { index: 0, kind: 'taskSetAside', details: { agent: 'tally-2' } };
    for (const each of watching) each.reported?.('n1', report as never);
    expect(all.missing()).toBeUndefined();
  });

  test('is not waited for where its task is in a fork, and then it may not come', () => {
    expect(letters({}, {}).all.missing()).toBeUndefined();
    expect(() => letters({}, { 'letter-t': 1 }).all.check()).toThrow('tally-1 never did t');
  });

  test('comes once, or once from each side that did the task', () => {
    letters({ t: 1 }, { 'letter-t': 2 }, 1).all.check();
    expect(() => letters({ t: 1 }, { 'letter-t': 2 }).all.check()).toThrow('2 times');
    expect(() => letters({ t: 1 }, { 'letter-u': 1 }).all.check()).toThrow('not its');
  });
});
