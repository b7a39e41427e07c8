import { describe, expect, test } from 'vitest';
import type { ClusterState } from '../../node/core/cluster-state.ts';
import type { Context } from '../../node/core/context.ts';
import { KnownSteps } from '../../node/core/known-steps.ts';

/** A host n1 of one agent that says something at times; n1 is missed from `missed` on. */
function steps(said: [atMs: number, number: number | undefined, sequence?: number][], missed: number) {
  const context = { nowMs: 0 } as Context;
  const agents = new Map([['a', { placement: { epoch: 7, host: 'n1' } }]]);
  const state = { agents, members: new Map([['n1', {}]]) } as unknown as ClusterState;
  const known = new KnownSteps(context, state);
  for (const [atMs, number, sequence] of said) {
    context.nowMs = atMs;
    const step = sequence === undefined ? [] : [{ agent: 'a', epoch: 7, sequence, sealing: false, holders: [] }];
    known.onReport('n1', { agents: step, ...(number !== undefined && { number }) }, step);
    known.look(() => true);
  }
  context.nowMs = missed;
  known.look(() => false);
  context.nowMs = missed + 60_000;
  known.look(() => false);
  return known.of('a', 7);
}

describe('the newest step that is known to have been acknowledged', () => {
  test('stands as long as its host says something else, number after number', () => {
    const said: [number, number, number?][] = [
      [1_000, 1, 4],
      [2_000, 2, 9],
      [3_000, 3],
      [4_000, 4],
    ];
    expect(steps(said, 4_700)).toEqual({ epoch: 7, sequence: 9, ageMs: 700, idleMs: 2_000 });
  });

  test('is as old as it is where a report was lost, until it is said again', () => {
    const lost: [number, number, number?][] = [
      [1_000, 1, 4],
      [3_000, 3],
    ];
    expect(steps(lost, 3_500)).toEqual({ epoch: 7, sequence: 4, ageMs: 2_500, idleMs: 0 });
    expect(steps([...lost, [4_000, 4, 4], [5_000, 5]], 5_500)).toMatchObject({ ageMs: 500, idleMs: 4_000 });
  });

  test('is as old as it is where its host does not number what it says', () => {
    const said: [number, undefined, number?][] = [
      [1_000, undefined, 4],
      [3_000, undefined],
    ];
    expect(steps(said, 3_500)).toMatchObject({ sequence: 4, ageMs: 2_500 });
  });

  test('is not known of another epoch', () => {
    const context = { nowMs: 0 } as Context;
    const state = { agents: new Map(), members: new Map() } as unknown as ClusterState;
    expect(new KnownSteps(context, state).of('a', 7)).toBeUndefined();
  });
});
