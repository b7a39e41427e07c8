import type { Isolation } from '../../node/core/isolation.ts';
import { Cluster } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { measureParts, type Parts, partsLine } from '../floor.ts';
import type { LoadOrder } from '../load/order.ts';
import { type Loaded, load } from '../load/run.ts';
import { median, rounded } from '../sample.ts';

const repetitions = 5;
const warmUpMs = 1_000;
const measureMs = 3_000;
/** Before the first run: one client alone would leave most of the code cold. */
const clientsWarmUp = 64;
/** Five processes on two cores are long compiling: a task takes a third less processor time after half a minute of load. */
const clusterWarmUps = 10;

interface Kind {
  name: string;
  unit: Figure['unit'];
  nodes: number;
  agents: number;
  clients: number;
  /** Runs that are not counted, before the others. */
  warmUps?: number;
  /** Agents of a type in one thread; without it each has its own. */
  isShared?: boolean;
  valueOf(loaded: Loaded): number;
  floorOf(parts: Parts): number;
}

/** Tasks for agents of the example, each acknowledged when its effect is on the disks of a majority of the holders. */
const figureOf = (kind: Kind): Figure => ({
  name: kind.name,
  unit: kind.unit,
  ...(kind.unit === '1/s' ? { better: 'higher' } : {}),
  async measure(bench) {
    const parts = await measureParts(bench);
    const results = await runs(bench, kind, kind.isShared ? 'type' : 'agent');
    const own = kind.isShared ? await runs(bench, kind, 'agent') : [];
    const beside = own.length > 0 && { own_threads: rounded(median(own.map(kind.valueOf))) };
    const extra = { ...summary(results), ...beside, ...partsLine(parts) };
    return { values: results.map(kind.valueOf), floor: kind.floorOf(parts), extra };
  },
});

async function runs(
  bench: Bench,
  { nodes: count, agents, clients, warmUps = 1 }: Kind,
  isolation: Isolation,
): Promise<Loaded[]> {
  const cluster = await Cluster.open(bench, count);
  await cluster.deploy(agents, 'bench', { isolation });
  const { nodes, agents: deployed } = await cluster.settled();
  const order: LoadOrder = {
    ...{ system: 'conclave', operation: 'task', agents: deployed.map(({ id }) => id), valueBytes: 0 },
    ...{ urls: nodes.map(({ admin }) => admin), token: cluster.token, clients, warmUpMs, measureMs },
  };
  const pids = nodes.map(({ handle }) => Number(handle));
  for (let i = 0; i < warmUps; i++) {
    await load(bench, { ...order, clients: Math.max(clients, clientsWarmUp), warmUpMs: 0 }, pids);
  }
  const results: Loaded[] = [];
  for (let i = 0; i < repetitions; i++) {
    const loaded = await load(bench, order, pids);
    results.push(loaded);
    bench.say(`${i + 1} of ${repetitions}, isolation ${isolation}: ${describe(loaded)}`);
  }
  await cluster.close();
  return results;
}

const describe = ({ perSecond, p50Ms, p99Ms, cpuUsEach, cores }: Loaded): string =>
  `${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${cpuUsEach.toFixed(0)} µs of CPU each (${cores.toFixed(2)} cores)`;

function summary(results: readonly Loaded[]): Record<string, number | null> {
  const middle = (of: (result: Loaded) => number): number | null => rounded(median(results.map(of)));
  return {
    task_p50_ms: middle((result) => result.p50Ms),
    task_p99_ms: middle((result) => result.p99Ms),
    cpu_us: middle((result) => result.cpuUsEach),
    cores: middle((result) => result.cores),
  };
}

const perSecond = ({ perSecond: value }: Loaded): number => value;
/** One task after the other, each with one sync and one round trip. */
const oneByOne = ({ syncMs, roundTripMs }: Parts): number => 1_000 / (syncMs + roundTripMs);

export const agentTasks = figureOf({
  ...{ name: 'agent_tasks_per_s', unit: '1/s', nodes: 3, agents: 1, clients: 64 },
  ...{ valueOf: perSecond, floorOf: oneByOne },
});
export const clusterTasks = figureOf({
  ...{
    name: 'cluster_tasks_per_s',
    unit: '1/s',
    nodes: 5,
    agents: 200,
    clients: 200,
    warmUps: clusterWarmUps,
    isShared: true,
  },
  ...{ valueOf: perSecond, floorOf: oneByOne },
});
/** Client to node, node to host, host to holder. */
export const taskLatency = figureOf({
  ...{ name: 'task_latency_ms', unit: 'ms', nodes: 3, agents: 1, clients: 1 },
  valueOf: ({ p50Ms }) => p50Ms,
  floorOf: ({ syncMs, roundTripMs }) => syncMs + 3 * roundTripMs,
});
