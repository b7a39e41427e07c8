import { expect, test } from 'vitest';
import type { agentJson } from '../../node/api/views.ts';
import { Testbed } from './testbed.ts';

type AgentJson = ReturnType<typeof agentJson>;

const source = `
export default {
  init: () => ({ done: [] }),
  handle(state, { id }) {
    state.done.push(id);
    return { state, result: state.done.length };
  },
};`;

const agent = 'ledger';

async function story(testbed: Testbed): Promise<void> {
  await testbed.up(5);
  const [first] = testbed.nodes;
  const deployed = await testbed.call(first?.admin ?? '', '/agents/deploy', { agent_type: agent, name: agent, source });
  expect(deployed.status).toBe(201);
  const give = (id: string) => testbed.ask('POST', `/agents/${agent}/tasks`, { id, payload: { id }, ttl_ms: 5_000 });
  for (const id of ['a', 'b', 'c']) await give(id);

  const { nodes, agents } = await testbed.status();
  const nameOf = (id: string): string => nodes.find((node) => node.id === id)?.name ?? '';
  const { holders = [], host } = agents.find(({ id }) => id === agent) ?? {};
  expect(holders).toHaveLength(3);
  // Its host is one of the two.
  const lost = [host ?? '', holders.find((node) => node !== host) ?? ''].map(nameOf);
  const [survivor = ''] = holders.map(nameOf).filter((name) => !lost.includes(name));
  const { admin = '' } = testbed.nodes.find(({ name }) => name === survivor) ?? {};
  const view = async (): Promise<AgentJson | undefined> => {
    const got = await testbed.call(admin, `/agents/${agent}?consistency=leader`).catch(() => undefined);
    return got?.status === 200 ? (got.body as AgentJson) : undefined;
  };

  await Promise.all(lost.map((name) => testbed.fleet.kill(name)));
  let stuck: AgentJson['stuck'] = null;
  await testbed.until('the agent says that it is stuck', async () => {
    stuck = (await view())?.stuck ?? null;
    return stuck !== null;
  });
  const { missing = [], survivors = [] } = (stuck as AgentJson['stuck']) ?? {};
  expect(missing).toHaveLength(2);
  const [best] = survivors;
  // Nothing goes on by itself, and not from a checkpoint that is not the one that was shown.
  const recover = (step: { epoch: number; sequence: number }) =>
    testbed.call(admin, `/agents/${agent}/recover`, { accept_loss: true, ...step }, 10_000);
  const { epoch = 0, sequence = 0 } = best ?? {};
  expect((await recover({ epoch, sequence: sequence + 1 })).status).toBe(409);
  const recovered = await recover({ epoch, sequence });
  expect(recovered).toMatchObject({ status: 200, body: { agent, epoch, sequence } });
  expect((await recover({ epoch, sequence })).status).toBe(409);

  // It answers again, with what the survivor had, and those that come back change nothing in that.
  await testbed.until('it answers', () =>
    give('d').then(
      () => true,
      () => false,
    ),
  );
  await Promise.all(lost.map((name) => testbed.fleet.start(name)));
  await testbed.until('all five are members', async () => (await testbed.status()).nodes.length === 5);
  await testbed.until('three nodes keep it', async () => (await view())?.failures?.caught_up === 3);
  await give('e');
  const { body } = await testbed.call(admin, `/agents/${agent}/state`);
  const { done } = (body as { state: { done: string[] } }).state;
  // The last step before the loss may not have come to the survivor.
  expect(['a', 'b', 'c'].slice(0, done.length - 2)).toEqual(done.slice(0, -2));
  expect(done.length).toBeGreaterThanOrEqual(4);
  expect(done.slice(-2)).toEqual(['d', 'e']);
}

test('an agent that lost most of its holders goes on once an operator accepts that, on five processes', {
  timeout: 180_000,
}, async () => {
  await Testbed.with('processes', story);
});
