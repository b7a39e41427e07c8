import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Outcome } from '../../node/core/operation.ts';
import { AcknowledgedTasks, type CounterState } from '../../sim/checkers/anytime-acknowledged-task.ts';
import { defaultFaults, Faults } from '../../sim/faults.ts';
import { counter, Workload } from '../../sim/workload.ts';
import { scriptedWorld } from './scripted-node.ts';

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** A single node that answers tasks out of its memory, leaves every fifth one unanswered, and may have a flaw. */
function service(flaw: 'none' | 'forgets answers' | 'loses effects') {
  let state = counter.init() as CounterState;
  const remembered = new Map<string, unknown>();
  let count = 0;
  const outcomeOf = (event: Event): Outcome | undefined => {
    if (event.type !== 'request') return undefined;
    const { operation } = event;
    if (operation.type === 'deploy') return { ok: true, result: { agents: [] } };
    if (operation.type === 'state') {
      return { ok: true, result: { agent: operation.agent, epoch: 1, sequence: 1, state: encode(state) } };
    }
    if (operation.type !== 'task') return undefined;
    if (flaw === 'loses effects' && count === 12) state = counter.init() as CounterState;
    if (flaw === 'forgets answers' || !remembered.has(operation.task)) {
      const answer = counter.handle(state, JSON.parse(new TextDecoder().decode(operation.payload)));
      state = answer.state as CounterState;
      remembered.set(operation.task, answer.value);
    }
    count += 1;
    if (count % 5 === 0) return undefined;
    const value = encode(remembered.get(operation.task));
    return { ok: true, result: { agent: operation.agent, task: operation.task, value } };
  };
  return (event: Event): Effect[] => {
    const outcome = outcomeOf(event);
    return event.type === 'request' && outcome !== undefined
      ? [{ type: 'reply', request: event.request, outcome }]
      : [];
  };
}

function runWith(flaw: Parameters<typeof service>[0]) {
  const oracle = new AcknowledgedTasks();
  const { world } = scriptedWorld(service(flaw), { nodes: 1 });
  const workload = new Workload(world, oracle, { agents: 1, ttlMs: 500 });
  workload.deploy(1_000);
  workload.start();
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
});

describe('the faults', () => {
  test('every kind strikes, and all is mended when they stop', () => {
    const { world } = scriptedWorld(() => [], { nodes: 5 });
    const faults = new Faults(world, { intervalMsMin: 50, intervalMsMax: 100 });
    world.run(100);
    faults.start();
    world.run(30_000);
    expect([...faults.counts.keys()].sort()).toEqual([...new Set(defaultFaults.kinds)].sort());
    expect(world.nodes.some((node) => world.host(node).state !== 'running')).toBe(true);
    faults.stop();
    world.runFor(60_000);
    expect(world.running).toEqual(world.nodes);
    expect(world.nodes.every((one) => world.nodes.every((other) => world.network.reaches(one, other)))).toBe(true);
  });
});
