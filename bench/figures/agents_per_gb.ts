import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Isolation } from '../../node/core/isolation.ts';
import { defaultWorkerLimits } from '../../node/runtime/worker-runner.ts';
import { Cluster } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { measureParts, partsLine } from '../floor.ts';
import { familyMb, residentMb } from '../resident.ts';
import { rounded } from '../sample.ts';

const repetitions = 2;
const idleMs = 8_000;
const bareThreads = 50;
const gbMb = 1_000;
/** As many as a node takes unless it is told otherwise. */
const sharing = 1_000;
const alone = 200;

/**
 * Idle agents of one type on one node: how many fit, with the node itself, into 10^9 bytes, when they share threads.
 * Beside it those with a thread each. Linux only.
 */
export const agentsPerGb: Figure = {
  name: 'agents_per_gb',
  unit: '1/GB',
  better: 'higher',
  async measure(bench) {
    if (process.platform !== 'linux') {
      bench.say('resident memory is read from /proc, which this system does not have');
      return { values: [] };
    }
    const parts = await measureParts(bench);
    const bareMb = await bareThreadMb(bench);
    const floor = (gbMb / bareMb) * defaultWorkerLimits.seatsMax;
    const values: number[] = [];
    const each: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const { nodeMb, agentMb } = await repeat(bench, 'type', sharing);
      bench.say(
        `${i + 1} of ${repetitions}: the node ${nodeMb.toFixed(0)} MB, each agent ${(agentMb * 1e3).toFixed(0)} kB`,
      );
      values.push((gbMb - nodeMb) / agentMb);
      each.push(agentMb);
    }
    const { nodeMb, agentMb } = await repeat(bench, 'agent', alone);
    bench.say(`with a thread each: the node ${nodeMb.toFixed(0)} MB, each agent ${agentMb.toFixed(2)} MB`);
    const isolated = {
      per_gb: rounded((gbMb - nodeMb) / agentMb),
      agent_mb: rounded(agentMb),
      agents: alone,
      floor: rounded(gbMb / bareMb),
    };
    return { values, floor, extra: { agents: sharing, agent_mb: each.map(rounded), isolated, ...partsLine(parts) } };
  },
};

async function repeat(
  bench: Bench,
  isolation: Isolation,
  agents: number,
): Promise<{ nodeMb: number; agentMb: number }> {
  const cluster = await Cluster.open(bench, 1);
  const { leader } = await cluster.settled();
  await delay(idleMs, undefined, { signal: bench.signal });
  const nodeMb = await familyMb(Number(leader.handle));
  await cluster.deploy(agents, 'bench', { isolation });
  await cluster.settled();
  await delay(idleMs, undefined, { signal: bench.signal });
  const fullMb = await familyMb(Number(leader.handle));
  await cluster.close();
  return { nodeMb, agentMb: (fullMb - nodeMb) / agents };
}

const bareProgram = `
const { Worker } = require('node:worker_threads');
const started = [];
const idle = "require('node:worker_threads').parentPort.on('message', () => {})";
process.stdin.once('data', async () => {
  for (let i = 0; i < ${bareThreads}; i++) {
    const worker = new Worker(idle, { eval: true });
    started.push(worker);
    await new Promise((resolve) => worker.once('online', resolve));
  }
  process.stdout.write('up');
});
process.stdout.write('ready');
`;

/** What a thread with an empty program adds to its process. */
async function bareThreadMb(bench: Bench): Promise<number> {
  const child = spawn(process.execPath, ['-e', bareProgram], { stdio: ['pipe', 'pipe', 'inherit'] });
  const end = bench.scratch.defer(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data', { signal: bench.signal });
  const emptyMb = await residentMb(child.pid as number);
  child.stdin.write('start');
  await once(child.stdout, 'data', { signal: bench.signal });
  await delay(1_000, undefined, { signal: bench.signal });
  const fullMb = await residentMb(child.pid as number);
  await end();
  return (fullMb - emptyMb) / bareThreads;
}
