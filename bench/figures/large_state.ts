import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FleetNode } from '../../docker/fleet.ts';
import { Cluster, killNow } from '../cluster.ts';
import type { Bench, Figure, Measured } from '../figure.ts';
import { LoopBlocks } from '../loop-blocks.ts';
import { median, rounded } from '../sample.ts';

const nodes = 4;
const smallTasks = 10;
const stateBytes = 64 * 1024 * 1024 - 1024;
const ttlMs = 60_000;

const source = `
export default {
  init: () => new Uint8Array(${stateBytes}).map((_, at) => (at * 2654435761) >>> 20),
  handle(state, { at }) {
    for (let i = 0; i < 100; i++) state[(at + i) % state.length] ^= 0xff;
    return { state, result: state[at % state.length] };
  },
  checkpoint: (state) => state,
  restore: (bytes) => bytes.slice(),
};
`;

interface Phase {
  tookMs: number;
  /** Of the node that hosts the agent in the end, and the longest of the others. */
  host: number;
  others: number;
  /** The longest by the clock. */
  wall: number;
}

/** Longest turn of any node's event loop, in processor time, while an agent of 64 MiB is begun, works, moves and is recovered. */
export const largeStateBlock: Figure = {
  name: 'large_state_block_ms',
  unit: 'ms',
  measure,
};

async function measure(bench: Bench): Promise<Measured> {
  const blocks = await LoopBlocks.of(bench);
  const cluster = await Cluster.open({ ...bench, distDirectory: blocks.distDirectory }, nodes);
  const run = { bench, blocks, cluster };
  const first = await phase(run, 'the first state', async () => {
    await cluster.deploy(1, 'large', { agent_type: 'large', source });
    await give(cluster, 0);
  });
  const times: number[] = [];
  const small = await phase(run, 'small tasks', async () => {
    for (let i = 0; i < smallTasks; i++) {
      const start = performance.now();
      await give(cluster, i * 5_000_001);
      times.push(performance.now() - start);
    }
  });
  const moved = await phase(run, 'a move', async () => {
    const { nodes: all, agents } = await cluster.settled();
    const [agent] = agents;
    const target = all.find(({ name }) => name !== agent?.host_name);
    if (agent !== undefined && target !== undefined) await cluster.gather([agent.id], target);
    await give(cluster, 7);
  });
  const recovered = await phase(run, 'a recovery', async () => {
    const { nodes: all, agents } = await cluster.settled();
    const host = all.find(({ name }) => name === agents[0]?.host_name);
    if (host === undefined) throw new Error('the agent is nowhere');
    killNow(host);
    await give(cluster, 8, host);
  });
  await cluster.close();
  const phases = { first, small, moved, recovered };
  const values = Object.values(phases).map(({ host, others }) => Math.max(host, others));
  const told = Object.entries(phases).flatMap(([name, { tookMs, host, others, wall }]) => [
    [`${name}_ms`, rounded(tookMs)],
    [`${name}_block_host_ms`, rounded(host)],
    [`${name}_block_holders_ms`, rounded(others)],
    [`${name}_block_wall_ms`, rounded(wall)],
  ]);
  const extra = { ...Object.fromEntries(told), task_ms: rounded(median(times)), ...floorsOf(bench) };
  return { values, floor: copyMs(), extra };
}

interface Run {
  bench: Bench;
  blocks: LoopBlocks;
  cluster: Cluster;
}

async function phase({ bench, blocks, cluster }: Run, what: string, work: () => Promise<void>): Promise<Phase> {
  const sinceMs = Date.now();
  const start = performance.now();
  await work();
  const tookMs = performance.now() - start;
  const view = await hostOf(cluster);
  // What holders that are slower have still to write belongs to it.
  await delay(2_000, undefined, { signal: bench.signal });
  const longest = await blocks.since(sinceMs);
  const cpuOf = (isIt: (name: string) => boolean): number =>
    Math.max(0, ...[...longest].filter(([name]) => isIt(name)).map(([, { cpuMs }]) => cpuMs));
  const told = {
    tookMs,
    host: cpuOf((name) => name === view),
    others: cpuOf((name) => name !== view),
    wall: Math.max(0, ...[...longest.values()].map(({ ms }) => ms)),
  };
  bench.say(`${what}: ${tookMs.toFixed(0)} ms, host ${told.host.toFixed(1)} ms, others ${told.others.toFixed(1)} ms`);
  return told;
}

async function hostOf(cluster: Cluster): Promise<string | undefined> {
  for (const node of await cluster.fleet.list()) {
    const { status, text } = await cluster.send(node, 'GET', '/agents');
    if (status === 200) return (JSON.parse(text) as { agents: { host_name: string }[] }).agents[0]?.host_name;
  }
  return undefined;
}

/** One task, at whatever node takes it. */
async function give(cluster: Cluster, at: number, except?: FleetNode): Promise<void> {
  const id = `large-${at}-${Date.now()}`;
  const body = { id, payload: { at }, ttl_ms: ttlMs };
  const deadline = performance.now() + ttlMs;
  while (performance.now() < deadline) {
    for (const node of await cluster.fleet.list()) {
      if (node.name === except?.name) continue;
      const { status } = await cluster.send(node, 'POST', '/agents/large/tasks', body, ttlMs);
      if (status === 200) return;
    }
    await delay(20);
  }
  throw new Error(`task ${id} was not acknowledged`);
}

/** One copy of that many bytes in memory, ms. */
function copyMs(): number {
  const [from, to] = [new Uint8Array(stateBytes).fill(1), new Uint8Array(stateBytes).fill(2)];
  const start = performance.now();
  to.set(from);
  return performance.now() - start;
}

/** One write and sync of that many bytes, ms. */
function floorsOf({ scratch }: Bench): Record<string, number | null> {
  const file = openSync(join(scratch.directory, 'large'), 'w');
  const bytes = Buffer.alloc(stateBytes, 'x');
  const start = performance.now();
  writeSync(file, bytes);
  fdatasyncSync(file);
  const tookMs = performance.now() - start;
  closeSync(file);
  return { write_and_sync_ms: rounded(tookMs) };
}
