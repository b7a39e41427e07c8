import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { majorityOf } from '../../node/core/replication.ts';
import {
  chooseFounders,
  nextVoterChange,
  type VoterCandidate,
  type VoterPicture,
  type VoterRules,
  whyNoVoter,
} from '../../node/core/voters.ts';

const rules: VoterRules = { votersMax: 5, voterGraceMs: 5_000, voterSettleMs: 2_000, voterSwapPauseMs: 30_000 };

/** A member in good health, alive for long; `since` and the name follow from its number. */
function member(number: number, changes: Partial<VoterCandidate> = {}): VoterCandidate {
  return {
    node: `n${number}`,
    name: `node-${number}`,
    site: 'a',
    membership: 'alive',
    since: number,
    suspect: false,
    draining: false,
    answers: true,
    behind: 0,
    stableMs: 60_000,
    deadMs: 0,
    silentMs: 0,
    ...changes,
  };
}

const dead = { membership: 'dead', answers: false, stableMs: 0, deadMs: 6_000 } as const;

/** `voters` are the first so many of the members; n1 leads. */
function picture(members: VoterCandidate[], voters: number, calmMs = 60_000): VoterPicture {
  const nodes = members.map(({ node }) => node);
  const [self = ''] = nodes;
  return {
    self,
    voters: nodes.slice(0, voters),
    members: new Map(members.map((one) => [one.node, one])),
    calmMs,
  };
}

const all = (count: number, changes: (number: number) => Partial<VoterCandidate> = () => ({})) =>
  Array.from({ length: count }, (_, at) => member(at + 1, changes(at + 1)));

describe('a learner is made a voter', () => {
  test('when there are too few, with the reason', () => {
    expect(nextVoterChange(picture(all(4), 3), rules)).toEqual({ node: 'n4', votes: true, reason: '3 of 5 voted' });
  });

  test.each([
    ['has not settled', { stableMs: 1_999 }, 'alive for 1 s only'],
    ['lacks entries', { behind: 120 }, 'still catching up, 120 entries behind'],
    ['has shown nothing', { behind: undefined }, 'has not shown its log yet'],
    ['does not answer', { answers: false }, 'does not answer the leader'],
    ['is suspected', { suspect: true }, 'suspected to be down'],
    ['is dead', { membership: 'dead', deadMs: 10 }, 'it is dead'],
    ['has left', { membership: 'left', deadMs: 10 }, 'it left'],
  ] as const)('but not one that %s', (_what, changes, why) => {
    const members = [...all(3), member(4, changes)];
    expect(nextVoterChange(picture(members, 3), rules)).toBeUndefined();
    expect(whyNoVoter(picture(members, 3), rules, 'n4')).toBe(why);
  });

  test('of the site with the fewest voters, then who lives longest, then the lowest id', () => {
    const sites = all(6, (n) => ({ site: ['a', 'a', 'b', 'b', 'c', 'c'][n - 1] ?? '' }));
    expect(nextVoterChange(picture(sites, 3), rules)?.node).toBe('n5');
    const ages = [...all(3), member(4, { since: 9 }), member(5, { since: 7 }), member(6, { since: 7 })];
    expect(nextVoterChange(picture(ages, 3), rules)?.node).toBe('n5');
  });

  test('before the voter goes that has not answered for long, though others reach it', () => {
    const members = all(6, (n) => (n === 3 ? { answers: false, silentMs: 5_000 } : {}));
    const first = picture(members, 5);
    expect(nextVoterChange(first, rules)).toEqual({ node: 'n6', votes: true, reason: 'voter node-3 does not answer' });
    const second = { ...first, voters: [...first.voters, 'n6'] };
    const reason = 'without an answer for more than 5 s';
    expect(nextVoterChange(second, rules)).toEqual({ node: 'n3', votes: false, reason });
    // It answers again in between: nobody has to go but the one too many.
    const back = { ...second, members: picture(all(6), 6).members };
    expect(nextVoterChange(back, rules)?.votes).toBe(false);
    const patient = all(6, (n) => (n === 3 ? { answers: false, silentMs: 4_999 } : {}));
    expect(nextVoterChange(picture(patient, 5), rules)).toBeUndefined();
  });

  test('or, with nobody to take a place, the voter goes that died first: another may come back', () => {
    const died = (since: number) => ({ ...dead, since });
    const members = all(5, (n) => (n === 3 ? died(40) : n === 5 ? died(20) : {}));
    expect(nextVoterChange(picture(members, 5), rules)).toMatchObject({ node: 'n5', votes: false });
    const silent = all(5, (n) => (n === 3 ? { answers: false, silentMs: 9_000 } : n === 5 ? died(20) : {}));
    expect(nextVoterChange(picture(silent, 5), rules)).toMatchObject({ node: 'n5', votes: false });
  });

  test('before the dead voter goes whose place it takes', () => {
    const members = all(6, (n) => (n === 3 ? dead : {}));
    const first = picture(members, 5);
    expect(nextVoterChange(first, rules)).toEqual({ node: 'n6', votes: true, reason: 'voter node-3 died' });
    const second = { ...first, voters: [...first.voters, 'n6'] };
    expect(nextVoterChange(second, rules)).toEqual({ node: 'n3', votes: false, reason: 'dead for more than 5 s' });
  });

  test('for a dead one only after the grace time', () => {
    const members = all(6, (n) => (n === 3 ? { ...dead, deadMs: 4_999 } : {}));
    expect(nextVoterChange(picture(members, 5), rules)).toBeUndefined();
  });

  test('not where enough vote', () => {
    expect(nextVoterChange(picture(all(7), 5), rules)).toBeUndefined();
    expect(whyNoVoter(picture(all(7), 5), rules, 'n6')).toBe('5 voters are enough');
  });
});

