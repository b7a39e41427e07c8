import { besideEtcd } from '../beside-etcd.ts';
import type { Bench, Figure, Measured } from '../figure.ts';
import type { LoadOrder } from '../load/order.ts';
import { type Loaded, load } from '../load/run.ts';
import { raftAlone } from '../raft-alone.ts';
import { median, rounded } from '../sample.ts';

/** The first client asks each of three nodes as often. */
const repetitions = 6;
const valueBytes = 200;
const warmUpMs = 1_000;
const measureMs = 3_000;
/** Before the first run: one client alone would leave most of the code cold. */
const clientsWarmUp = 64;

type Kind = Pick<LoadOrder, 'operation' | 'clients'>;

interface Side {
  order: LoadOrder;
  pids: number[];
  results: Loaded[];
}

/** The same load on the nodes of each, in turns; `ratioOf` is above 1 where Conclave is better. */
const figureOf = (name: string, kind: Kind, ratioOf: (ours: Loaded, theirs: Loaded) => number): Figure =>
  besideEtcd(name, async (bench, cluster, etcd) => {
    const common = { ...kind, valueBytes, warmUpMs, measureMs };
    const { nodes: all, leader } = await cluster.settled();
    const nodes = [leader, ...all.filter((node) => node !== leader)];
    const leads = await etcd.leader();
    const members = [leads, ...etcd.members.filter((member) => member !== leads)];
    const ours: Side = {
      order: { ...common, system: 'conclave', urls: nodes.map(({ admin }) => admin), token: cluster.token },
      pids: nodes.map(({ handle }) => Number(handle)),
      results: [],
    };
    const theirs: Side = {
      order: { ...common, system: 'etcd', urls: members.map(({ url }) => url), token: '' },
      pids: members.map((member) => member.process?.pid ?? 0),
      results: [],
    };
    return compare(bench, ours, theirs, ratioOf);
  });

async function compare(
  bench: Bench,
  ours: Side,
  theirs: Side,
  ratioOf: (ours: Loaded, theirs: Loaded) => number,
): Promise<Measured> {
  // Both have done some work before the first that counts.
  for (const { order, pids } of [ours, theirs]) {
    await load(bench, { ...order, operation: 'write', clients: clientsWarmUp, warmUpMs: 0 }, pids);
  }
  const values: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    for (const { order, pids, results } of [ours, theirs]) {
      results.push(await load(bench, { ...order, urls: turned(order.urls, i) }, pids));
    }
    const [our, their] = [ours.results[i] as Loaded, theirs.results[i] as Loaded];
    values.push(ratioOf(our, their));
    bench.say(`${i + 1} of ${repetitions}: ${describe(our)}; etcd ${describe(their)}`);
  }
  const alone =
    ours.order.operation === 'write' ? { raft_alone_per_s: rounded(raftAlone(ours.pids.length, valueBytes)) } : {};
  return { values, extra: { ...summary('ours', ours), ...summary('etcd', theirs), ...alone } };
}

/** The leaders are the first of both: in every pair a client alone asks the leaders of both, or a follower of both. */
const turned = (urls: readonly string[], by: number): string[] =>
  urls.map((_, i) => urls[(i + by) % urls.length] as string);

const describe = ({ perSecond, p50Ms, cpuUsEach, cores }: Loaded): string =>
  `${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(2)} ms, ${cpuUsEach.toFixed(0)} µs of CPU each (${cores.toFixed(2)} cores)`;

function summary(name: string, { results }: Side): Record<string, number | null> {
  const middle = (of: (result: Loaded) => number): number | null => rounded(median(results.map(of)));
  return {
    [`${name}_per_s`]: middle((result) => result.perSecond),
    [`${name}_p50_ms`]: middle((result) => result.p50Ms),
    [`${name}_p99_ms`]: middle((result) => result.p99Ms),
    [`${name}_cpu_us`]: middle((result) => result.cpuUsEach),
    [`${name}_cores`]: middle((result) => result.cores),
  };
}

const speed = (ours: Loaded, theirs: Loaded): number => ours.perSecond / theirs.perSecond;
const latency = (ours: Loaded, theirs: Loaded): number => theirs.p50Ms / ours.p50Ms;

export const raftWrites64 = figureOf('raft_writes_vs_etcd_64', { operation: 'write', clients: 64 }, speed);
export const raftWrites256 = figureOf('raft_writes_vs_etcd_256', { operation: 'write', clients: 256 }, speed);
export const raftWriteLatency = figureOf('raft_write_latency_vs_etcd', { operation: 'write', clients: 1 }, latency);
export const raftReads64 = figureOf('raft_reads_vs_etcd_64', { operation: 'read', clients: 64 }, speed);
