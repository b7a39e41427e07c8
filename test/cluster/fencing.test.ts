import { describe, expect, test } from 'vitest';
import { findPython } from '../python.ts';
import { OutsideLedger, problemsOf } from './outside-ledger.ts';
import { deskSource, settled } from './storm.ts';
import { Testbed } from './testbed.ts';

const python = findPython();
const runtimes = python === undefined ? (['worker'] as const) : (['worker', 'process'] as const);
/** A node that wakes up may hear of its successor before its agent has written: then there is nothing to refuse. */
const roundsMax = 5;

interface Stage {
  testbed: Testbed;
  ledger: OutsideLedger;
  agent: string;
}

/** Sends a task through nodes other than one, under one id, until it is acknowledged. */
async function give({ testbed, ledger, agent }: Stage, id: string, not: string): Promise<unknown> {
  const payload = { symbol: 'MSFT', price: 39.81, ledger: `http://127.0.0.1:${ledger.port}`, gate: true };
  let result: unknown;
  await testbed.until(`${id} is acknowledged`, async () => {
    for (const { name, admin } of testbed.nodes) {
      if (name === not) continue;
      const body = { id, payload, ttl_ms: 20_000 };
      const answer = await testbed.call(admin, `/agents/${agent}/tasks`, body, 21_000).catch(() => undefined);
      if (answer?.status !== 200) continue;
      ({ result } = answer.body as { result: unknown });
      return true;
    }
    return false;
  });
  return result;
}

/** The host stands still in the middle of a task, and wakes up when another has done it. Returns whether it then wrote. */
async function outlive(stage: Stage, task: string, count: number): Promise<boolean> {
  const { testbed, ledger, agent } = stage;
  const { agents } = await settled(testbed, runtimes.length);
  const host = agents.find(({ id }) => id === agent)?.host_name ?? '';
  const result = give(stage, task, host);
  const standsAt = async (after: number): Promise<number> => {
    let epoch = 0;
    await testbed.until(`${agent} is in the middle of ${task}`, async () => {
      epoch = ledger.waiting(agent).find((one) => one > after) ?? 0;
      return epoch > 0;
    });
    return epoch;
  };
  const older = await standsAt(0);
  await testbed.fleet.pause(host);
  const newer = await standsAt(older);
  ledger.open(agent, newer);
  expect(await result).toMatchObject({ symbol: 'MSFT', count });
  // What it waited for comes while it stands still, so that it is the first that it does.
  ledger.open(agent, older);
  await testbed.fleet.unpause(host);
  await settled(testbed, runtimes.length);
  const late = ledger.effects.filter(({ epoch, accepted }) => epoch === older && !accepted);
  expect(ledger.effects.filter((one) => one.task === task && one.accepted).map(({ epoch }) => epoch)).toEqual([newer]);
  return late.length > 0;
}

describe('a host that stands still in the middle of a task', () => {
  test('comes too late with its older epoch, whatever its agent runs in', { timeout: 300_000 }, async () => {
    const ledger = await OutsideLedger.open();
    const programs = python === undefined ? {} : { interpreters: [`python3=${python.program}`] };
    const story = async (testbed: Testbed): Promise<void> => {
      await testbed.up(3);
      for (const runtime of runtimes) {
        const code = runtime === 'worker' ? {} : { runtime, interpreter: 'python3' };
        const order = { agent_type: runtime, name: runtime, source: await deskSource(runtime), ...code };
        const deployed = await testbed.call(testbed.nodes[0]?.admin ?? '', '/agents/deploy', order, 30_000);
        expect(deployed.status).toBe(201);
      }
      for (const agent of runtimes) {
        let tasks = 0;
        let isRefused = false;
        while (!isRefused && tasks < roundsMax) {
          tasks += 1;
          isRefused = await outlive({ testbed, ledger, agent }, `${agent}-${tasks}`, tasks);
        }
        expect(isRefused, `${agent}: an older epoch was refused`).toBe(true);
        const acknowledged = Array.from({ length: tasks }, (_, at) => `${agent}/${agent}-${at + 1}`);
        expect(problemsOf(ledger.effects, acknowledged)).toEqual([]);
      }
    };
    try {
      await Testbed.with('processes', story, { programs });
    } finally {
      await ledger.close();
    }
  });
});
