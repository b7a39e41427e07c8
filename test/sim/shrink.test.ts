import { describe, expect, test } from 'vitest';
import { drawPlan, type Plan } from '../../sim/plan.ts';
import { shrink } from '../../sim/shrink.ts';

const limits = { runsMax: 1_000, mayGoOn: () => true };
const large = (): Plan => drawPlan('large', { nodes: 7, minutes: 3, everything: true });

describe('shrinking', () => {
  test('leaves what the broken promise needs, and nothing else', () => {
    const plan = large();
    const needed = plan.strikes.filter(({ kind }) => kind === 'crash' || kind === 'pause').slice(2, 5);
    const fails = (candidate: Plan): boolean =>
      needed.every((strike) => candidate.strikes.includes(strike)) && candidate.nodes >= 4;
    const { plan: small } = shrink(plan, fails, limits);
    expect(small.strikes).toEqual(needed);
    expect(small.nodes).toBe(4);
    expect(small.workload).toMatchObject({ agents: 1, clients: 1 });
    expect(small.network).toEqual({});
    expect(small.clockDriftMax).toBe(0);
    expect(small.faultsMs).toBeLessThan(plan.faultsMs);
  });

  test('returns the plan as it was when nothing smaller fails', () => {
    const plan = large();
    expect(shrink(plan, () => false, limits).plan).toBe(plan);
  });

  test('ends within its runs, and when there is no time left', () => {
    expect(shrink(large(), () => true, { ...limits, runsMax: 5 }).runs).toBe(5);
    let runs = 0;
    shrink(large(), () => ++runs > 0, { ...limits, mayGoOn: () => runs < 3 });
    expect(runs).toBe(3);
  });
});
