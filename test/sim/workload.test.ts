import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Outcome } from '../../node/core/operation.ts';
import { AcknowledgedTasks } from '../../sim/checkers/anytime-acknowledged-task.ts';
import { counter } from '../../sim/counter.ts';
import type { Running } from '../../sim/program.ts';
import { type ClientInput, type ClientLog, type ClientOutput, Workload } from '../../sim/workload.ts';
import { scriptedWorld } from './scripted-node.ts';

const context = { agent: 'counter', type: 'counter', epoch: 1, wallMs: () => 0, random: () => 0 };
const newCounter = (): Running => counter.start(context, undefined);

/** A single node that answers tasks out of its memory, leaves every fifth one unanswered, and may have a flaw. */
function service(flaw: 'none' | 'forgets answers' | 'loses effects') {
  let instance = newCounter();
  let { state } = instance;
  const remembered = new Map<string, Uint8Array>();
  let count = 0;
  const outcomeOf = (event: Event): Outcome | undefined => {
    if (event.type !== 'request') return undefined;
    const { operation } = event;
    if (operation.type === 'deploy') return { ok: true, result: { agents: [] } };
    if (operation.type === 'state') {
      return { ok: true, result: { agent: operation.agent, epoch: 1, sequence: 1, state } };
    }
    if (operation.type !== 'task') return undefined;
    if (flaw === 'loses effects' && count === 12) instance = newCounter();
    if (flaw === 'forgets answers' || !remembered.has(operation.task)) {
      const answer = instance.handle(operation.payload);
      ({ state } = answer);
      remembered.set(operation.task, answer.value);
    }
    count += 1;
    if (count % 5 === 0) return undefined;
    const value = remembered.get(operation.task) ?? new Uint8Array();
    return { ok: true, result: { agent: operation.agent, task: operation.task, value } };
  };
  return (event: Event): Effect[] => {
    const outcome = outcomeOf(event);
    return event.type === 'request' && outcome !== undefined
      ? [{ type: 'reply', request: event.request, outcome }]
      : [];
  };
}

function runWith(flaw: Parameters<typeof service>[0], log?: ClientLog) {
  const oracle = new AcknowledgedTasks();
  const { world } = scriptedWorld(service(flaw), { nodes: 1 });
  const workload = new Workload(world, oracle, { agents: 1, ttlMs: 500 }, log);
  workload.deploy(1_000);
  world.runFor(10_000);
  workload.stop();
  world.runUntil(() => workload.drained, 10_000);
  workload.judge(1_000);
  return { oracle, workload };
}

describe('the workload', () => {
  test('a service that keeps its promises passes, with lost answers tried again under the same id', () => {
    const { oracle, workload } = runWith('none');
    expect(oracle.acknowledgedCount()).toBeGreaterThan(20);
    expect(workload.slowestMs).toBeGreaterThan(1_000);
  });

  test('a service that runs a retried task twice is caught', () => {
    expect(() => runWith('forgets answers')).toThrow(/counted serial \d+, which was acknowledged, 2 times/);
  });

  test('a service that loses acknowledged effects is caught', () => {
    expect(() => runWith('loses effects')).toThrow(/effects were lost|the same total/);
  });

  test('its log has one call for each task and each read, and no more than one end of each', () => {
    const called = new Map<number, ClientInput>();
    const ended = new Map<number, ClientOutput | 'unknown'>();
    const end = (id: number, how: ClientOutput | 'unknown'): void => {
      expect(ended.has(id)).toBe(false);
      ended.set(id, how);
    };
    const { oracle } = runWith('none', {
      called: (_agent, _client, input) => called.set(called.size + 1, input).size,
      returned: end,
      unknown: (id) => end(id, 'unknown'),
      leaveOut: () => {},
    });
    const tasks = [...called].filter(([, input]) => input.type === 'task');
    const reads = [...called].filter(([, input]) => input.type === 'read');
    expect(tasks.length).toBe(oracle.acknowledgedCount());
    expect(reads.length).toBeGreaterThan(1);
    for (const [id, input] of called) expect(ended.get(id)).toMatchObject({ type: input.type });
  });
});

describe('the counter', () => {
  test('goes on from its checkpoint, and refuses what is no serial without counting it', () => {
    const encode = (text: string) => new TextEncoder().encode(text);
    const decode = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
    const first = newCounter();
    const { state } = first.handle(encode('{"serial":7}'));
    const second = counter.start(context, state);
    const answer = second.handle(encode('{"serial":8}'));
    expect(answer.ok).toBe(true);
    expect(decode(answer.value)).toEqual({ total: 2 });
    expect(decode(answer.state)).toEqual({ total: 2, counts: { 7: 1, 8: 1 } });
    const refused = second.handle(encode('{"serial":"x"}'));
    expect(refused).toMatchObject({ ok: false, state: answer.state });
    expect(() => second.handle(encode('no json'))).toThrow('JSON');
  });
});
