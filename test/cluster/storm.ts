import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { bundle } from '../../node/cli/deploy.ts';
import { tableOf } from '../../node/cli/output.ts';
import { packPython } from '../../node/cli/python-pack.ts';
import type { StatusJson } from '../../node/cli/status.ts';
import { Random } from '../../sim/random.ts';
import { Load } from './load.ts';
import { OutsideLedger, problemsOf } from './outside-ledger.ts';
import { type FaultKind, isHeld, isWhole, Storm } from './storm-faults.ts';
import { compare, readAccounts, TaskLedger } from './task-ledger.ts';
import type { Testbed } from './testbed.ts';

const nodesCount = 5;
const everyMs = 10_000;
const settledWithinMs = 120_000;
/** How long after a fault a silence is put down to it. */
const silenceWithinMs = 5_000;
const logLinesMax = 100_000;
const kindsMin = 4;

const agentsFolder = fileURLToPath(new URL('./agents', import.meta.url));
const pythonExample = fileURLToPath(new URL('../../examples/trading-python', import.meta.url));

export interface StormPlan {
  seed: string;
  seconds: number;
  kinds: readonly FaultKind[];
  perSecond: number;
  workers: number;
  processes?: number;
  containers?: { count: number; spec: object };
  /** Address of this machine, as nodes see it. */
  gateway: (testbed: Testbed) => Promise<string>;
  /** What must hold at the end beside the states. */
  atEnd?: (testbed: Testbed, status: StatusJson) => Promise<void>;
}

export function say(text: string): void {
  process.stdout.write(`      ${text}\n`);
}

/** For people ten minutes, for a check two; or as the environment says. */
export const stormSeconds = Number(process.env['CONCLAVE_STORM_SECONDS'] ?? (process.env['CI'] ? 120 : 600));
export const stormSeed = process.env['CONCLAVE_STORM_SEED'] ?? String(Math.floor(Math.random() * 1e6));

