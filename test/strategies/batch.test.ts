import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Need } from '../../strategies/need.ts';
import { placeBatch } from '../../strategies/planner/batch.ts';
import { type Ask, Planner } from '../../strategies/planner/planner.ts';
import { swapBetween } from '../../strategies/planner/swaps.ts';
import { strategies } from '../../strategies/registry.ts';

interface Node {
  capabilities: string[];
  agentsMax: number;
  memory: number;
}

const anyNode: fc.Arbitrary<Node> = fc.record({
  capabilities: fc.subarray(['gpu=2', 'edge']),
  agentsMax: fc.integer({ min: 0, max: 6 }),
  memory: fc.nat(12),
});

const anyNeed: fc.Arbitrary<Need> = fc.record({
  agentType: fc.constantFrom('a', 'b'),
  capabilities: fc.subarray(['gpu>=2', 'edge'], { maxLength: 1 }),
  resources: fc.record({ memory: fc.integer({ min: 1, max: 5 }) }),
  ports: fc.option(fc.constant([80]), { nil: undefined, freq: 4 }),
  perNodeMax: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
});

function plannerOf(nodes: readonly Node[]): Planner {
  const planner = new Planner();
  for (const [i, { capabilities, agentsMax, memory }] of nodes.entries()) {
    const node = { node: `n${i}`, name: `n${i}`, site: 'eu', draining: false, cpu: 0 };
    planner.setNode({ ...node, capabilities, agentsMax, capacity: { memory } });
  }
  return planner;
}

const asksOf = (needs: readonly Need[], strategy: string, prefix = 'x'): Ask[] =>
  needs.map((need, i) => ({ agent: `${prefix}${i}`, need, strategy, turn: i }));

/** What is on every node, from the agents alone. */
function checkNodes(planner: Planner, nodes: readonly Node[], asks: readonly Ask[]): void {
  for (const [i, { capabilities, agentsMax, memory }] of nodes.entries()) {
    const needs = asks.filter(({ agent }) => planner.nodeOf(agent) === `n${i}`).map(({ need }) => need);
    expect(needs.length).toBeLessThanOrEqual(agentsMax);
    expect(needs.reduce((sum, { resources }) => sum + (resources?.memory ?? 0), 0)).toBeLessThanOrEqual(memory);
    expect(needs.filter(({ ports }) => ports !== undefined).length).toBeLessThanOrEqual(1);
    for (const { agentType, perNodeMax = 99, capabilities: wanted } of needs) {
      // Those that came later may be of the same type and have another limit.
      const alike = needs.filter((other) => other.agentType === agentType && other.perNodeMax === perNodeMax);
      expect(alike.length).toBeLessThanOrEqual(perNodeMax);
      if (wanted.includes('gpu>=2')) expect(capabilities).toContain('gpu=2');
      if (wanted.includes('edge')) expect(capabilities).toContain('edge');
    }
  }
}

describe('a batch', () => {
  const anyBatch = fc.tuple(
    fc.array(anyNode, { maxLength: 6 }),
    fc.array(anyNeed, { maxLength: 5 }),
    fc.array(anyNeed, { maxLength: 16 }),
    fc.constantFrom(...strategies.keys()),
    fc.boolean(),
  );

  test('overfills no node, leaves alone who was there, and is the same again', () => {
    fc.assert(
      fc.property(anyBatch, ([nodes, before, needs, strategy, allOrNone]) => {
        const planner = plannerOf(nodes);
        const there = asksOf(before, 'least_loaded', 'before');
        for (const ask of there) planner.place(ask);
        const where = there.map(({ agent }) => planner.nodeOf(agent));
        const asks = asksOf(needs, strategy);
        const again = plannerOf(nodes);
        for (const ask of there) again.place(ask);

        const unplaced = placeBatch(planner, asks, { allOrNone });
        checkNodes(planner, nodes, [...there, ...asks]);
        expect(there.map(({ agent }) => planner.nodeOf(agent))).toEqual(where);
        const without = asks.filter(({ agent }) => planner.nodeOf(agent) === undefined);
        const none = allOrNone && unplaced.length > 0;
        expect(without.map(({ agent }) => agent).sort()).toEqual(
          (none ? asks : unplaced).map(({ agent }) => agent).sort(),
        );
        expect(placeBatch(again, asks, { allOrNone })).toEqual(unplaced);
        for (const { agent } of asks) expect(again.nodeOf(agent)).toBe(planner.nodeOf(agent));
      }),
      { numRuns: 500 },
    );
  });

  test('places at least as many as one after the other as they come', () => {
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 6 }), fc.array(anyNeed, { maxLength: 16 }), (nodes, needs) => {
        const asks = asksOf(needs, 'least_loaded');
        const planner = plannerOf(nodes);
        const placed = asks.filter((ask) => planner.place(ask)?.node !== undefined).length;
        const unplaced = placeBatch(plannerOf(nodes), asks);
        // A rule of thumb has its exceptions; one agent is what they may cost.
        expect(asks.length - unplaced.length).toBeGreaterThanOrEqual(placed - 1);
      }),
      { numRuns: 500 },
    );
  });

  test('moves somebody out of the way for who can be nowhere else', () => {
    const nodes = [
      { capabilities: ['edge'], agentsMax: 1, memory: 9 },
      // The fullest with anybody on it, so the first goes there.
      { capabilities: ['gpu=2', 'edge'], agentsMax: 1, memory: 3 },
      { capabilities: ['gpu=2'], agentsMax: 1, memory: 9 },
    ];
    const of = (capability: string): Need => ({ agentType: 'a', capabilities: [capability], resources: { memory: 1 } });
    const planner = plannerOf(nodes);
    expect(placeBatch(planner, asksOf([of('edge'), of('gpu>=2'), of('gpu>=2')], 'resource_optimal'))).toEqual([]);
    expect(planner.nodeOf('x0')).toBe('n0');
  });

  test('swaps two agents where each node is short of what the other has', () => {
    const planner = new Planner();
    const profile = { site: 'eu', capabilities: [], draining: false, agentsMax: 100, cpu: 0 };
    for (const node of ['n0', 'n1']) {
      planner.setNode({ ...profile, node, name: node, capacity: { cpu: 100, memory: 100 } });
    }
    const of = (cpu: number, memory: number): Need => ({
      agentType: 'a',
      capabilities: [],
      resources: { cpu, memory },
    });
    const asks = asksOf([of(50, 5), of(50, 5), of(5, 50), of(5, 50)], 'least_loaded');
    for (const [i, { agent, need }] of asks.entries()) planner.reserve(agent, i < 2 ? 'n0' : 'n1', need);
    const movable = ({ node }: { node: string }) => asks.filter(({ agent }) => planner.nodeOf(agent) === node);
    expect(swapBetween(planner, movable, 0)).toBe(0);
    expect(swapBetween(planner, movable, 1_000)).toBe(1);
    expect(planner.candidates().map(({ used }) => used)).toEqual([
      { cpu: 55, memory: 55 },
      { cpu: 55, memory: 55 },
    ]);
  });
});
