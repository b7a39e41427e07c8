import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitness } from '../../node/core/fitness.ts';
import { Cluster } from '../sim/cluster.ts';

describe('fitness to lead', () => {
  it('is full for a calm node that reaches everybody, and none for one that is late or alone', () => {
    expect(fitness({ cpu: 0.2, loopDelayMs: 3, reach: 1 })).toBe(1);
    expect(fitness({ cpu: 0.2, loopDelayMs: 300, reach: 1 })).toBe(0);
    expect(fitness({ cpu: 2, loopDelayMs: 3, reach: 1 })).toBe(0);
    expect(fitness({ cpu: 0.2, loopDelayMs: 3, reach: 0 })).toBe(0);
  });

  it('never grows with the load, never falls with the reach, and stays between 0 and 1', () => {
    const condition = fc.record({
      cpu: fc.double({ min: 0, max: 4, noNaN: true }),
      loopDelayMs: fc.double({ min: 0, max: 1_000, noNaN: true }),
      reach: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(condition, fc.double({ min: 0, max: 1, noNaN: true }), (one, more) => {
        const value = fitness(one);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
        expect(fitness({ ...one, cpu: one.cpu + more })).toBeLessThanOrEqual(value);
        expect(fitness({ ...one, loopDelayMs: one.loopDelayMs + more * 100 })).toBeLessThanOrEqual(value);
        expect(fitness({ ...one, reach: Math.min(1, one.reach + more) })).toBeGreaterThanOrEqual(value);
      }),
    );
  });

  it('moves leadership away from a node that is overloaded for long, and no work is lost', () => {
    const cluster = new Cluster('overloaded', { agentsMax: 100 }).begin();
    const { leader, world } = cluster;
    world.host(leader).serviceMs = 12;
    world.runUntil(() => cluster.leader !== leader, 20_000, 'another leader');
    const terms = cluster.simulation.leaders.terms;
    world.host(leader).serviceMs = 0;
    world.runFor(10_000);
    expect(cluster.simulation.leaders.terms, 'it stays there').toBe(terms);
    cluster.simulation.judge();
  });
});
