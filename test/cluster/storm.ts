import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { differences, expectedStatistics, readTicks, type Tick } from '../examples/reference.ts';
import { Feed, localState } from './feed.ts';
import type { Testbed } from './testbed.ts';

const agentsCount = 20;
const clients = 12;
const perSecond = 220;

/** All monthly prices to every agent, and the daily ones dealt out among them: every row of both files is fed. */
export function dealTicks(agents: readonly string[]): Map<string, Tick[]> {
  const ticks = readTicks();
  const stocks = ticks.filter(({ symbol }) => symbol !== 'SP500');
  const daily = ticks.filter(({ symbol }) => symbol === 'SP500');
  return new Map(
    agents.map((agent, at) => [agent, [...stocks, ...daily.filter((_, row) => row % agents.length === at)]]),
  );
}

export interface Fault {
  name: string;
  /** Chooses the node and breaks it. */
  begin(testbed: Testbed): Promise<string>;
  /** How long it stays broken, ms; then `end`. Without it, it stays broken. */
  lastsMs?: number;
  end?(testbed: Testbed, node: string): Promise<void>;
}

export async function leaderOf(testbed: Testbed): Promise<string> {
  return (await testbed.status()).leader?.name ?? '';
}

/** A living node that hosts agents and does not lead. */
export async function hostOf(testbed: Testbed): Promise<string> {
  const { nodes } = await testbed.status();
  const hosts = nodes.filter((node) => node.status === 'active' && !node.leader);
  return hosts.sort((a, b) => b.agents - a.agents)[0]?.name ?? '';
}

/** Five nodes, twenty agents, all rows, one fault after the other; in the end every state is what it must be. */
export async function weather(testbed: Testbed, faults: readonly Fault[]): Promise<void> {
  await testbed.up(5);
  const body = { agent_type: 'trading', deployment_strategy: 'least_loaded', count: agentsCount };
  const deployed = await testbed.call(testbed.nodes[0]?.admin ?? '', '/agents/deploy', body, 30_000);
  expect(deployed.status).toBe(201);
  const agents = (deployed.body as { agents: { id: string }[] }).agents.map(({ id }) => id);
  expect(agents).toHaveLength(agentsCount);
  const perAgent = dealTicks(agents);
  const feed = new Feed(testbed, perAgent, perSecond);
  let over = false;
  const fed = feed.run(clients).finally(() => {
    over = true;
  });
  const breaking = breakThings(testbed, feed, faults, () => over);
  await Promise.all([fed, breaking]);
  say(`${feed.acknowledged} tasks acknowledged, ${feed.retries} retries`);
  expect(feed.acknowledged).toBe(feed.total);
  for (const [agent, ticks] of perAgent) await expectState(testbed, agent, ticks);
}

async function breakThings(testbed: Testbed, feed: Feed, faults: readonly Fault[], over: () => boolean): Promise<void> {
  for (const [number, fault] of faults.entries()) {
    const share = ((number + 0.3) / faults.length) * feed.total * 0.5;
    await testbed.until(
      `${Math.round(share)} tasks are acknowledged`,
      async () => over() || feed.acknowledged >= share,
    );
    await testbed.until('the cluster can take another fault', async () => {
      const { nodes, agents } = await testbed.status();
      const alive = nodes.filter(({ status }) => status === 'active').map(({ id }) => id);
      const isWhole = (holders: readonly string[]) => holders.length >= 3 && holders.every((id) => alive.includes(id));
      const voters = nodes.filter(({ voter }) => voter);
      const living = voters.filter(({ id }) => alive.includes(id));
      return (
        living.length - 1 > voters.length / 2 &&
        agents.every(({ status, holders }) => status === 'active' && isWhole(holders))
      );
    });
    const before = await testbed.status();
    const beganMs = performance.now();
    const node = await fault.begin(testbed);
    const brokenMs = performance.now();
    const affected = before.agents.filter(({ host_name: host }) => host === node).map(({ id }) => id);
    let answeredMs: number | undefined;
    await testbed.until(`agents of ${node} answer again`, async () => {
      answeredMs = feed.allAnsweredMs(affected, brokenMs);
      return answeredMs !== undefined || over();
    });
    if (answeredMs === undefined) throw new Error(`the load ended before ${fault.name} was over: it proves nothing`);
    const tookMs = Math.round(answeredMs - beganMs);
    say(`${fault.name} (${node}, ${affected.length} agents): all answer again after ${tookMs} ms`);
    if (fault.end === undefined) continue;
    await delay(Math.max(0, (fault.lastsMs ?? 0) - (performance.now() - brokenMs)));
    await fault.end(testbed, node);
  }
}

async function expectState(testbed: Testbed, agent: string, ticks: readonly Tick[]): Promise<void> {
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
  expect(differences(state, expectedStatistics(ticks)), agent).toEqual([]);
  expect(state, agent).toEqual(await localState(ticks));
}

export function say(text: string): void {
  process.stdout.write(`      ${text}\n`);
}
