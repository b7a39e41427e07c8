import { describe, expect, test } from 'vitest';
import type { agentTasksJson } from '../../node/api/views.ts';
import { Testbed } from './testbed.ts';

/** Counts what it is given. One task fills memory in a way that no limit of a thread stops. */
const source = `
export default {
  init: () => ({ total: 0 }),
  handle(state, task) {
    if (task.fill) for (const all = new Map(), at = { now: 0 }; ; at.now++) all.set(at.now, { at });
    state.total += task.add;
    return { state, result: state.total };
  },
};`;

type Answer = { status: number; body: { result?: number; error?: { code: string } } };

/** So many that some share a host with it. */
const beside = ['beside-1', 'beside-2', 'beside-3', 'beside-4', 'beside-5'];

/** Sends a task under its id until it is answered. */
async function answerTo(testbed: Testbed, agent: string, id: string, payload: object): Promise<Answer> {
  let answer: Answer | undefined;
  const { admin } = testbed.nodes[0] as { admin: string };
  await testbed.until(`task ${id} is answered`, async () => {
    const body = { id, payload, ttl_ms: 3_000 };
    answer = (await testbed.call(admin, `/agents/${agent}/tasks`, body)) as Answer;
    return ![503, 504].includes(answer.status);
  });
  return answer as Answer;
}

describe('a task that fills the memory of whatever process it runs in', () => {
  test('ends no node, is set aside, and what runs beside it goes on', { timeout: 240_000 }, async () => {
    await Testbed.with('processes', async (testbed) => {
      await testbed.up(3);
      const { admin } = testbed.nodes[0] as { admin: string };
      for (const name of ['greedy', ...beside]) {
        const deployed = await testbed.call(admin, '/agents/deploy', { agent_type: 'fragile', name, source });
        expect(deployed.status).toBe(201);
      }
      const processes = async () =>
        (await testbed.fleet.list()).map(({ name, state, handle }) => [name, state, handle]);
      const before = await processes();
      for (const agent of ['greedy', ...beside]) {
        expect((await answerTo(testbed, agent, `before-${agent}`, { add: 1 })).body.result).toBe(1);
      }

      const { body: placed } = await testbed.call(admin, '/agents');
      const { agents } = placed as { agents: { name: string; host_name: string }[] };
      const hostOf = (agent: string) => agents.find(({ name }) => name === agent)?.host_name;
      expect(beside.map(hostOf)).toContain(hostOf('greedy'));

      let isOver = false;
      const goOn = async (agent: string): Promise<number> => {
        let tasks = 0;
        for (; !isOver; tasks++) {
          const { body } = await answerTo(testbed, agent, `${agent}-${tasks}`, { add: 1 });
          expect(body.result).toBe(tasks + 2);
        }
        return tasks;
      };
      const [poison, ...done] = await Promise.all([
        answerTo(testbed, 'greedy', 'poison', { fill: true }).finally(() => {
          isOver = true;
        }),
        ...beside.map(goOn),
      ]);
      expect([poison.status, poison.body.error?.code]).toEqual([422, 'taskSetAside']);
      expect(Math.min(...done)).toBeGreaterThan(10);

      expect(await processes()).toEqual(before);
      expect((await answerTo(testbed, 'greedy', 'after', { add: 1 })).body.result).toBe(2);
      for (const [at, agent] of beside.entries()) {
        const { body } = await answerTo(testbed, agent, `after-${agent}`, { add: 1 });
        expect(body.result).toBe((done[at] ?? 0) + 2);
        const { body: tasks } = await testbed.call(admin, `/agents/${agent}/tasks`);
        expect((tasks as ReturnType<typeof agentTasksJson>).set_aside).toEqual([]);
      }
      const { body } = await testbed.call(admin, '/agents/greedy/tasks');
      expect((body as ReturnType<typeof agentTasksJson>).set_aside).toMatchObject([{ task: 'poison' }]);
    });
  });
});
