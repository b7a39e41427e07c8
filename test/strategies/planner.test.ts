import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Candidate } from '../../strategies/candidate.ts';
import { choose } from '../../strategies/choose.ts';
import { type Mix, mixOf } from '../../strategies/mix.ts';
import type { Need } from '../../strategies/need.ts';
import { type Ask, Planner } from '../../strategies/planner/planner.ts';
import { ScoreTree } from '../../strategies/planner/score-tree.ts';
import type { NodeProfile } from '../../strategies/planner/slot.ts';
import { strategies } from '../../strategies/registry.ts';
import { anyCandidates, anyRequest } from './candidates.ts';
import { feasibleNodes } from './feasible.ts';

/** What the planner should know, kept in the plainest way, and counted anew for every question. */
class Ledger {
  readonly profiles = new Map<string, NodeProfile>();
  readonly placed = new Map<string, { node: string; need: Need }>();

  candidates(holders: readonly string[]): Candidate[] {
    return [...this.profiles.values()].map((profile) => {
      const here = [...this.placed].filter(([, { node }]) => node === profile.node);
      const used: Record<string, number> = {};
      const byType = new Map<string, number>();
      for (const [, { need }] of here) {
        byType.set(need.agentType, (byType.get(need.agentType) ?? 0) + 1);
        for (const [name, amount] of Object.entries(need.resources ?? {})) used[name] = (used[name] ?? 0) + amount;
      }
      return {
        ...profile,
        agents: here.length,
        used,
        byType,
        portsUsed: new Set(here.flatMap(([, { need }]) => [...(need.ports ?? [])])),
        agentIds: new Set(here.map(([agent]) => agent)),
        holdsState: holders.includes(profile.node),
      };
    });
  }
}

type Step =
  | { do: 'place' | 'choose'; need: Need; strategy: string; turn: number; holders: string[]; agent: string }
  | { do: 'release'; pick: number }
  | { do: 'node'; profile: NodeProfile }
  | { do: 'remove'; pick: number };

const names = Array.from({ length: 9 }, (_, i) => `n${i}`);
const all = [...strategies.keys()];
const anyStrategy = fc.oneof(
  fc.constantFrom(...all),
  fc
    .tuple(
      fc.uniqueArray(fc.constantFrom(...all), { minLength: 2 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 5, maxLength: 5 }),
    )
    .map(([chosen, weights]) => chosen.map((name, at) => `${name}=${weights[at]}`).join(',')),
);

const anyProfile: fc.Arbitrary<NodeProfile> = fc
  .tuple(
    anyCandidates.filter((each) => each.length > 0),
    fc.constantFrom(...names),
  )
  .map(([[one], node]) => {
    const {
      agents: _a,
      holdsState: _h,
      used: _u,
      portsUsed: _p,
      byType: _b,
      agentIds: _i,
      ...profile
    } = one as Candidate;
    return { ...profile, node };
  });

/** Few different needs, so that classes are used again. */
const anyNeeds: fc.Arbitrary<Need[]> = fc.array(
  anyRequest.map(({ agent: _a, turn: _t, ...need }) => need),
  { minLength: 1, maxLength: 4 },
);

const stepsFor = (needs: readonly Need[]): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constantFrom('place' as const, 'choose' as const),
          need: fc.constantFrom(...needs),
          strategy: anyStrategy,
          turn: fc.nat(50),
          holders: fc.subarray(names, { maxLength: 3 }),
          agent: fc.constantFrom('a-1', 'b-1', ...Array.from({ length: 30 }, (_, i) => `x-${i}`)),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), pick: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('node' as const), profile: anyProfile }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), pick: fc.nat() }) },
    ),
    { minLength: 1, maxLength: 40 },
  );

const anyRun = fc.tuple(fc.array(anyProfile, { maxLength: 9 }), anyNeeds.chain(stepsFor));

function checkChoice(planner: Planner, ledger: Ledger, ask: Ask): void {
  const mix = mixOf(ask.strategy, strategies) as Mix;
  const candidates = ledger.candidates(ask.holders ?? []);
  const request = { ...ask.need, agent: ask.agent, turn: ask.turn };
  const expected = choose(mix, request, candidates);
  const choice = planner.choose(ask);
  const [first, second, third] = expected.ranked.map(({ node, score }) => ({ node, score }));
  expect(choice?.node).toBe(first?.node);
  expect(choice?.score).toBe(first?.score ?? 0);
  expect(choice?.next).toEqual([second, third].filter((each) => each !== undefined));
  expect(choice?.feasible).toBe(expected.ranked.length);
  const counts = Object.values(choice?.rejected ?? {});
  expect(counts.reduce((a, b) => a + b, 0)).toBe(expected.rejected.length);
  expect(planner.explain(ask)).toEqual(expected);
  const able = feasibleNodes(request, candidates).map(({ node }) => node);
  if (choice?.node !== undefined) expect(able).toContain(choice.node);
}

