import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choose } from '../../strategies/choose.ts';
import { strategies } from '../../strategies/registry.ts';
import type { Candidate, PlacementRequest, Ranked } from '../../strategies/strategy.ts';
import { anyCandidates, anyRequest } from './candidates.ts';

/** What holds for every strategy, whatever it prefers. */
describe.each([...strategies])('%s', (name, strategy) => {
  const decide = (request: PlacementRequest, candidates: readonly Candidate[]) => choose(strategy, request, candidates);
  const always = (check: (request: PlacementRequest, candidates: Candidate[]) => void) =>
    fc.assert(fc.property(anyRequest, anyCandidates, check));

  test('goes by its own name', () => {
    expect(strategy.name).toBe(name);
    const request = { agent: 'a-1', agentType: 'a', capabilities: [], turn: 0 };
    expect(decide(request, [])).toEqual({ strategy: name, node: undefined, ranked: [], rejected: [] });
  });

  test('never chooses or ranks a node that drains, lacks something or is full, and rejects no other', () => {
    always((request, candidates) => {
      const able = candidates.filter(
        (one) =>
          !one.draining &&
          one.agents < one.agentsMax &&
          request.capabilities.every((capability) => one.capabilities.includes(capability)),
      );
      const { ranked, node } = decide(request, candidates);
      expect(new Set(ranked.map((one) => one.node))).toEqual(new Set(able.map((one) => one.node)));
      expect(node).toBe(ranked[0]?.node);
    });
  });

  test('puts every candidate into exactly one list, with its name and a reason', () => {
    always((request, candidates) => {
      const { ranked, rejected } = decide(request, candidates);
      const listed = [...ranked, ...rejected].map(({ node, name }) => `${node} ${name}`);
      expect(listed.sort()).toEqual(candidates.map(({ node, name }) => `${node} ${name}`).sort());
      expect(ranked.every(({ why, score }) => why.trim() !== '' && Number.isFinite(score))).toBe(true);
      expect(rejected.every(({ reason }) => reason.trim() !== '')).toBe(true);
    });
  });

  test('ranks by score, and equal scores by node id', () => {
    always((request, candidates) => {
      const { ranked } = decide(request, candidates);
      for (const [at, { score, node }] of ranked.slice(1).entries()) {
        const before = ranked[at] as Ranked;
        expect(before.score > score || (before.score === score && before.node < node)).toBe(true);
      }
    });
  });

  test('decides the same again, and in whatever order the nodes are listed, and changes nothing it was given', () => {
    const shuffled = anyCandidates.chain((candidates) =>
      fc.tuple(fc.constant(candidates), fc.shuffledSubarray(candidates, { minLength: candidates.length })),
    );
    fc.assert(
      fc.property(anyRequest, shuffled, (request, [candidates, otherwise]) => {
        const before = structuredClone({ request, candidates });
        const decision = decide(request, candidates);
        expect(decide(request, candidates)).toEqual(decision);
        expect(decide(request, otherwise)).toEqual(decision);
        expect({ request, candidates }).toEqual(before);
      }),
    );
  });
});
