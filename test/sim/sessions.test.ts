import { describe, expect, test } from 'vitest';
import type { Message } from '../../node/core/message.ts';
import type { AgentView, Operation } from '../../node/core/operation.ts';
import { encode } from '../../node/core/wire/codec.ts';
import { Cluster } from './cluster.ts';

type Frame = { cluster: string; message: Message };

const deploy: Operation = {
  ...{ type: 'deploy', agentType: 'counter', name: 'x', count: 1, strategy: 'least_loaded' },
  ...{ capabilities: [], holders: 3 },
};

/** Frames by which a node passes commands on, from now on. */
function framesOf(cluster: Cluster, node: string): Frame[] {
  const frames: Frame[] = [];
  cluster.world.watch({
    sent(from, name, message) {
      if (from === node && message.type === 'forward') frames.push({ cluster: name, message });
    },
  });
  return frames;
}

const hasAgent = (cluster: Cluster, node: string): boolean => {
  const outcome = cluster.ask(node, { type: 'agents' });
  return outcome.ok && (outcome.result as AgentView[]).some(({ id }) => id === 'x');
};

/** Two nodes that users speak to; neither leads. */
function doorsOf(cluster: Cluster): [string, string] {
  const [one = '', other = ''] = cluster.world.nodes.filter((node) => node !== cluster.leader);
  return [one, other];
}

describe('a command that was passed on', () => {
  test('does nothing when it arrives after it was answered by another leader', () => {
    const cluster = new Cluster('held-delete', {}, { agents: 1 }).begin();
    const { world } = cluster;
    const [door, other] = doorsOf(cluster);
    expect(cluster.ask(other, deploy)).toMatchObject({ ok: true });
    const lost = cluster.leader;
    const frames = framesOf(cluster, door);
    const asked = world.request(door, { type: 'delete', agent: 'x' });
    world.runUntil(() => frames.length > 0, 1_000, 'the command on its way');
    const [held] = frames as [Frame];
    world.crash(lost);
    world.runUntil(() => asked.state !== 'waiting', 20_000, 'the answer to the deletion');
    expect(asked.outcome).toMatchObject({ ok: true });
    expect(cluster.ask(other, deploy)).toMatchObject({ ok: true });
    world.network.send(door, cluster.leader, encode(held.cluster, held.message), 'forward');
    world.runFor(3_000);
    expect(hasAgent(cluster, other)).toBe(true);
    expect(cluster.ask(other, { type: 'delete', agent: 'x' })).toMatchObject({ ok: true });
    world.restart(lost);
    cluster.finish();
  });

  test('does nothing when it arrives after it was refused', () => {
    const cluster = new Cluster('held-deploy', {}, { agents: 1 }).begin();
    const { world } = cluster;
    const [door, other] = doorsOf(cluster);
    expect(cluster.ask(other, deploy)).toMatchObject({ ok: true });
    const frames = framesOf(cluster, door);
    expect(cluster.ask(door, deploy)).toMatchObject({ error: { code: 'agentExists' } });
    expect(cluster.ask(other, { type: 'delete', agent: 'x' })).toMatchObject({ ok: true });
    const [held] = frames as [Frame];
    world.network.send(door, cluster.leader, encode(held.cluster, held.message), 'forward');
    world.runFor(3_000);
    expect(hasAgent(cluster, other)).toBe(false);
    cluster.finish();
  });

  test('is not called failed when nobody can say what became of it', () => {
    const cluster = new Cluster('cut-off-door', {}, { agents: 1 }).begin();
    const { world } = cluster;
    const [door, other] = doorsOf(cluster);
    expect(cluster.ask(other, deploy)).toMatchObject({ ok: true });
    const frames = framesOf(cluster, door);
    const sent = world.request(door, { type: 'delete', agent: 'x' });
    world.runUntil(() => frames.length > 0, 1_000, 'the command on its way');
    const cut = world.partition([[door], world.nodes.filter((node) => node !== door)]);
    world.runUntil(() => sent.state !== 'waiting', 20_000, 'an answer');
    expect(sent.outcome).toMatchObject({ ok: false, error: { code: 'outcomeUnknown' } });
    // Of what never left the node it is certain.
    expect(cluster.ask(door, deploy)).toMatchObject({ ok: false, error: { code: 'leaderUnknown' } });
    world.mend(cut);
    // Declared dead meanwhile, it comes back with a session of its own, and all goes on.
    world.runUntil(() => cluster.ask(door, { type: 'kvPut', key: 'a', value: new Uint8Array(1) }).ok, 20_000);
    cluster.finish();
  });
});