/** The code of an agent that writes into the outside ledger, as it is deployed. */
export async function deskSource(runtime: 'worker' | 'process'): Promise<string> {
  if (runtime === 'worker') return bundle(join(agentsFolder, 'desk.ts'));
  const folder = await mkdtemp(join(tmpdir(), 'desk-'));
  try {
    for (const name of await readdir(pythonExample)) {
      if (name.endsWith('.py')) await writeFile(join(folder, name), await readFile(join(pythonExample, name)));
    }
    await writeFile(join(folder, 'agent.py'), await readFile(join(agentsFolder, 'desk.py')));
    return await packPython(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function deploy(testbed: Testbed, { workers, processes = 0, containers }: StormPlan): Promise<string[][]> {
  const order = async (agent_type: string, count: number, code: object): Promise<string[]> => {
    if (count === 0) return [];
    const body = { agent_type, name: agent_type, count, deployment_strategy: 'least_loaded', ...code };
    const { status, body: answer } = await testbed.call(testbed.nodes[0]?.admin ?? '', '/agents/deploy', body, 60_000);
    if (status !== 201) throw new Error(`${agent_type} cannot be deployed: ${JSON.stringify(answer)}`);
    return (answer as { agents: { id: string }[] }).agents.map(({ id }) => id);
  };
  const process = { runtime: 'process', interpreter: 'python3' };
  return [
    await order('desk', workers, { source: await deskSource('worker') }),
    await order('desk-python', processes, processes > 0 ? { ...process, source: await deskSource('process') } : {}),
    await order('desk-boxed', containers?.count ?? 0, { runtime: 'container', container: containers?.spec }),
  ];
}

/** All nodes there, and every agent runs with all its holders. */
export async function settled(testbed: Testbed, agents: number): Promise<StatusJson> {
  let status: StatusJson | undefined;
  let missing = '';
  try {
    await testbed.until(
      'the cluster is whole',
      async () => {
        status = await testbed.status();
        const alive = new Set(status.nodes.filter(({ status: shown }) => shown === 'active').map(({ id }) => id));
        const not = status.agents.filter((agent) => !isHeld(agent, alive));
        missing = `${alive.size} nodes, ${status.agents.length} agents, ${JSON.stringify(not.slice(0, 3))}`;
        return isWhole(status, testbed.nodes.length) && status.agents.length === agents;
      },
      settledWithinMs,
    );
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${missing}`);
  }
  return status as StatusJson;
}

async function stateOf(testbed: Testbed, agent: string): Promise<unknown> {
  let state: unknown;
  await testbed.until(`${agent} tells its state`, async () => {
    for (const { admin } of testbed.nodes) {
      const answer = await testbed.call(admin, `/agents/${agent}/state`, undefined, 3_000).catch(() => undefined);
      if (answer?.status !== 200) continue;
      state = (answer.body as { state: unknown }).state;
      return true;
    }
    return false;
  });
  return state;
}

const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;

/** The longest time, ms, that one of these agents answered nothing, of those that began before a while after the moment and ended after it. */
function longestSilence(load: Load, agents: readonly string[], beganMs: number): number {
  let longest = 0;
  for (const agent of agents) {
    const times = load.acknowledgedMs.get(agent) ?? [];
    for (let at = 1; at < times.length; at++) {
      const [from = 0, to = 0] = [times[at - 1], times[at]];
      if (to > beganMs && from < beganMs + silenceWithinMs) longest = Math.max(longest, to - from);
    }
  }
  return longest;
}

function report(
  load: Load,
  storm: Storm,
  ledger: OutsideLedger,
  groups: Readonly<Record<string, readonly string[]>>,
): void {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const used = Object.entries(groups).filter(([, agents]) => agents.length > 0);
  const latencies = used.map(([name, agents]) => {
    const sorted = agents.flatMap((agent) => load.latenciesMs.get(agent) ?? []).sort((a, b) => a - b);
    const parts = [0.5, 0.99, 1].map((part) => ms(quantile(sorted, part)));
    return [name, String(agents.length), String(sorted.length), ...parts];
  });
  say(`\n${tableOf(['runtime', 'agents', 'tasks acknowledged', 'p50', 'p99', 'max'], latencies)}`);
  const retries = [...load.retries].sort((a, b) => b[1] - a[1]).map(([code, times]) => `${times} ${code}`);
  say(`retries: ${retries.join(', ') || 'none'}`);
  const refused = ledger.effects.filter(({ accepted }) => !accepted).length;
  const repeated = ledger.effects.filter(({ accepted, repeated: again }) => accepted && again).length;
  say(`${ledger.effects.length} effects outside: ${refused} refused for an older epoch, ${repeated} repeated`);
  const byKind = Map.groupBy(storm.faults, ({ kind }) => kind);
  const rows = [...byKind].map(([kind, faults]) => {
    const silences = faults.map(({ agents, beganMs }) => longestSilence(load, agents, beganMs)).sort((a, b) => a - b);
    return [kind, String(faults.length), ms(quantile(silences, 0.5)), ms(silences.at(-1) ?? 0)];
  });
  say(`\n${tableOf(['fault', 'times', 'longest silence of an agent: median', 'worst'], rows)}`);
}

/** Agents under load while a storm goes on; in the end every state is exactly what their client was told. */
export async function weather(testbed: Testbed, plan: StormPlan): Promise<void> {
  const { seed, seconds, kinds, perSecond } = plan;
  say(`${seconds} s, CONCLAVE_STORM_SEED=${seed}`);
  const random = new Random(seed);
  const outside = await OutsideLedger.open();
  const ledger = new TaskLedger(join(tmpdir(), `conclave-storm-${seed}-${process.pid}.jsonl`));
  try {
    await testbed.up(nodesCount);
    const url = `http://${await plan.gateway(testbed)}:${outside.port}`;
    const [workers = [], processes = [], containers = []] = await deploy(testbed, plan);
    const agents = [...workers, ...processes, ...containers];
    const writers = new Set([...workers, ...processes]);
    await settled(testbed, agents.length);
    const moreOf = (agent: string): object => (writers.has(agent) ? { ledger: url } : {});
    const load = new Load({ testbed, agents, moreOf, perSecond, ledger, random: random.fork('load') });
    const storm = new Storm({ testbed, random: random.fork('storm'), kinds, everyMs, say });
    const loaded = load.run().finally(() => storm.end());
    const raged = storm.run(performance.now() + seconds * 1_000).finally(() => load.end());
    const ended = await Promise.allSettled([loaded, raged]);
    report(load, storm, outside, { worker: workers, process: processes, container: containers, all: agents });
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    ledger.close();
    const status = await settled(testbed, agents.length);
    const states = new Map<string, unknown>();
    for (const agent of agents) states.set(agent, await stateOf(testbed, agent));
    const accounts = readAccounts(ledger.file);
    const { lost, doubled, problems } = await compare(accounts, states);
    say(`${accounts.size} agents compared with the client's ledger: ${lost} lost, ${doubled} doubled`);
    expect(problems).toEqual([]);
    expect([accounts.size, lost, doubled]).toEqual([agents.length, 0, 0]);
    const acknowledged = [...accounts].flatMap(([agent, { acknowledged: own }]) =>
      writers.has(agent) ? own.map(({ task }) => `${agent}/${task}`) : [],
    );
    expect(problemsOf(outside.effects, acknowledged)).toEqual([]);
    // Faults that left nothing to be broken beside them are no storm.
    expect(new Set(storm.faults.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(Math.min(kindsMin, kinds.length));
    expect(storm.faults.length).toBeGreaterThanOrEqual(seconds / 20 - 1);
    await plan.atEnd?.(testbed, status);
    ledger.remove();
  } catch (error) {
    for (const { name } of await testbed.fleet.list()) {
      await writeFile(`${ledger.file}.${name}.log`, await testbed.fleet.logs(name, logLinesMax));
    }
    say(`what the client and the nodes wrote is in ${ledger.file}*`);
    throw error;
  } finally {
    await outside.close();
  }
}
