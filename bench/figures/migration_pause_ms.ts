import { setTimeout as delay } from 'node:timers/promises';
import type { FleetNode } from '../../docker/fleet.ts';
import { Cluster } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { measureParts, partsLine } from '../floor.ts';
import { median, rounded } from '../sample.ts';

const nodes = 5;
const repetitions = 30;
const aroundMs = 300;
const ttlMs = 10_000;
/** With what is around it, the state is 1 MiB: the most that an agent may have. */
const ballastBytes = 1024 * 1024 - 64;

const source = `
export default {
  init: () => ({ count: 0, ballast: 'x'.repeat(${ballastBytes}) }),
  handle: ({ count, ballast }) => ({ state: { count: count + 1, ballast }, result: count + 1 }),
};
`;

/** An agent with 1 MiB of state moves while a client gives it one task after another → the longest wait for an answer. */
export const migrationPause: Figure = {
  name: 'migration_pause_ms',
  unit: 'ms',
  async measure(bench) {
    const parts = await measureParts(bench);
    const cluster = await Cluster.open(bench, nodes);
    await cluster.deploy(1, 'ballast', { agent_type: 'ballast', source });
    const values: number[] = [];
    const usual: number[] = [];
    let failed = 0;
    for (let i = 0; i < repetitions; i++) {
      const moved = await repeat(bench, cluster, i);
      bench.say(`${i + 1} of ${repetitions}: ${moved.pauseMs.toFixed(1)} ms, usually ${moved.usualMs.toFixed(1)} ms`);
      values.push(moved.pauseMs);
      usual.push(moved.usualMs);
      failed += moved.failed;
    }
    await cluster.close();
    const floor = parts.workerStartMs + 3 * parts.syncMs + 4 * parts.roundTripMs;
    const extra = { task_ms: rounded(median(usual)), failed_tasks: failed, ...partsLine(parts) };
    return { values, floor, extra };
  },
};

interface Moved {
  pauseMs: number;
  /** Median wait for an answer in the same time. */
  usualMs: number;
  failed: number;
}

async function repeat(bench: Bench, cluster: Cluster, i: number): Promise<Moved> {
  const { nodes: all, agents } = await cluster.settled();
  const [agent] = agents;
  const others = all.filter(({ name }) => name !== agent?.host_name);
  const target = others[i % others.length];
  const asked = others[(i + 1) % others.length];
  if (agent === undefined || target === undefined || asked === undefined) throw new Error('there is nobody to move');
  const over = new AbortController();
  const asking = askUntil(cluster, asked, agent.id, over.signal);
  await delay(aroundMs, undefined, { signal: bench.signal });
  await cluster.gather([agent.id], target);
  await delay(aroundMs, undefined, { signal: bench.signal });
  over.abort();
  const { waits, failed } = await asking;
  return { pauseMs: Math.max(...waits), usualMs: median(waits) as number, failed };
}

/** Gives one task after another through one node; each wait counts, also that for a refusal. */
async function askUntil(
  cluster: Cluster,
  node: FleetNode,
  agent: string,
  over: AbortSignal,
): Promise<{ waits: number[]; failed: number }> {
  const waits: number[] = [];
  let failed = 0;
  let sinceMs = performance.now();
  while (!over.aborted) {
    const body = { payload: null, ttl_ms: ttlMs };
    const { status } = await cluster.send(node, 'POST', `/agents/${agent}/tasks`, body, ttlMs + 1_000);
    if (status !== 200) {
      failed += 1;
      continue;
    }
    // From one success to the next: a refusal in between makes the pause longer.
    waits.push(performance.now() - sinceMs);
    sinceMs = performance.now();
  }
  return { waits, failed };
}
