import { setTimeout as delay } from 'node:timers/promises';
import { besideEtcd } from '../beside-etcd.ts';
import type { Cluster } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { firstWrite } from '../first-write.ts';
import { median, rounded } from '../sample.ts';

const repetitions = 10;
const putTimeoutMs = 2_000;

type Signal = 'SIGKILL' | 'SIGSTOP';

/** The leader is killed, or stands still with its connections open → the first write that is committed without it. */
const figureOf = (name: string, signal: Signal): Figure =>
  besideEtcd(name, async (bench, cluster, etcd) => {
    const [ours, theirs, values]: [number[], number[], number[]] = [[], [], []];
    for (let i = 0; i < repetitions; i++) {
      const our = await failover(bench, cluster, signal);
      const their = await etcd.failover(signal);
      ours.push(our);
      theirs.push(their);
      values.push(their / our);
      bench.say(`${i + 1} of ${repetitions}: ${our.toFixed(0)} ms, etcd ${their.toFixed(0)} ms`);
    }
    const extra = { signal, ours_ms: rounded(median(ours)), etcd_ms: rounded(median(theirs)) };
    // Each of the two draws its election timeout anew every time: the middle of one is held against that of the other.
    return {
      values: [(median(theirs) as number) / (median(ours) as number)],
      extra: { ...extra, pairs: values.map(rounded) },
    };
  });

async function failover(bench: Bench, cluster: Cluster, signal: Signal): Promise<number> {
  const { leader, nodes: all } = await cluster.settled();
  const survivors = all.filter((node) => node !== leader);
  await Promise.all(survivors.map((survivor) => cluster.put(survivor, putTimeoutMs)));
  await delay(500 + Math.random() * 500, undefined, { signal: bench.signal });
  const start = performance.now();
  process.kill(Number(leader.handle), signal);
  await firstWrite(bench, survivors, (survivor) => cluster.put(survivor, putTimeoutMs));
  const ms = performance.now() - start;
  if (signal === 'SIGSTOP') process.kill(Number(leader.handle), 'SIGCONT');
  else await cluster.restart(leader);
  return ms;
}

export const raftFailover = figureOf('raft_failover_vs_etcd', 'SIGKILL');
export const raftCutoff = figureOf('raft_cutoff_vs_etcd', 'SIGSTOP');