describe('a dead voter without a substitute', () => {
  test('stays where its going gains nothing', () => {
    expect(
      nextVoterChange(
        picture(
          all(5, (n) => (n === 2 ? dead : {})),
          5,
        ),
        rules,
      ),
    ).toBeUndefined();
    expect(
      nextVoterChange(
        picture(
          all(3, (n) => (n === 2 ? dead : {})),
          3,
        ),
        rules,
      ),
    ).toBeUndefined();
  });

  test('goes where the majority gets smaller', () => {
    expect(
      nextVoterChange(
        picture(
          all(4, (n) => (n === 2 ? dead : {})),
          4,
        ),
        rules,
      )?.node,
    ).toBe('n2');
    expect(
      nextVoterChange(
        picture(
          all(5, (n) => (n < 4 && n > 1 ? dead : {})),
          5,
        ),
        rules,
      )?.node,
    ).toBe('n2');
  });

  test('stays while the others that answer would be no majority', () => {
    const members = all(4, (n) => (n === 2 ? dead : { answers: n === 1 }));
    expect(nextVoterChange(picture(members, 4), rules)).toBeUndefined();
  });

  test('stays when it answers after all', () => {
    const members = all(4, (n) => (n === 2 ? { ...dead, answers: true } : {}));
    expect(nextVoterChange(picture(members, 4), rules)).toBeUndefined();
  });
});

describe('sites', () => {
  const crowded = () => all(6, (n) => ({ site: n === 6 ? 'b' : 'a' }));

  test('are evened out by adding first', () => {
    const reason = 'site b had 0 of the voters, site a 5';
    const first = picture(crowded(), 5);
    expect(nextVoterChange(first, rules)).toEqual({ node: 'n6', votes: true, reason });
    const second = { ...first, voters: [...first.voters, 'n6'], calmMs: 0 };
    expect(nextVoterChange(second, rules)).toMatchObject({ node: 'n5', votes: false });
  });

  test('are left alone soon after a change, while a voter is down, and where nothing is gained', () => {
    expect(nextVoterChange(picture(crowded(), 5, 29_999), rules)).toBeUndefined();
    const silent = crowded().map((one) => (one.node === 'n2' ? { ...one, answers: false } : one));
    expect(nextVoterChange(picture(silent, 5), rules)).toBeUndefined();
    const even = all(6, (n) => ({ site: n % 2 === 0 ? 'b' : 'a' }));
    expect(nextVoterChange(picture(even, 5), rules)).toBeUndefined();
  });

  test('count when a cluster is founded, and the founder votes', () => {
    const siteOf = new Map([
      ['n1', 'a'],
      ['n2', 'a'],
      ['n3', 'a'],
      ['n4', 'b'],
      ['n5', 'c'],
    ]);
    expect(chooseFounders('n2', siteOf, 3)).toEqual(['n2', 'n4', 'n5']);
    expect(chooseFounders('n2', siteOf, 9)).toHaveLength(5);
  });
});

