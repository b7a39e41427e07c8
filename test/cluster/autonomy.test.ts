import { describe, expect, onTestFinished, test } from 'vitest';
import { hostOf } from '../../docker/container.ts';
import type { DockerFleet } from '../../docker/docker-fleet.ts';
import { unlessStatus } from '../../docker/engine.ts';
import type { agentJson } from '../../node/api/views.ts';
import type { StatusJson } from '../../node/cli/status.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { Testbed } from './testbed.ts';

/** Remembers what it was given, by task id: a task that is lost, or done twice, shows. */
const source = `
export default {
  init: () => ({ done: {} }),
  handle(state, { id }) {
    state.done[id] = (state.done[id] ?? 0) + 1;
    return { state, result: Object.keys(state.done).length };
  },
  merge(base, ours, theirs, { both }) {
    for (const [id, count] of Object.entries(theirs.done)) {
      const since = count - (base.done[id] ?? 0);
      if (since > 0 && !both.includes(id)) ours.done[id] = (ours.done[id] ?? 0) + since;
    }
    return ours;
  },
};`;

/** The same without a merge function: what a branch did is kept beside its history. */
const plainSource = source.replace('merge(', 'mergeNot(');

type AgentJson = ReturnType<typeof agentJson>;
interface Answer {
  result: number;
  provisional?: boolean;
  branch?: string;
}

/** The other nodes stand still, or are elsewhere. */
interface Cut {
  begin(testbed: Testbed, minority: readonly string[]): Promise<void>;
  end(testbed: Testbed, minority: readonly string[]): Promise<void>;
  /** The majority goes on meanwhile. */
  majorityLives: boolean;
}

const adminOf = (testbed: Testbed, name: string): string =>
  testbed.nodes.find((node) => node.name === name)?.admin ?? '';

/** Gives a task to one node, again and again under its id, until it is answered. */
async function answerOf(testbed: Testbed, node: string, id: string, agent = 'ledger'): Promise<Answer> {
  let answer: Answer | undefined;
  await testbed.until(`${node} answers ${id}`, async () => {
    const body = { id, payload: { id }, ttl_ms: 3_000 };
    const got = await testbed.call(adminOf(testbed, node), `/agents/${agent}/tasks`, body).catch(() => undefined);
    if (got?.status === 200) answer = got.body as Answer;
    return answer !== undefined;
  });
  return answer as Answer;
}

/** While it moves it has no state to show. */
async function stateOf(testbed: Testbed, node: string, agent: string): Promise<unknown> {
  let state: unknown;
  await testbed.until(`${agent} shows its state`, async () => {
    const got = await testbed.call(adminOf(testbed, node), `/agents/${agent}/state`).catch(() => undefined);
    if (got?.status === 200) ({ state } = got.body as { state: unknown });
    return got?.status === 200;
  });
  return state;
}

async function story(testbed: Testbed, cut: Cut): Promise<void> {
  await testbed.up(5);
  const deploy = { agent_type: 'ledger', name: 'ledger', source, partition: 'autonomous' };
  expect((await testbed.call(testbed.nodes[0]?.admin ?? '', '/agents/deploy', deploy)).status).toBe(201);
  const plain = { ...deploy, agent_type: 'plain', name: 'plain', source: plainSource };
  if (cut.majorityLives)
    expect((await testbed.call(testbed.nodes[0]?.admin ?? '', '/agents/deploy', plain)).status).toBe(201);
  await answerOf(testbed, testbed.nodes[0]?.name ?? '', 'before');
  const { nodes, agents } = await testbed.status();
  const agent = agents.find(({ id }) => id === 'ledger');
  const nameOf = (id: string): string => nodes.find((node) => node.id === id)?.name ?? '';
  const holders = (agent?.holders ?? []).map(nameOf);
  // Most holders are with the majority: there the agent is recovered.
  const stranger = nodes.map(({ name }) => name).find((name) => !holders.includes(name)) ?? '';
  const minority = [agent?.host_name ?? '', stranger];
  const [host = '', other = ''] = minority;
  const [majority = ''] = nodes.map(({ name }) => name).filter((name) => !minority.includes(name));
  await cut.begin(testbed, minority);
  await testbed.until('the branch runs', async () => {
    const got = await testbed.call(adminOf(testbed, other), '/status').catch(() => undefined);
    const { autonomy } = (got?.body as StatusJson | undefined) ?? {};
    return autonomy?.agents.some(({ branch }) => branch !== null) === true;
  });
  const alone = await answerOf(testbed, other, 'alone');
  expect(alone).toMatchObject({ result: 2, provisional: true });
  expect(await answerOf(testbed, host, 'alone')).toEqual(alone);
  if (cut.majorityLives) expect(await answerOf(testbed, majority, 'together')).not.toHaveProperty('provisional');
  if (cut.majorityLives) {
    const provisional = await answerOf(testbed, other, 'alone', 'plain');
    expect(provisional).toMatchObject({ provisional: true });
    expect(await answerOf(testbed, majority, 'together', 'plain')).not.toHaveProperty('provisional');
  }
  await cut.end(testbed, minority);
  let branches: AgentJson['branches'] = [];
  await testbed.until('the branch is taken in', async () => {
    const got = await testbed
      .call(adminOf(testbed, majority), '/agents/ledger?consistency=leader')
      .catch(() => undefined);
    branches = got?.status === 200 ? (got.body as AgentJson).branches : [];
    const isEnded = branches.every(({ outcome }) => outcome !== null);
    return isEnded && branches.some(({ outcome }) => outcome === 'merged' || outcome === 'fastForwarded');
  });
  // One of the two hears the others first: then there may be two parts of the branch, and one is in the other.
  expect(branches.map(({ outcome }) => outcome)).not.toContain('forked');
  const again = await answerOf(testbed, majority, 'alone');
  expect(again).toMatchObject({ result: alone.result });
  expect(again).not.toHaveProperty('provisional');
  const state = await stateOf(testbed, majority, 'ledger');
  const done = { before: 1, alone: 1, ...(cut.majorityLives && { together: 1 }) };
  expect(state).toEqual({ done });
  if (cut.majorityLives) await expectFork(testbed, majority);
}

