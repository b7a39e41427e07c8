import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Need } from '../../strategies/need.ts';
import { Planner } from '../../strategies/planner/planner.ts';
import {
  type MoveCost,
  planRebalance,
  type RebalancePlan,
  rebalanceRules,
} from '../../strategies/planner/rebalance.ts';
import type { NodeProfile } from '../../strategies/planner/slot.ts';

const plain: Need = { agentType: 'a', capabilities: [] };
const free = (): MoveCost => ({ costS: 0 });

const profile = (node: string, but: Partial<NodeProfile> = {}): NodeProfile => ({
  node,
  name: node,
  site: 'eu',
  capabilities: [],
  draining: false,
  agentsMax: 1_000,
  cpu: 0,
  ...but,
});

/** So many agents on each node; agents are called by the node that they began on. */
function plannerOf(
  counts: readonly number[],
  but: (i: number) => Partial<NodeProfile> = () => ({}),
  need = plain,
): Planner {
  const planner = new Planner();
  for (const [i, count] of counts.entries()) {
    planner.setNode(profile(`n${i}`, but(i)));
    for (let agent = 0; agent < count; agent++) planner.reserve(`n${i}/${agent}`, `n${i}`, need);
  }
  return planner;
}

const countsOf = (planner: Planner): number[] => planner.candidates().map(({ agents }) => agents);

/** Of agents and nodes that are all alike: to come within a tenth of the mean, from above and from below. */
function fewestMoves(counts: readonly number[]): number {
  const mean = counts.reduce((a, b) => a + b, 0) / counts.length;
  const above = counts.map((count) => Math.max(0, count - Math.max(Math.floor(1.1 * mean), Math.ceil(mean))));
  const below = counts.map((count) => Math.max(0, Math.min(Math.ceil(0.9 * mean), Math.floor(mean)) - count));
  return Math.max(...[above, below].map((each) => each.reduce((a, b) => a + b, 0)));
}

function replay(counts: readonly number[], { moves }: RebalancePlan): number[] {
  const now = new Map(counts.map((count, i) => [`n${i}`, count]));
  for (const { from, to } of moves) {
    now.set(from, (now.get(from) ?? 0) - 1);
    now.set(to, (now.get(to) ?? 0) + 1);
  }
  return [...now.values()];
}

