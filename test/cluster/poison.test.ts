import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { agentTasksJson } from '../../node/api/views.ts';
import { limits } from '../../node/core/settings.ts';
import { Testbed } from './testbed.ts';

/**
 * Counts what it is given. One task ends the whole node, as a fault in native code would, and first
 * writes a line to a file: how often it was begun is known to the letter.
 */
const sourceFor = (begunFile: string): string => `
import { appendFileSync } from 'node:fs';
export default {
  init: () => ({ total: 0 }),
  handle(state, task, { epoch }) {
    if (task.kill) {
      appendFileSync(${JSON.stringify(begunFile)}, epoch + '\\n');
      process.kill(process.ppid, 'SIGKILL');
    }
    state.total += task.add;
    return { state, result: state.total };
  },
};`;

type Answer = { status: number; body: { result?: number; error?: { code: string; details: Record<string, unknown> } } };

/** Sends a task to whichever node answers, again and again under its id. */
async function answerTo(testbed: Testbed, id: string, payload: object): Promise<Answer> {
  let answer: Answer | undefined;
  await testbed.until(`task ${id} is answered`, async () => {
    for (const { admin } of testbed.nodes) {
      try {
        const body = { id, payload, ttl_ms: 3_000 };
        const got = (await testbed.call(admin, '/agents/fragile/tasks', body)) as Answer;
        if (![503, 504].includes(got.status)) {
          answer = got;
          return true;
        }
      } catch {
        // This node has just been killed.
      }
    }
    return false;
  });
  return answer as Answer;
}

describe('a task that kills the process of every host', () => {
  test('is set aside after a few of them, and nothing else is lost', { timeout: 240_000 }, async () => {
    await Testbed.with('processes', async (testbed) => {
      await testbed.up(3);
      const begunFile = join(tmpdir(), `conclave-poison-${process.pid}`);
      onTestFinished(() => rm(begunFile, { force: true }));
      const deploy = { agent_type: 'fragile', name: 'fragile', source: sourceFor(begunFile) };
      const deployed = await testbed.call(testbed.nodes[0]?.admin ?? '', '/agents/deploy', deploy);
      expect(deployed.status).toBe(201);
      expect((await answerTo(testbed, 'before', { add: 1 })).body.result).toBe(1);

      let isOver = false;
      /** Starts again what died, as a container engine would. */
      const doctor = async (): Promise<void> => {
        // Once more when it is over: the last one to die may have died right before.
        for (let isLast = false; !isLast; await delay(100)) {
          isLast = isOver;
          for (const { name, state } of await testbed.fleet.list()) {
            if (state !== 'running') await testbed.fleet.start(name);
          }
        }
      };
      const [poison] = await Promise.all([
        answerTo(testbed, 'poison', { kill: true }).finally(() => {
          isOver = true;
        }),
        doctor(),
      ]);
      expect([poison.status, poison.body.error?.code]).toEqual([422, 'taskSetAside']);
      const epochs = (await readFile(begunFile, 'utf8')).trim().split('\n');
      // The first is begun without care; of the rest each was made durable before.
      expect(epochs.length).toBeLessThanOrEqual(limits.taskTriesMax + 1);
      expect(epochs.length).toBeGreaterThanOrEqual(limits.taskTriesMax);
      expect(new Set(epochs).size).toBe(epochs.length);

      expect((await answerTo(testbed, 'after', { add: 1 })).body.result).toBe(2);
      const { admin } = testbed.nodes[0] as { admin: string };
      const listed = async () => (await testbed.call(admin, '/agents/fragile/tasks').catch(() => undefined))?.body;
      await testbed.until('the task is listed', async () => {
        const body = (await listed()) as ReturnType<typeof agentTasksJson> | undefined;
        return body?.set_aside?.some(({ task }) => task === 'poison') === true;
      });
    });
  });
});
