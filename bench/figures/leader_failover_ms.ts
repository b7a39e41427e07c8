import { setTimeout as delay } from 'node:timers/promises';
import type { FleetNode } from '../../docker/fleet.ts';
import { Cluster, killNow } from '../cluster.ts';
import { etcdFailover } from '../etcd.ts';
import type { Bench, Figure } from '../figure.ts';
import { roundTripMs, syncMs } from '../floor.ts';
import { type Repetition, repeated } from '../repetition.ts';
import { readTimeline } from '../timeline.ts';

const nodes = 5;
const repetitions = 15;
const triesMax = 100;
/** Longer than a node goes on trying: it is the node that is measured, not this side's second try. */
const deleteTimeoutMs = 20_000;

/** SIGKILL of the leader → a survivor has said that a command was committed under the next one. */
export const leaderFailover: Figure = {
  name: 'leader_failover_ms',
  unit: 'ms',
  async measure(bench) {
    const floor = 3 * (await roundTripMs()) + 2 * syncMs(bench);
    const cluster = await Cluster.open(bench, nodes);
    await cluster.deploy(repetitions + 1, 'bench');
    const { values, extra } = await repeated(bench, repetitions, (i) => repeat(bench, cluster, i));
    await cluster.close();
    const etcd = await etcdFailover(bench, nodes);
    const peer = etcd.peer === undefined ? {} : { peer: etcd.peer };
    return { values, floor, ...peer, extra: { ...etcd.extra, ...extra } };
  },
};

/** The command is a deletion, which waits at the survivor that it is sent to. Its answer comes later than its commit. */
async function repeat(bench: Bench, cluster: Cluster, i: number): Promise<Repetition> {
  const before = await cluster.settled();
  const agent = before.agents[0]?.id;
  if (agent === undefined) throw new Error('there is no agent left to delete');
  const survivors = before.nodes.filter((node) => node !== before.leader);
  await Promise.all(survivors.map((node) => cluster.send(node, 'GET', '/status')));
  await delay(500 + Math.random() * 500, undefined, { signal: bench.signal });
  const { wallMs } = killNow(before.leader);
  await deleteAgent(cluster, survivors, i, agent);
  await cluster.restart(before.leader);
  const after = await cluster.settled();
  if (after.term <= before.term) throw new Error(`no leader was elected: the term is still ${after.term}`);
  const timeline = await readTimeline(cluster, survivors, wallMs);
  const ms = timeline.get('agentDeleted');
  if (ms === undefined) throw new Error('no survivor has said that the agent was deleted');
  return { ms, timeline };
}

async function deleteAgent(cluster: Cluster, survivors: FleetNode[], first: number, agent: string): Promise<void> {
  for (let tries = 0; tries < triesMax; tries++) {
    const survivor = survivors[(first + tries) % survivors.length] as FleetNode;
    const { status } = await cluster.send(survivor, 'DELETE', `/agents/${agent}`, undefined, deleteTimeoutMs);
    // A command whose answer was lost may have been committed; then the next try no longer finds the agent.
    if (status === 200 || (status === 404 && tries > 0)) return;
  }
  throw new Error(`agent ${agent} could not be deleted in ${triesMax} tries`);
}
