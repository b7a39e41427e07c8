import { describe, expect, test } from 'vitest';
import { ConsensusNode } from '../../sim/consensus/node.ts';
import { drawConsensusPlan } from '../../sim/consensus/plan.ts';
import { runConsensusPlan, runConsensusSeed } from '../../sim/consensus/run.ts';
import { ConsensusSimulation } from '../../sim/consensus/simulation.ts';
import type { SimNode } from '../../sim/host.ts';

describe('consensus alone', () => {
  test.each(['1', '2', '3', '4', '5', '6'])(
    'keeps every promise through faults, and goes on after them (%s)',
    (seed) => {
      const { ok, counts, violation } = runConsensusSeed(seed);
      expect(ok, violation?.what).toBe(true);
      expect(counts['acknowledged']).toBeGreaterThan(10);
    },
  );

  test('gives the same run for the same seed', () => {
    expect(runConsensusSeed('twice', { minutes: 0.2 }).hash).toBe(runConsensusSeed('twice', { minutes: 0.2 }).hash);
  });

  test('is caught when votes leave before they are on disk', () => {
    const plan = drawConsensusPlan('planted', { nodes: 3, minutes: 0.2 });
    const hasty = (node: ConsensusNode): SimNode => ({
      handle: (event, at) =>
        node.handle(event, at).map((effect) => (effect.type === 'send' ? { ...effect, urgent: true } : effect)),
    });
    const simulation = new ConsensusSimulation(plan, (...given) => hasty(new ConsensusNode(...given)));
    const { ok, violation } = runConsensusPlan(plan, simulation);
    expect(ok).toBe(false);
    expect(violation).toMatchObject({ checker: 'anytime-durable-before-said', crash: false });
  });
});