describe('a rebalance', () => {
  test('of ten nodes that gain five ends within a tenth of even, with at most 1.2 times the fewest moves', () => {
    const counts = fc.array(fc.integer({ min: 95, max: 105 }), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(counts, (ten) => {
        const before = [...ten, 0, 0, 0, 0, 0];
        const planner = plannerOf(before);
        const plan = planRebalance(planner, free);
        const after = replay(before, plan);
        expect([...countsOf(planner)].sort()).toEqual([...after].sort());
        const mean = after.reduce((a, b) => a + b, 0) / 15;
        for (const count of after) expect(Math.abs(count - mean)).toBeLessThanOrEqual(0.1 * mean + 1e-9);
        expect(plan.moves.length).toBeLessThanOrEqual(1.2 * fewestMoves(before));
        expect(plan.end).toBe('even');
      }),
    );
  });

  test('of any nodes moves no agent twice and none to where it cannot be, is the same again, and then done', () => {
    const nodes = fc.array(
      fc.record({
        count: fc.nat(30),
        agentsMax: fc.integer({ min: 30, max: 60 }),
        memory: fc.integer({ min: 300, max: 900 }),
        site: fc.constantFrom('eu', 'us'),
        draining: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    );
    const need = fc.record({
      agentType: fc.constant('a'),
      capabilities: fc.constant([]),
      resources: fc.record({ memory: fc.integer({ min: 1, max: 10 }) }),
      perNodeMax: fc.option(fc.integer({ min: 5, max: 40 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(nodes, need, (each, wanted) => {
        const but = (i: number): Partial<NodeProfile> => {
          const { agentsMax = 0, memory = 0, site = '', draining = false } = each[i] ?? {};
          return { agentsMax, site, draining, capacity: { memory } };
        };
        const counts = each.map(({ count }) => count);
        const [one, other] = [plannerOf(counts, but, wanted), plannerOf(counts, but, wanted)];
        const plan = planRebalance(one, free);
        expect(planRebalance(other, free)).toEqual(plan);
        expect(new Set(plan.moves.map(({ agent }) => agent)).size).toBe(plan.moves.length);
        for (const [i, node] of one.candidates().entries()) {
          const gained = plan.moves.some(({ to }) => to === node.node);
          if (gained) expect(node.draining).toBe(false);
          if (gained) expect(node.agents).toBeLessThanOrEqual(Math.min(node.agentsMax, wanted.perNodeMax ?? 1_000));
          if (gained) expect(node.used?.memory ?? 0).toBeLessThanOrEqual(each[i]?.memory ?? 0);
        }
        expect(plan.after.most).toBeLessThanOrEqual(plan.before.most + 1e-9);
        // What was moved may go back only against the cool-down; without it there is nothing to gain either.
        if (plan.end === 'even') expect(planRebalance(one, free).moves).toEqual([]);
      }),
    );
  });

  test('begins only beyond its threshold, and goes on below it until it is done', () => {
    expect(planRebalance(plannerOf([115, 85, 100]), free).moves).toEqual([]);
    const far = plannerOf([125, 75, 100]);
    expect(planRebalance(far, free).moves.length).toBe(15);
    expect(countsOf(far)).toEqual([110, 90, 100]);
  });

  test('takes larger agents first, since fewer of them have to move', () => {
    const planner = new Planner();
    const of = (memory: number): Need => ({ agentType: 'a', capabilities: [], resources: { memory } });
    for (const node of ['n0', 'n1']) planner.setNode(profile(node, { capacity: { memory: 1_000 } }));
    for (let i = 0; i < 10; i++) planner.reserve(`small-${i}`, 'n0', of(10));
    for (let i = 0; i < 4; i++) planner.reserve(`large-${i}`, 'n0', of(100));
    const moved = planRebalance(planner, free).moves.map(({ agent }) => agent);
    expect(moved).toEqual(['large-0', 'large-1', 'small-0', 'small-1', 'small-2']);
  });

  test('moves only what gains more than it costs, and leaves what has moved lately', () => {
    const costs = new Map<string, MoveCost>();
    for (let i = 0; i < 100; i++) costs.set(`n0/${i}`, { costS: i < 50 ? 1_000 : 0 });
    for (let i = 50; i < 90; i++) costs.set(`n0/${i}`, { costS: 0, movedAgoMs: rebalanceRules.coolDownMs - 1 });
    for (let i = 90; i < 95; i++) costs.set(`n0/${i}`, { costS: 0, movedAgoMs: rebalanceRules.coolDownMs });
    const plan = planRebalance(plannerOf([100, 0]), (agent) => costs.get(agent) ?? free());
    expect(plan.moves.map(({ agent }) => Number(agent.slice(3))).every((i) => i >= 90)).toBe(true);
    expect(plan.moves.length).toBe(10);
    expect(plan.end).toBe('nothing_gains');
    expect(plan.stays).toEqual({ too_dear: 50, cooling: 40 });
  });

  test('fills new nodes gently and within its budget', () => {
    const rules = { ...rebalanceRules, atOnceMax: 6, intoNodeMax: 2 };
    const { moves } = planRebalance(plannerOf([100, 100, 100, 100, 0, 0]), free, rules);
    const waves = Map.groupBy(moves, ({ wave }) => wave);
    expect([...waves.keys()].sort((a, b) => a - b)).toEqual([...waves.keys()].map((_, at) => at));
    for (const wave of waves.values()) {
      expect(wave.length).toBeLessThanOrEqual(6);
      for (const into of Map.groupBy(wave, ({ to }) => to).values()) expect(into.length).toBeLessThanOrEqual(2);
    }
    expect(planRebalance(plannerOf([100, 0]), free, { ...rules, movesMax: 7 })).toMatchObject({ end: 'moves_max' });
  });

  test('leaves agents that may be nowhere else, and says so', () => {
    const planner = plannerOf([100, 0], (i) => ({ capabilities: i === 0 ? ['gpu'] : [] }), {
      ...plain,
      capabilities: ['gpu'],
    });
    expect(planRebalance(planner, free)).toMatchObject({ moves: [], end: 'nothing_gains', stays: { no_gain: 100 } });
  });

  test('counts an agent that is spread over sites away from the site that it would leave', () => {
    const spread: Need = { ...plain, spread: { skewMax: 1 } };
    const planner = plannerOf([20, 20, 0], (i) => ({ site: i === 1 ? 'us' : 'eu' }), spread);
    expect(planRebalance(planner, free).moves.map(({ from, to }) => `${from} ${to}`)).toEqual(
      Array.from({ length: 10 }, () => 'n0 n2'),
    );
  });
});
