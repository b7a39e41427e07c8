import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { residentMb } from '../resident.ts';
import { median } from '../sample.ts';

const nodes = 5;
const clusters = 2;
const idleMs = 10_000;
const bareIdleMs = 2_000;
const bareProcesses = 5;

/** Resident memory of a node that is a member of a cluster without agents. Linux only. */
export const idleRss: Figure = {
  name: 'idle_rss_mb',
  unit: 'MB',
  async measure(bench) {
    if (process.platform !== 'linux') {
      bench.say('resident memory is read from /proc, which this system does not have');
      return { values: [] };
    }
    const floor = await bareNodeMb(bench);
    const values: number[] = [];
    for (let i = 0; i < clusters; i++) {
      const cluster = await Cluster.open(bench, nodes);
      await delay(idleMs, undefined, { signal: bench.signal });
      for (const { handle } of await cluster.fleet.list()) values.push(await residentMb(Number(handle)));
      await cluster.close();
    }
    return { values, floor };
  },
};

/** What Node takes when it has nothing to do. */
async function bareNodeMb(bench: Bench): Promise<number> {
  const bare = Array.from({ length: bareProcesses }, () =>
    spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' }),
  );
  const end = bench.scratch.defer(() => {
    for (const child of bare) child.kill('SIGKILL');
  });
  await delay(bareIdleMs, undefined, { signal: bench.signal });
  const values = await Promise.all(bare.map((child) => residentMb(child.pid as number)));
  await end();
  return median(values) as number;
}
