import { setTimeout as delay } from 'node:timers/promises';
import type { FleetNode } from '../../docker/fleet.ts';
import type { Isolation } from '../../node/core/isolation.ts';
import { Cluster } from '../cluster.ts';
import type { Bench, Figure, Measured } from '../figure.ts';
import { measureParts, partsLine } from '../floor.ts';
import { type Repetition, repeated } from '../repetition.ts';
import { median, rounded } from '../sample.ts';
import { readTimeline } from '../timeline.ts';

const nodes = 5;
const agents = 50;
const repetitions = 7;
/** With all agents of a node in one thread, for comparison. */
const repetitionsShared = 5;

type Signal = 'SIGKILL' | 'SIGSTOP';

/** A host with 50 agents is killed, or stands still with its connections open → all of them answered a task elsewhere. */
const figureOf = (name: string, signal: Signal): Figure => ({
  name,
  unit: 'ms',
  async measure(bench) {
    const parts = await measureParts(bench);
    const measured = await repetitionsOf(bench, signal, 'agent', repetitions);
    const shared = await repetitionsOf(bench, signal, 'type', repetitionsShared);
    // All of them side by side, as if there were a core for each.
    const floor = parts.workerStartMs + 3 * parts.syncMs + 4 * parts.roundTripMs;
    const beside = { signal, shared_threads: rounded(median(shared.values)) };
    return { ...measured, floor, extra: { ...measured.extra, ...beside, ...partsLine(parts) } };
  },
});

async function repetitionsOf(bench: Bench, signal: Signal, isolation: Isolation, times: number): Promise<Measured> {
  const cluster = await Cluster.open(bench, nodes);
  await cluster.deploy(agents, 'bench', { isolation });
  const measured = await repeated(bench, times, (i) => repeat(bench, cluster, signal, i));
  await cluster.close();
  return measured;
}

async function repeat(bench: Bench, cluster: Cluster, signal: Signal, i: number): Promise<Repetition> {
  const before = await cluster.settled();
  const followers = before.nodes.filter((node) => node !== before.leader);
  const victim = followers[i % followers.length] as FleetNode;
  const ids = before.agents.map(({ id }) => id);
  await cluster.gather(ids, victim);
  const survivors = before.nodes.filter((node) => node.name !== victim.name);
  // A state to recover, and a warm connection for each of the tasks that follow.
  await giveAll(cluster, survivors, ids, `warm-${i}`);
  await delay(500 + Math.random() * 500, undefined, { signal: bench.signal });
  const wallMs = Date.now();
  const start = performance.now();
  process.kill(Number(victim.handle), signal);
  await giveAll(cluster, survivors, ids, `bench-${i}`);
  const ms = performance.now() - start;
  if (signal === 'SIGSTOP') process.kill(Number(victim.handle), 'SIGCONT');
  else await cluster.restart(victim);
  await cluster.settled();
  return { ms, timeline: await readTimeline(cluster, survivors, wallMs) };
}

/** One task for each agent, all at once, spread over the survivors. */
async function giveAll(cluster: Cluster, survivors: FleetNode[], ids: string[], task: string): Promise<void> {
  const turned = (by: number) => survivors.map((_, index) => survivors[(by + index) % survivors.length] as FleetNode);
  await Promise.all(ids.map((id, index) => cluster.giveTask(turned(index), id, task)));
}

export const hostFailover50 = figureOf('host_failover_50_ms', 'SIGKILL');
export const hostCutoff50 = figureOf('host_cutoff_50_ms', 'SIGSTOP');
