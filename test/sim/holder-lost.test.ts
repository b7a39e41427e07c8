import { describe, expect, test, vi } from 'vitest';
import type { AgentView } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agent = 'counter';
const lookMs = 20;
/** An epoch change takes a few round trips and syncs; to wait for the death to be certain takes seconds. */
const pauseMsMax = 700;

describe('an agent that loses a holder', () => {
  test('gets another one that is caught up in the background, and its clients notice an epoch change at most', () => {
    const cluster = new Cluster('holder lost', { nodes: 5 }, { agents: 1, clients: 4, holders: 3 }).begin();
    const { world } = cluster;
    cluster.progress(20, 20_000);
    const read = (): AgentView => {
      const outcome = cluster.ask(cluster.leader, { type: 'agent', agent, consistency: 'leader' });
      if (!outcome.ok) throw world.failure(outcome.error.message);
      return outcome.result as AgentView;
    };
    const before = read();
    const lost = before.holders.find((node) => node !== before.host && node !== cluster.leader) ?? '';
    world.crash(lost, 'silent');
    const [usual, changed] = [longestPause(cluster, 0), longestPause(cluster, 15_000)];
    expect(usual).toBe(0);
    expect(changed).toBeLessThan(pauseMsMax);
    const after = read();
    expect(after.host).toBe(before.host);
    expect(after.epoch).toBeGreaterThan(before.epoch);
    expect(after.holders).toHaveLength(3);
    expect(after.holders).not.toContain(lost);
    expect(after.failures).toMatchObject({ holders: 3, reachable: 3, disks: 1 });
    world.restart(lost);
    cluster.finish();
  });
});

/** The longest time without an acknowledged task, ms of virtual time. */
function longestPause(cluster: Cluster, forMs: number): number {
  const { world } = cluster;
  const endMs = world.nowMs + forMs;
  let [longest, sinceMs, count] = [0, world.nowMs, cluster.acknowledged()];
  while (world.nowMs < endMs) {
    world.runFor(lookMs);
    if (cluster.acknowledged() > count) {
      count = cluster.acknowledged();
      sinceMs = world.nowMs;
    } else longest = Math.max(longest, world.nowMs - sinceMs);
  }
  return longest;
}
