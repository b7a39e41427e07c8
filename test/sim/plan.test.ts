import { describe, expect, test } from 'vitest';
import type { WorldAct } from '../../sim/checkers/checker.ts';
import {
  type AmbientKind,
  ambientKinds,
  type FaultKind,
  faultKinds,
  faultNames,
  faults,
} from '../../sim/faults/catalog.ts';
import { drawPlan, kindsOf, type Plan, type Strike } from '../../sim/plan.ts';
import { Simulation } from '../../sim/simulation.ts';
import { calmPlan } from './cluster.ts';

const allKinds = [...faultKinds, ...(Object.keys(ambientKinds) as AmbientKind[])];
const plans = (count: number, wishes = {}): Plan[] =>
  Array.from({ length: count }, (_, i) => drawPlan(`plan ${i}`, wishes));

describe('a plan', () => {
  test('is the same of the same seed, and another of another', () => {
    expect(drawPlan('a')).toEqual(drawPlan('a'));
    expect(drawPlan('a')).not.toEqual({ ...drawPlan('b'), seed: 'a' });
  });

  test('is plain JSON', () => {
    for (const plan of plans(20)) expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test('is a swarm: over many seeds each kind is on in some runs and off in others', () => {
    const kinds = plans(200).map((plan) => new Set(kindsOf(plan)));
    for (const kind of allKinds) {
      const on = kinds.filter((those) => those.has(kind)).length;
      expect(on, kind).toBeGreaterThan(30);
      expect(on, kind).toBeLessThan(150);
    }
  });

  test('draws clusters, loads and beginnings of many forms', () => {
    const drawn = plans(200);
    const values = (of: (plan: Plan) => unknown) => new Set(drawn.map(of)).size;
    expect(values(({ nodes }) => nodes)).toBeGreaterThan(3);
    expect(values(({ workload }) => workload.holders)).toBeGreaterThan(3);
    expect(values(({ workload }) => workload.agents)).toBeGreaterThan(3);
    expect(values(({ startSpreadMs }) => startSpreadMs)).toBe(3);
    expect(values(({ faultsFromStart }) => faultsFromStart)).toBe(2);
  });

  test('strikes in the order of time, while faults last, each for as long as its kind may', () => {
    for (const { strikes, faultsMs } of plans(50)) {
      expect(strikes).toEqual(strikes.toSorted((a, b) => a.atMs - b.atMs));
      for (const { atMs, kind, lastsMs } of strikes) {
        expect(atMs).toBeGreaterThanOrEqual(0);
        expect(atMs).toBeLessThanOrEqual(faultsMs);
        expect(lastsMs).toBeGreaterThanOrEqual(faults[kind].lastsMsMin);
        expect(lastsMs).toBeLessThanOrEqual(faults[kind].lastsMsMax);
      }
    }
  });

  test('harms no cluster for good that is still being founded', () => {
    const harmless = new Set<FaultKind>(['crash', 'powerLoss', 'pause', 'partition', 'oneWay', 'reset']);
    const early = plans(200)
      .filter(({ faultsFromStart }) => faultsFromStart)
      .flatMap(({ strikes }) => strikes.filter(({ atMs }) => atMs < 9_000));
    expect(early.length).toBeGreaterThan(20);
    for (const { kind } of early) expect(harmless).toContain(kind);
  });
});

describe('what a user wishes', () => {
  test('of size and length is so', () => {
    expect(drawPlan('a', { nodes: 9, minutes: 2, workload: { agents: 17 } })).toMatchObject({
      nodes: 9,
      faultsMs: 120_000,
      workload: { agents: 17 },
    });
  });

  test('of kinds leaves all others out, and changes nothing of when those strike', () => {
    const wished = faultNames.get('partition') ?? [];
    for (const seed of ['a', 'b', 'c', 'd']) {
      const plan = drawPlan(seed, { faults: wished });
      for (const kind of kindsOf(plan)) expect(wished).toContain(kind);
      const whole = drawPlan(seed).strikes.filter(({ kind }) => wished.includes(kind));
      expect(plan.strikes).toEqual(whole);
    }
  });

  test('of everything has every kind, often', () => {
    for (const plan of plans(5, { everything: true, minutes: 5 })) {
      expect(new Set(kindsOf(plan))).toEqual(new Set(allKinds));
    }
  });
});

describe('a strike', () => {
  /** Kinds whose victims do not depend on who happens to run. */
  const kinds: readonly FaultKind[] = ['partition', 'split', 'oneWay', 'isolate', 'reset', 'halfReset', 'slowLink'];
  const strikes = [...kinds, 'clockStep', 'clockRate', 'powerLoss'] as const;
  const plan = calmPlan('one strike less', {
    faultsMs: 20_000,
    workload: { agents: 1, clients: 1 },
    strikes: strikes.map((kind, i): Strike => ({ atMs: 500 + i * 2_000, kind, lastsMs: 900, draw: 1_000 + i })),
  });

  /** What the world did to whom, by the strike that it belongs to. */
  function victims(of: Plan): Map<number, string[]> {
    const said = new Map<number, string[]>();
    let beganMs = Number.POSITIVE_INFINITY;
    const acted = ({ kind, node, text }: WorldAct): void => {
      const strike = Math.floor((simulation.world.nowMs - beganMs - 499) / 2_000);
      if (kind !== 'phase' && strike >= 0) said.set(strike, [...(said.get(strike) ?? []), `${kind} ${node} ${text}`]);
    };
    const simulation = new Simulation(of, [{ acted }]);
    simulation.begin();
    beganMs = simulation.world.nowMs;
    simulation.world.runFor(of.faultsMs);
    return said;
  }

  test('hits the same nodes in the same way when another one is left out', () => {
    const whole = victims(plan);
    expect([...whole.keys()]).toEqual(plan.strikes.map((_, i) => i));
    for (const left of [0, 4, 7]) {
      const rest = victims({ ...plan, strikes: plan.strikes.filter((_, i) => i !== left) });
      const expected = new Map(whole);
      expected.delete(left);
      expect(sayNothingOfBatches(rest)).toEqual(sayNothingOfBatches(expected));
    }
  });

  /** Whether a batch was on its way when the power went depends on all that came before. */
  const sayNothingOfBatches = (said: Map<number, string[]>): [number, string[]][] =>
    [...said].map(([strike, lines]) => [strike, lines.map((line) => line.replace(/, the batch.*/, ''))]);
});
