import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { majorityOf, reachedByMajority } from '../../consensus/quorum.ts';

/** The same by trying: the largest of the values that more than half of the voters have reached. */
function slowly(values: readonly number[]): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const candidate of values) {
    const reached = values.filter((value) => value >= candidate).length;
    if (reached > values.length / 2 && candidate > best) best = candidate;
  }
  return best;
}

describe('a quorum', () => {
  it('is reached where counting by hand says so', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12), { maxLength: 9 }), (values) => {
        expect(reachedByMajority(values)).toBe(slowly(values));
      }),
      { numRuns: 2000 },
    );
  });

  it('overlaps with every other quorum of the same voters, and of one voter more', () => {
    for (let voters = 1; voters < 12; voters += 1) {
      expect(majorityOf(voters) * 2).toBeGreaterThan(voters);
      expect(majorityOf(voters) + majorityOf(voters + 1)).toBeGreaterThan(voters + 1);
    }
  });

  it('of nobody is never reached', () => {
    expect(reachedByMajority([])).toBe(Number.NEGATIVE_INFINITY);
  });
});