/** What an agent without a merge function did on its own is listed, can be had, and is forgotten when it is told to be. */
async function expectFork(testbed: Testbed, majority: string): Promise<void> {
  const admin = adminOf(testbed, majority);
  let forks: { fork: string; tasks: number }[] = [];
  await testbed.until('the fork is listed', async () => {
    const got = await testbed.call(admin, '/agents/plain/forks').catch(() => undefined);
    forks = got?.status === 200 ? (got.body as { forks: typeof forks }).forks : [];
    return forks.length > 0;
  });
  const [{ fork, tasks } = { fork: '', tasks: 0 }] = forks;
  expect(tasks).toBe(1);
  const kept = await testbed.call(admin, `/agents/plain/forks/${fork}`);
  expect(kept).toMatchObject({ status: 200, body: { state: { done: { alone: 1 } } } });
  expect(await stateOf(testbed, majority, 'plain')).toEqual({ done: { together: 1 } });
  await testbed.ask('DELETE', `/agents/plain/forks/${fork}`);
  await testbed.until('the fork is gone', async () => {
    const got = await testbed.call(admin, '/agents/plain/forks').catch(() => undefined);
    return got?.status === 200 && (got.body as { forks: typeof forks }).forks.length === 0;
  });
}

const others = (testbed: Testbed, minority: readonly string[]): string[] =>
  testbed.nodes.map(({ name }) => name).filter((name) => !minority.includes(name));

/** Processes share one loopback, on which nothing can be cut off: the others stand still, which is silence as well. */
const stillStand: Cut = {
  majorityLives: false,
  begin: async (testbed, minority) => {
    for (const name of others(testbed, minority)) await testbed.fleet.pause(name);
  },
  end: async (testbed, minority) => {
    for (const name of others(testbed, minority)) await testbed.fleet.unpause(name);
  },
};

/** Both go to a network of their own, where they have the same names. */
const elsewhere: Cut = {
  majorityLives: true,
  begin: async (testbed, minority) => {
    const { engine, name } = testbed.docker;
    const network = await engine.createNetwork({ Name: `${name}-elsewhere`, Internal: true });
    for (const node of await testbed.docker.list()) {
      if (!minority.includes(node.name)) continue;
      await testbed.docker.disconnect(node.name);
      await network.connect({ Container: node.handle, EndpointConfig: { Aliases: [hostOf(name, node.number)] } });
    }
  },
  end: async (testbed, minority) => {
    const network = testbed.docker.engine.getNetwork(`${testbed.docker.name}-elsewhere`);
    for (const node of await testbed.docker.list()) {
      if (!minority.includes(node.name)) continue;
      await network.disconnect({ Container: node.handle, Force: true });
      await testbed.docker.connect(node.name);
    }
    await network.remove();
  },
};

/** What a test that failed on its way leaves; its containers are gone by then. */
async function removeNetwork({ engine, name }: DockerFleet): Promise<void> {
  await unlessStatus(engine.getNetwork(`${name}-elsewhere`).remove(), 404);
}

describe('an autonomous agent on five processes', () => {
  test('goes on with two of them while three are silent, and loses nothing then', { timeout: 240_000 }, async () => {
    await Testbed.with('processes', (testbed) => story(testbed, stillStand));
  });
});

describeWithDocker('an autonomous agent on five containers', () => {
  test('goes on on both sides of a cut, and has what both did', { timeout: 300_000 }, async () => {
    await Testbed.with('docker', async (testbed) => {
      onTestFinished(() => removeNetwork(testbed.docker));
      await story(testbed, elsewhere);
    });
  });
});
