import { Cluster } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { firstWrite } from '../first-write.ts';
import { load } from '../load/run.ts';
import { median, rounded } from '../sample.ts';

const nodes = 3;
const repetitions = 5;
const putTimeoutMs = 2_000;
const entriesWanted = 1_000_000;
const fill = { operation: 'write', clients: 256, valueBytes: 200, warmUpMs: 0, measureMs: 10_000 } as const;

/**
 * The start of one voter of three while another is down, until a write is committed: nothing can be without its vote
 * and its disk. What it starts from are the log's snapshot and the entries after it.
 */
async function restartVoter(bench: Bench, cluster: Cluster): Promise<number> {
  const { leader, nodes: all } = await cluster.settled();
  const [down, restarted] = all.filter((node) => node !== leader) as [typeof leader, typeof leader];
  await Promise.all([down, restarted].map((node) => cluster.fleet.kill(node.name)));
  const start = performance.now();
  await cluster.fleet.start(restarted.name);
  await firstWrite(bench, [leader, restarted], (node) => cluster.put(node, putTimeoutMs));
  const ms = performance.now() - start;
  await cluster.restart(down);
  return ms;
}

async function repeat(bench: Bench, cluster: Cluster, what: string): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < repetitions; i++) values.push(await restartVoter(bench, cluster));
  bench.say(`${what}: ${values.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  return values;
}

/** Writes until the log has had as many entries as wanted; returns how many it has had then. */
async function fillLog(bench: Bench, cluster: Cluster): Promise<number> {
  for (;;) {
    const { nodes: all, leader } = await cluster.settled();
    const entries = await cluster.logIndex(leader);
    bench.say(`${entries} of ${entriesWanted} entries`);
    if (entries >= entriesWanted) return entries;
    const urls = all.map(({ admin }) => admin);
    const pids = all.map(({ handle }) => Number(handle));
    await load(bench, { ...fill, system: 'conclave', urls, token: cluster.token }, pids);
  }
}

export const raftRestart: Figure = {
  name: 'raft_restart_ms',
  unit: 'ms',
  async measure(bench) {
    const cluster = await Cluster.open(bench, nodes);
    // A node's start itself: its process, its libraries, its connections, an election.
    const empty = await repeat(bench, cluster, 'with an empty log');
    const entries = await fillLog(bench, cluster);
    const values = await repeat(bench, cluster, `with ${entries} entries`);
    await cluster.close();
    return { values, floor: median(empty) as number, extra: { entries, empty_p99: rounded(Math.max(...empty)) } };
  },
};