// ---- any start ----

const anyMember = fc.record({
  site: fc.constantFrom('a', 'b', 'c', 'd'),
  membership: fc.constantFrom('alive', 'alive', 'alive', 'alive', 'dead', 'left'),
  answers: fc.constantFrom(true, true, true, false),
  suspect: fc.constantFrom(false, false, false, false, true),
  behind: fc.constantFrom(0, 0, 0, 3, 120, undefined),
  stableMs: fc.constantFrom(60_000, 60_000, 60_000, 100),
  deadMs: fc.constantFrom(100, 6_000, 6_000),
  silentMs: fc.constantFrom(0, 300, 6_000),
  since: fc.nat({ max: 20 }),
});

const anyPicture = fc
  .tuple(fc.array(anyMember, { minLength: 1, maxLength: 14 }), fc.integer({ min: 1, max: 8 }))
  .map(([drawn, voters]) => {
    const members = drawn.map((changes, at) => {
      const alive = changes.membership === 'alive' || at === 0;
      const health = at === 0 ? { membership: 'alive' as const, answers: true, suspect: false, behind: 0 } : {};
      const own = { ...changes, ...health };
      const answers = own.answers && alive;
      const silentMs = alive && !answers ? own.silentMs : 0;
      return member(at + 1, { ...own, answers, deadMs: alive ? 0 : own.deadMs, silentMs });
    });
    return picture(members, Math.min(voters, members.length));
  });
const anyTarget = fc.constantFrom(3, 4, 5, 6, 7);

const answering = ({ voters, members }: VoterPicture): number =>
  voters.filter((voter) => members.get(voter)?.answers).length;
const hasMajority = (seen: VoterPicture): boolean => answering(seen) >= majorityOf(seen.voters.length);

/** Does the decisions one by one while nothing else changes; calls `each` with what was before and after. */
function settle(
  start: VoterPicture,
  target: VoterRules,
  each: (before: VoterPicture, after: VoterPicture) => void = () => {},
): VoterPicture {
  let now = start;
  for (let step = 0; step < 60; step++) {
    const change = nextVoterChange(now, target);
    if (change === undefined) return now;
    const { node, votes } = change;
    expect(now.voters.includes(node)).toBe(!votes);
    const after = { ...now, voters: votes ? [...now.voters, node] : now.voters.filter((voter) => voter !== node) };
    each(now, after);
    now = after;
  }
  throw new Error('the changes come to no end');
}

