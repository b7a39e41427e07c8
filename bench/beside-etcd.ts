import { Cluster } from './cluster.ts';
import { Etcd, hasEtcd, type Timers } from './etcd.ts';
import type { Bench, Figure, Measured } from './figure.ts';

const nodes = 3;

/** Conclave's own, as etcd names them: see consensus/options.ts. */
const sameTimers: Timers = { heartbeat: 50, election: 600 };

/** A ratio to etcd: 3 nodes of each, with the same timers. Above 1 Conclave is better. */
export function besideEtcd(
  name: string,
  measure: (bench: Bench, cluster: Cluster, etcd: Etcd) => Promise<Measured>,
): Figure {
  return {
    name,
    unit: 'x',
    better: 'higher',
    async measure(bench) {
      if (!hasEtcd()) {
        bench.say('etcd is not on the PATH: nothing to compare with');
        return { values: [], extra: { problem: 'etcd is not on the PATH' } };
      }
      const cluster = await Cluster.open(bench, nodes);
      const etcd = await Etcd.open(bench, nodes, sameTimers);
      const measured = await measure(bench, cluster, etcd);
      await etcd.close();
      await cluster.close();
      return measured;
    },
  };
}
