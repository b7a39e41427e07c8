import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Candidate } from '../../strategies/candidate.ts';
import { choose } from '../../strategies/choose.ts';
import { alone, type Mix, mixOf } from '../../strategies/mix.ts';
import type { PlacementRequest } from '../../strategies/need.ts';
import { strategies } from '../../strategies/registry.ts';
import { scoreMax } from '../../strategies/score.ts';
import type { Ranked } from '../../strategies/strategy.ts';
import { anyCandidates, anyRequest, request } from './candidates.ts';
import { feasibleNodes } from './feasible.ts';

const mixes = ['least_loaded=0.7,affinity_based=0.3', [...strategies.keys()].map((name) => `${name}=1`).join(',')];
const alike: [string, Mix][] = [...strategies].map(([name, strategy]) => [name, alone(strategy)]);
const mixed: [string, Mix][] = mixes.map((text) => [text, mixOf(text, strategies) as Mix]);

/** What holds for every strategy, whatever it prefers, and for every mix of them. */
describe.each([...alike, ...mixed])('%s', (name, mix) => {
  const decide = (asked: PlacementRequest, candidates: readonly Candidate[]) => choose(mix, asked, candidates);
  const always = (check: (asked: PlacementRequest, candidates: Candidate[]) => void) =>
    fc.assert(fc.property(anyRequest, anyCandidates, check));

  test('goes by its own name', () => {
    expect(mix.name).toBe(name);
    expect(decide(request(), [])).toEqual({ strategy: name, node: undefined, ranked: [], rejected: [] });
  });

  test('never chooses or ranks a node that cannot take the agent or would be overfull, and rejects no other', () => {
    always((asked, candidates) => {
      const { ranked, node } = decide(asked, candidates);
      const able = feasibleNodes(asked, candidates);
      expect(ranked.map((one) => one.node).sort()).toEqual(able.map((one) => one.node).sort());
      expect(node).toBe(ranked[0]?.node);
    });
  });

  test('puts every candidate into exactly one list, with its name and a reason', () => {
    always((asked, candidates) => {
      const { ranked, rejected } = decide(asked, candidates);
      const listed = [...ranked, ...rejected].map((one) => `${one.node} ${one.name}`);
      expect(listed.sort()).toEqual(candidates.map((one) => `${one.node} ${one.name}`).sort());
      expect(ranked.every(({ why }) => why.trim() !== '')).toBe(true);
      expect(rejected.every(({ reason }) => reason.trim() !== '')).toBe(true);
    });
  });

  test('ranks by score, 0 to 100, and equal scores by node id', () => {
    always((asked, candidates) => {
      const { ranked } = decide(asked, candidates);
      for (const [at, { score, node }] of ranked.entries()) {
        expect(score >= 0 && score <= 100).toBe(true);
        const before = ranked[at - 1] as Ranked;
        if (at > 0) expect(before.score > score || (before.score === score && before.node < node)).toBe(true);
      }
    });
  });

  test('decides the same again, and in whatever order the nodes are listed, and changes nothing it was given', () => {
    const shuffled = anyCandidates.chain((candidates) =>
      fc.tuple(fc.constant(candidates), fc.shuffledSubarray(candidates, { minLength: candidates.length })),
    );
    fc.assert(
      fc.property(anyRequest, shuffled, (asked, [candidates, otherwise]) => {
        const before = structuredClone({ asked, candidates });
        const decision = decide(asked, candidates);
        expect(decide(asked, candidates)).toEqual(decision);
        expect(decide(asked, otherwise)).toEqual(decision);
        expect({ asked, candidates }).toEqual(before);
      }),
    );
  });
});

describe.each([...strategies])('the parts of %s', (_name, strategy) => {
  test('are whole numbers, and together 0 to the greatest score', () => {
    const site = fc
      .array(fc.nat(9), { minLength: 3, maxLength: 3 })
      .map((counts) => counts.toSorted((a, b) => a - b) as [number, number, number]);
    fc.assert(
      fc.property(anyRequest, anyCandidates, site, fc.nat(20), (asked, candidates, [least, count, most], turn) => {
        const [can] = feasibleNodes(asked, candidates);
        if (can === undefined) return;
        const parts = [
          strategy.score?.(can, asked) ?? 0,
          strategy.siteScore?.({ count, least, most }) ?? 0,
          strategy.turnScore?.(Math.min(turn, 19), 20) ?? 0,
        ];
        for (const part of parts) expect(Number.isSafeInteger(part) && part >= 0).toBe(true);
        expect(parts.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(scoreMax);
      }),
    );
  });

  test('do not rise with the turns until its own', () => {
    for (let until = 1; until < 1_000; until++) {
      const [before, after] = [until - 1, until].map((each) => strategy.turnScore?.(each, 1_000) ?? 0);
      expect(after).toBeLessThanOrEqual(before ?? 0);
    }
  });
});