describe('from any start', () => {
  const check = (judge: (start: VoterPicture, target: VoterRules) => void) =>
    fc.assert(
      fc.property(anyPicture, anyTarget, (start, votersMax) => judge(start, { ...rules, votersMax })),
      { numRuns: 3_000 },
    );

  test('the changes end, each of one voter, and never more than one above the target is added', () => {
    check((start, target) => {
      settle(start, target, (before, after) => {
        expect(Math.abs(after.voters.length - before.voters.length)).toBe(1);
        if (after.voters.length > before.voters.length) {
          expect(after.voters.length).toBeLessThanOrEqual(target.votersMax + 1);
        }
        expect(after.voters).toContain(start.self);
      });
    });
  });

  test('voters that answer and are a majority are one after every step', () => {
    check((start, target) => {
      fc.pre(hasMajority(start));
      settle(start, target, (_before, after) => expect(hasMajority(after)).toBe(true));
    });
  });

  test('a lost voter goes only when the others are no fewer, or its going gains something', () => {
    check((start, target) => {
      settle(start, target, (before, after) => {
        const gone = before.voters.find((voter) => !after.voters.includes(voter));
        if (gone === undefined || before.voters.length > target.votersMax) return;
        const isLost = (voter: string): boolean => {
          const one = before.members.get(voter);
          return one?.membership !== 'alive' || one.silentMs >= target.voterGraceMs;
        };
        expect(isLost(gone)).toBe(true);
        expect(before.voters.length % 2 === 0 || before.voters.filter(isLost).length > 1).toBe(true);
      });
    });
  });

  test('with enough stable members as many vote as should, and no site could give one to another', () => {
    check((drawn, target) => {
      // Learners may be in any health; the voters that live are well, the dead are dead for long.
      const members = new Map(
        [...drawn.members].map(([node, one]) => {
          if (!drawn.voters.includes(node)) return [node, one];
          const well = { answers: true, suspect: false, behind: 0, silentMs: 0 };
          return [node, one.membership === 'alive' ? { ...one, ...well } : { ...one, deadMs: 6_000 }];
        }),
      );
      const start = { ...drawn, members };
      fc.pre(hasMajority(start));
      const isFit = (one: VoterCandidate): boolean =>
        one.membership === 'alive' && !one.suspect && one.answers && (one.behind ?? 99) <= 16 && one.stableMs >= 2_000;
      const fit = [...members.values()].filter((one) => start.voters.includes(one.node) || isFit(one));
      const living = fit.filter(({ membership }) => membership === 'alive');
      fc.pre(living.length >= target.votersMax);
      const end = settle(start, target);
      expect(end.voters).toHaveLength(target.votersMax);
      const held = new Map<string, number>();
      for (const voter of end.voters) {
        expect(members.get(voter)?.membership).toBe('alive');
        const site = members.get(voter)?.site ?? '';
        held.set(site, (held.get(site) ?? 0) + 1);
      }
      const most = Math.max(...held.values());
      const free = living.filter((one) => !end.voters.includes(one.node) && isFit(one));
      for (const { site } of free) expect(most - (held.get(site) ?? 0)).toBeLessThan(2);
    });
  });
});

describe('a voter that drains', () => {
  const drained = (count: number, ...which: number[]) => all(count, (n) => ({ draining: which.includes(n) }));

  test('goes when another has taken its place, and is not chosen again', () => {
    const first = picture(drained(6, 3), 5);
    expect(nextVoterChange(first, rules)).toEqual({ node: 'n6', votes: true, reason: 'voter node-3 is drained' });
    const second = { ...first, voters: [...first.voters, 'n6'] };
    expect(nextVoterChange(second, rules)).toEqual({ node: 'n3', votes: false, reason: 'it is drained' });
    const third = { ...first, voters: second.voters.filter((voter) => voter !== 'n3') };
    expect(nextVoterChange(third, rules)).toBeUndefined();
    expect(whyNoVoter({ ...third, voters: third.voters.slice(1) }, rules, 'n3')).toBe('draining');
  });

  test('votes on when nobody can take its place, unless the majority gets smaller without it', () => {
    expect(nextVoterChange(picture(drained(3, 3), 3), rules)).toBeUndefined();
    for (const count of [2, 4]) {
      const change = { node: `n${count}`, votes: false, reason: 'it is drained' };
      expect(nextVoterChange(picture(drained(count, count), count), rules)).toEqual(change);
    }
  });

  test('waits while another voter does not answer, and as the leader until it leads no more', () => {
    const members = drained(6, 3).map((one) => (one.node === 'n2' ? { ...one, answers: false } : one));
    expect(nextVoterChange(picture(members, 5), rules)).toBeUndefined();
    expect(nextVoterChange(picture(drained(6, 1), 6), rules)).toBeUndefined();
    expect(nextVoterChange(picture(drained(2, 1, 2), 2), rules)).toBeUndefined();
  });
});