function run(profiles: readonly NodeProfile[], steps: readonly Step[]): void {
  const planner = new Planner();
  const ledger = new Ledger();
  const setNode = (profile: NodeProfile) => {
    planner.setNode(profile);
    ledger.profiles.set(profile.node, profile);
  };
  profiles.forEach(setNode);
  for (const step of steps) {
    if (step.do === 'node') setNode(step.profile);
    else if (step.do === 'remove') {
      const node = [...ledger.profiles.keys()][step.pick % Math.max(1, ledger.profiles.size)] ?? 'nobody';
      const agents = [...ledger.placed].filter(([, placed]) => placed.node === node).map(([agent]) => agent);
      expect(planner.removeNode(node).sort()).toEqual(agents.sort());
      ledger.profiles.delete(node);
      for (const agent of agents) ledger.placed.delete(agent);
    } else if (step.do === 'release') {
      const agent = [...ledger.placed.keys()][step.pick % Math.max(1, ledger.placed.size)] ?? 'nobody';
      expect(planner.release(agent)).toBe(ledger.placed.delete(agent));
    } else {
      checkChoice(planner, ledger, step);
      if (step.do === 'choose') continue;
      const { node } = planner.place(step) ?? {};
      if (node !== undefined && !ledger.placed.has(step.agent))
        ledger.placed.set(step.agent, { node, need: step.need });
      expect(planner.nodeOf(step.agent)).toBe(ledger.placed.get(step.agent)?.node);
    }
  }
  expect(planner.agents).toBe(ledger.placed.size);
  expect(planner.nodes).toBe(ledger.profiles.size);
}

describe('the planner', () => {
  test('comes to what looking at every node comes to, whatever happened before', () => {
    fc.assert(
      fc.property(anyRun, ([profiles, steps]) => run(profiles, steps)),
      { numRuns: 1_000 },
    );
  });

  test('does so with more changes than it remembers, and with more classes than it keeps', () => {
    const planner = new Planner(strategies, { cellsMax: 100, changesMax: 16 });
    const ledger = new Ledger();
    for (let i = 0; i < 40; i++) {
      const plain = { node: `n${i}`, name: `n${i}`, site: 'eu', capabilities: [], draining: false };
      const profile = { ...plain, agentsMax: 400, cpu: 0, capacity: { memory: 4_000 } };
      planner.setNode(profile);
      ledger.profiles.set(profile.node, profile);
    }
    const ask = (i: number): Ask => ({
      agent: `a-${i}`,
      need: { agentType: 'a', capabilities: [], resources: { memory: 1 + ((i * i) % 37) } },
      strategy: i % 2 === 0 ? 'least_loaded' : 'resource_optimal',
      turn: i,
    });
    for (let i = 0; i < 400; i++) {
      checkChoice(planner, ledger, ask(i % 7 === 0 ? 0 : i));
      const { node = '' } = planner.place(ask(i)) ?? {};
      ledger.placed.set(`a-${i}`, { node, need: ask(i).need });
      if (i % 3 === 0) expect(planner.release(`a-${i / 3}`)).toBe(ledger.placed.delete(`a-${i / 3}`));
    }
  });

  test('knows no strategy that nobody wrote, and reserves nothing twice', () => {
    const planner = new Planner();
    const need = { agentType: 'a', capabilities: [] };
    planner.setNode({ node: 'n', name: 'n', site: 'eu', capabilities: [], draining: false, agentsMax: 2, cpu: 0 });
    expect(planner.choose({ agent: 'a', need, strategy: 'nobody', turn: 0 })).toBeUndefined();
    expect(planner.explain({ agent: 'a', need, strategy: 'nobody', turn: 0 })).toBeUndefined();
    expect(planner.reserve('a', 'm', need)).toBe(false);
    expect(planner.reserve('a', 'n', need)).toBe(true);
    expect(planner.reserve('a', 'n', need)).toBe(false);
    expect(planner.place({ agent: 'b', need, strategy: 'least_loaded', turn: 0 })).toMatchObject({
      node: 'n',
      feasible: 1,
    });
    expect(planner.place({ agent: 'c', need, strategy: 'least_loaded', turn: 0 })).toEqual({
      node: undefined,
      score: 0,
      next: [],
      feasible: 0,
      rejected: { agents: 1 },
    });
  });
});

test('a tree of scores finds the best in turn as looking at every leaf does', () => {
  const scores = fc.array(fc.oneof(fc.constant(-1), fc.nat(5)), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(scores, fc.nat(60), fc.nat(6), (each, turn, step) => {
      const tree = new ScoreTree(each.length);
      for (const [leaf, score] of each.entries()) tree.set(leaf, score);
      const total = (until: number, feasible: number) => Math.floor((step * (feasible - until)) / feasible);
      const feasible = each.flatMap((score, leaf) => (score === -1 ? [] : [leaf]));
      const totals = feasible.map((leaf, place) => {
        const until = (place - (turn % feasible.length) + feasible.length) % feasible.length;
        return { leaf, total: (each[leaf] ?? 0) + total(until, feasible.length) };
      });
      const [best] = totals.sort((a, b) => b.total - a.total || a.leaf - b.leaf);
      expect(tree.firstInTurn({ turn, total })).toEqual(best);
    }),
  );
});
