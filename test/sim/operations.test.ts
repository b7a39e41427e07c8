import { describe, expect, test } from 'vitest';
import type { AgentView, Operation, Outcome } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

const others = (cluster: Cluster, node: string): string[] => cluster.world.nodes.filter((other) => other !== node);

/** But for how old what is known of their holders is. */
function agentsIn(outcome: Outcome | undefined): unknown[] {
  const agents = outcome?.ok ? (outcome.result as AgentView[]) : [];
  return agents.map((view) => ({ ...view, failures: undefined }));
}

describe('what operators ask, while tasks flow', () => {
  test('an agent is moved to and fro, and no task is lost, doubled or refused', () => {
    const cluster = new Cluster('migrate').begin();
    const agent = cluster.agents[0] ?? '';
    for (let move = 0; move < 6; move++) {
      const host = cluster.hostOf(agent);
      const [target = ''] = others(cluster, host);
      const [asked = ''] = others(cluster, target);
      const outcome = cluster.ask(asked, { type: 'migrate', agent, target });
      expect(outcome).toMatchObject({ ok: true, result: { agent: { host: target, status: 'active' } } });
      cluster.progress(5, 10_000, agent);
    }
    cluster.finish();
  });

  test('a node that is asked to stop hands its agents over and is gone within 5 s', () => {
    const cluster = new Cluster('leave').begin();
    const { world } = cluster;
    for (const node of [cluster.hostOf(cluster.agents[0] ?? ''), cluster.leader]) {
      const askedMs = world.nowMs;
      world.stop(node);
      world.runUntil(() => world.host(node).state === 'off', 5_000, `${node} is gone`);
      expect(world.exits.at(-1)).toMatchObject({ node, code: 0 });
      expect(world.nowMs - askedMs).toBeLessThan(5_000);
      cluster.progress(20, 10_000);
      world.restart(node);
      cluster.settle();
    }
    cluster.finish();
  });

  test('an agent that is deleted is gone, and another of its name begins anew', () => {
    const cluster = new Cluster('delete', {}, { agents: 1 }).begin();
    cluster.progress(10, 10_000);
    cluster.workload.stop();
    cluster.world.runUntil(() => cluster.workload.drained, 10_000, 'an answer to every task');
    const [node = '', other = ''] = cluster.world.nodes;
    expect(cluster.ask(node, { type: 'delete', agent: 'counter' })).toMatchObject({ ok: true });
    const state: Operation = { type: 'state', agent: 'counter', ttlMs: 5_000 };
    expect(cluster.ask(other, state)).toMatchObject({ ok: false, error: { code: 'agentUnknown' } });
    const deploy: Operation = {
      type: 'deploy',
      agentType: 'counter',
      name: 'counter',
      count: 1,
      strategy: 'least_loaded',
      capabilities: [],
      holders: 3,
    };
    expect(cluster.ask(other, deploy)).toMatchObject({ ok: true });
    const read = cluster.ask(node, state);
    if (!read.ok) throw new Error(read.error.message);
    const bytes = (read.result as { state: Uint8Array }).state;
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ total: 0 });
  });

  test('a deploy that is asked for twice under one id takes effect once', () => {
    const cluster = new Cluster('twice').begin();
    const deploy: Operation = {
      type: 'deploy',
      request: 'the same',
      agentType: 'counter',
      name: 'extra',
      count: 2,
      strategy: 'round_robin',
      capabilities: [],
      holders: 2,
    };
    const names = cluster.world.nodes.map((node) => {
      const outcome = cluster.ask(node, deploy);
      return outcome.ok ? (outcome.result as { agents: AgentView[] }).agents.map(({ id }) => id) : [];
    });
    expect(new Set(names.map((ids) => ids.join(' ')))).toEqual(new Set(['extra-1 extra-2']));
  });

  test('what cannot be placed is refused node by node, and changes nothing', () => {
    const cluster = new Cluster('unplaceable').begin();
    const [node = ''] = cluster.world.nodes;
    const deploy = { type: 'deploy', agentType: 'counter', count: 1, holders: 3 } as const;
    const before = cluster.ask(node, { type: 'agents' });
    const picky = cluster.ask(node, { ...deploy, strategy: 'least_loaded', capabilities: ['gpu', 'tpu'] });
    expect(picky).toMatchObject({
      ok: false,
      error: { code: 'agentUnplaceable', details: { refusals: { length: 5 } } },
    });
    const magic = cluster.ask(node, { ...deploy, strategy: 'magic', capabilities: [] });
    expect(magic).toMatchObject({ ok: false, error: { code: 'strategyUnknown' } });
    const type = cluster.ask(node, { ...deploy, agentType: 'nobody', strategy: 'least_loaded', capabilities: [] });
    expect(type).toMatchObject({ ok: false, error: { code: 'typeUnknown' } });
    // Refusals have their place in the log, so that a copy of what was refused cannot do it later.
    const after = cluster.ask(node, { type: 'agents' });
    expect(agentsIn(before)).not.toEqual([]);
    expect(agentsIn(after)).toEqual(agentsIn(before));
  });
});
