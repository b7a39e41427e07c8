import { describe, expect, test } from 'vitest';
import { say, settled } from './storm.ts';
import { Testbed } from './testbed.ts';

/** It counts what it is given, and gives others what it is told to. */
const clerkSource = `
export default {
  init: () => ({ counts: {}, rings: 0 }),
  handle(state, { id, send = [], timers = [], ring }) {
    if (ring) state.rings += 1;
    else state.counts[id] = (state.counts[id] ?? 0) + 1;
    return { state, result: null, send, timers };
  },
};`;

interface Clerk {
  counts: Record<string, number>;
  rings: number;
}

const clerks = ['clerk-1', 'clerk-2', 'clerk-3', 'clerk-4'];
const readers = ['reader-1', 'reader-2', 'reader-3'];
const all = [...clerks, ...readers];
const keys = ['a', 'b', 'c'];

async function stateOf(testbed: Testbed, agent: string): Promise<Clerk | undefined> {
  for (const { admin } of testbed.nodes) {
    const answer = await testbed.call(admin, `/agents/${agent}/state`).catch(() => undefined);
    if (answer?.status === 200) return (answer.body as { state: Clerk }).state;
  }
  return undefined;
}

describe('what agents on several nodes send by type, by key and by topic', () => {
  test('comes once to whom it is for, though a host of senders and receivers is killed in between', {
    timeout: 240_000,
  }, async () => {
    await Testbed.with('processes', async (testbed) => {
      await testbed.up(4);
      await testbed.ask('POST', '/agents/deploy', {
        ...{ agent_type: 'reader', name: 'reader', source: clerkSource, count: readers.length, topics: ['news'] },
      });
      await testbed.ask('POST', '/agents/deploy', {
        ...{ agent_type: 'clerk', name: 'clerk', source: clerkSource, count: clerks.length, topics: ['news'] },
      });
      const { agents: placed } = await settled(testbed, all.length);
      expect(new Set(placed.map(({ host }) => host)).size).toBeGreaterThan(1);
      const sent = { type: new Set<string>(), key: new Map<string, string>(), topic: new Set<string>() };

      /** Every clerk is told, at a node that lives, to send in each of the ways. */
      const round = async (number: number): Promise<void> => {
        for (const agent of clerks) {
          const about = `${number}-${agent}`;
          const send = [
            { to: { type: 'reader' }, task: { id: `type-${about}` } },
            ...keys.map((key) => ({ to: { type: 'reader', key }, task: { id: `key-${key}-${about}` } })),
            { to: { topic: 'news' }, task: { id: `news-${about}` } },
          ];
          const timers =
            number === 1 ? [{ name: 'ring', atMs: Date.now() + 100, everyMs: 200, task: { ring: true } }] : [];
          await testbed.ask('POST', `/agents/${agent}/tasks`, {
            ...{ id: about, payload: { id: about, send, timers }, ttl_ms: 20_000 },
          });
          sent.type.add(`type-${about}`);
          for (const key of keys) sent.key.set(`key-${key}-${about}`, key);
          sent.topic.add(`news-${about}`);
        }
      };
      await round(1);
      // Not the one of a leader: that would only make it slower. It has senders, receivers, and what is under way to them.
      const { agents: before, leader } = await testbed.status();
      const victim = before.find(({ id, host }) => clerks.includes(id) && host !== leader?.id)?.host_name ?? '';
      const moved = before.filter(({ host_name: at }) => at === victim).map(({ id }) => id);
      await Promise.all([round(2), testbed.fleet.kill(victim)]);
      await round(3);
      say(`${victim} was killed, with ${moved.join(', ')}`);

      const states = new Map<string, Clerk>();
      const readAll = async (): Promise<void> => {
        for (const agent of all) {
          const state = await stateOf(testbed, agent);
          if (state !== undefined) states.set(agent, state);
        }
      };
      const whoHas = (id: string, among = all): string[] =>
        among.filter((agent) => states.get(agent)?.counts[id] !== undefined);
      await testbed.until('everything has come', async () => {
        await readAll();
        const toOne = [...sent.type, ...sent.key.keys()].every((id) => whoHas(id).length > 0);
        return toOne && [...sent.topic].every((id) => whoHas(id).length === all.length);
      });
      const rings = new Map(clerks.map((agent) => [agent, states.get(agent)?.rings ?? 0]));
      await testbed.until('every repeated timer goes on', async () => {
        await readAll();
        return clerks.every((agent) => (states.get(agent)?.rings ?? 0) > (rings.get(agent) ?? 0));
      });

      for (const [agent, { counts }] of states) {
        expect([agent, Object.entries(counts).filter(([, count]) => count !== 1)]).toEqual([agent, []]);
      }
      // From here on one reader hears nothing more of the news.
      await testbed.ask('PUT', '/agents/reader-1/topics', { topics: [] });
      await testbed.until('every node knows it', async () => {
        const told = await Promise.all(
          testbed.nodes.map(({ admin }) => testbed.call(admin, '/agents/reader-1').catch(() => undefined)),
        );
        return told.every(
          (answer) => answer === undefined || (answer.body as { topics: string[] }).topics.length === 0,
        );
      });
      const send = [{ to: { topic: 'news' }, task: { id: 'last-news' } }];
      await testbed.ask('POST', '/agents/clerk-1/tasks', { id: 'last', payload: { id: 'last', send }, ttl_ms: 20_000 });
      const others = all.filter((agent) => agent !== 'reader-1');
      await testbed.until('the last news have come', async () => {
        await readAll();
        return whoHas('last-news', others).length === others.length;
      });
      expect(whoHas('last-news')).toEqual(others);
      const owners = new Map<string, Set<string>>(keys.map((key) => [key, new Set()]));
      for (const id of [...sent.type, ...sent.key.keys()]) {
        const [owner = '', ...others] = whoHas(id);
        expect([id, others, readers.includes(owner)]).toEqual([id, [], true]);
        owners.get(sent.key.get(id) ?? '')?.add(owner);
      }
      expect([...owners.values()].map(({ size }) => size)).toEqual(keys.map(() => 1));
      expect(moved.length).toBeGreaterThan(0);
    });
  });
});
