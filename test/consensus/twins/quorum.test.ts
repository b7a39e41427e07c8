import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Configuration, votersChanged } from '../../../consensus/configuration.ts';
import { failoverRank } from '../../../consensus/failover.ts';
import { majorityOf, reachedByMajority } from '../../../consensus/quorum.ts';

const ids: fc.Arbitrary<string[]> = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), {
  maxLength: 7,
});

/** All the ways to choose some of so many voters, as bits. */
function* choices(voters: number): Generator<number> {
  for (let bits = 0; bits < 2 ** voters; bits += 1) yield bits;
}

function count(bits: number): number {
  return [...bits.toString(2)].filter((bit) => bit === '1').length;
}

describe('a majority', () => {
  it('is the fewest voters of which any two choices have one in common: tried with every choice', () => {
    for (let voters = 1; voters <= 7; voters += 1) {
      const alwaysMeet = (size: number): boolean => {
        const some = [...choices(voters)].filter((bits) => count(bits) === size);
        return some.every((a) => some.every((b) => (a & b) !== 0));
      };
      const fewest = [1, 2, 3, 4, 5, 6, 7].find(alwaysMeet);
      expect([voters, majorityOf(voters)]).toEqual([voters, fewest]);
    }
  });

  it('has reached what stands in the middle when the values are put in order', () => {
    const value = fc.oneof(fc.nat(9), fc.double({ noNaN: true }), fc.constantFrom(-Infinity, Infinity));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 9 }), (values) => {
        const inOrder = [...values].sort((a, b) => a - b);
        const middle = inOrder[Math.ceil(inOrder.length / 2) - 1];
        expect(reachedByMajority(values) === middle).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('of the voters before and one of those after a change of one voter always meet', () => {
    fc.assert(
      fc.property(ids, ids, (before, after) => {
        const all = [...new Set([...before, ...after])];
        const quorums = (voters: string[]): number[] =>
          [...choices(all.length)].filter((bits) => {
            const chosen = voters.filter((voter) => bits & (1 << all.indexOf(voter)));
            return chosen.length === majorityOf(voters.length) && chosen.length === count(bits);
          });
        if (before.length === 0 || after.length === 0 || votersChanged(of(before), of(after)) > 1) return;
        const theirs = quorums(after);
        expect(quorums(before).every((a) => theirs.every((b) => (a & b) !== 0))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

function of(voters: readonly string[]): Configuration {
  return { voters, learners: [] };
}

describe('the voters that two configurations do not share', () => {
  it('are counted by looking for each id in both', () => {
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        let slow = 0;
        for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) if (a.includes(id) !== b.includes(id)) slow += 1;
        expect(votersChanged(of(a), of(b))).toBe(slow);
      }),
    );
  });
});

describe('the place in a failover', () => {
  it('is found by walking round the ring from the leader, one after the other', () => {
    fc.assert(
      fc.property(ids, fc.constantFrom('a', 'd', 'g', 'z'), fc.nat(6), (voters, leader, which) => {
        const self = voters[which % Math.max(1, voters.length)];
        if (self === undefined || self === leader) return;
        const ring = [...new Set([...voters, leader])].sort();
        let steps = 0;
        for (let at = ring.indexOf(leader) + 1; ring[at % ring.length] !== self; at += 1) steps += 1;
        expect(failoverRank(leader, voters, self)).toBe(steps);
      }),
    );
  });

  it('is another for each voter, whatever order they are named in', () => {
    fc.assert(
      fc.property(ids, fc.constantFrom('a', 'd', 'z'), (voters, leader) => {
        const others = voters.filter((voter) => voter !== leader);
        const ranks = others.map((voter) => failoverRank(leader, [...voters].reverse(), voter));
        expect(ranks.sort((a, b) => a - b)).toEqual(others.map((_, place) => place));
      }),
    );
  });
});
