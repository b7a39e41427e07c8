import { describe, expect, test } from 'vitest';
import { Footprints, firstDifference } from '../../sim/comparison.ts';
import { drawPlan } from '../../sim/plan.ts';
import { Simulation } from '../../sim/simulation.ts';

const plan = drawPlan('compared', { nodes: 3, minutes: 0.1 });
const run = (simulation: Simulation): void => {
  simulation.begin();
  simulation.world.runFor(2_000);
};

describe('two runs', () => {
  test('of a plan differ nowhere', () => {
    expect(firstDifference(() => new Simulation(plan), run)).toBeUndefined();
  });

  test('that part are told apart by the first event that differs', () => {
    let count = 0;
    const make = (): Simulation => {
      const simulation = new Simulation(plan);
      const extra = count++ % 2 === 1;
      // Every other run has one thing more happen to it.
      if (extra) simulation.world.timeline.at(500, () => simulation.world.act('fault', 'world', 'a stray act'));
      return simulation;
    };
    const difference = firstDifference(make, run);
    expect(difference?.other).toContain('a stray act');
    expect(difference?.one).not.toContain('a stray act');
    expect(difference?.other).toMatch(/^500\.000 ms/);
  });
});

describe('footprints', () => {
  const footprintsOf = (withAct: boolean): Footprints => {
    const simulation = new Simulation(plan);
    const footprints = new Footprints();
    footprints.follow(simulation.world);
    if (withAct) simulation.world.timeline.at(900, () => simulation.world.act('fault', 'world', 'a stray act'));
    run(simulation);
    return footprints;
  };

  test('of the same run are the same, and survive as text', () => {
    const kept = Footprints.decode(footprintsOf(false).encode());
    expect(kept.length).toBeGreaterThan(5);
    expect(footprintsOf(false).differs(kept)).toBeUndefined();
  });

  test('say among which steps a run took another course', () => {
    const kept = Footprints.decode(footprintsOf(false).encode());
    const differs = footprintsOf(true).differs(kept);
    expect(differs?.untilStep).toBe((differs?.afterStep ?? 0) + 64);
  });
});
