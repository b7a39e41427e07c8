import { setTimeout as delay } from 'node:timers/promises';
import type { FleetNode } from '../../docker/fleet.ts';
import { Cluster, killNow, type Settled } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { roundTripMs, syncMs, workerStartMs } from '../floor.ts';
import { type Repetition, repeated } from '../repetition.ts';
import { readTimeline } from '../timeline.ts';

const nodes = 5;
const agents = 5;
const repetitions = 15;

/** SIGKILL of an agent's host → the agent, with its state, has acknowledged a task elsewhere. */
export const agentFailover: Figure = {
  name: 'agent_failover_ms',
  unit: 'ms',
  async measure(bench) {
    const floor = (await workerStartMs()) + 3 * syncMs(bench) + 4 * (await roundTripMs());
    const cluster = await Cluster.open(bench, nodes);
    await cluster.deploy(agents, 'bench');
    const measured = await repeated(bench, repetitions, (i) => repeat(bench, cluster, i));
    await cluster.close();
    return { ...measured, floor };
  },
};

/** One request, held open by the survivor that it is sent to until the agent has answered. */
async function repeat(bench: Bench, cluster: Cluster, i: number): Promise<Repetition> {
  const before = await cluster.settled();
  const { agent, host } = chooseVictim(before, i);
  const survivors = before.nodes.filter((node) => node !== host);
  // A state to recover, and a warm connection to each survivor.
  for (const [number, node] of survivors.entries()) await cluster.giveTask([node], agent, `warm-${i}-${number}`);
  await delay(500 + Math.random() * 500, undefined, { signal: bench.signal });
  const { start, wallMs } = killNow(host);
  const turned = survivors.map((_, index) => survivors[(i + index) % survivors.length] as FleetNode);
  await cluster.giveTask(turned, agent, `bench-${i}`);
  const ms = performance.now() - start;
  await cluster.restart(host);
  await cluster.settled();
  return { ms, timeline: await readTimeline(cluster, survivors, wallMs) };
}

/** An agent on a node that does not lead. */
function chooseVictim({ agents: all, nodes: every, leader }: Settled, i: number): { agent: string; host: FleetNode } {
  const elsewhere = all.filter((agent) => agent.host_name !== leader.name);
  const agent = elsewhere[i % Math.max(1, elsewhere.length)];
  const host = every.find((node) => node.name === agent?.host_name);
  if (agent === undefined || host === undefined) throw new Error('every agent is on the leader');
  return { agent: agent.id, host };
}
