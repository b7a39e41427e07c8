import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import { stateAfter } from '../state-after.ts';
import { jsonProgram } from './json-program.ts';
import { scriptedWorld, typesAt } from './scripted-node.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('agents of a world', () => {
  const add = jsonProgram(0, (state, payload) => {
    if (payload === 'fail') throw new Error('not that');
    return { state: state + Number(payload), value: 'added' };
  });
  const start: Effect = { type: 'startAgent', agent: 'a', agentType: 'add', epoch: 4, source: '', state: bytes('10') };
  const run = (task: string, payload: string): Effect => ({
    type: 'runTask',
    agent: 'a',
    epoch: 4,
    task,
    deadlineMs: 1e9,
    payload: bytes(payload),
  });

  test('an instance starts from its checkpoint and runs its tasks one after the other', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'agentStarted') return [run('t1', '5'), run('t2', '"fail"'), run('t3', '1')];
        return event.type === 'wake' && init.id === 'n1' ? [start] : [];
      },
      { programs: { add } },
    );
    world.run(500);
    expect(world.instances()).toEqual([{ node: 'n1', agent: 'a', epoch: 4 }]);
    const decoder = new TextDecoder();
    let state: Uint8Array = bytes('10');
    const said = seen.flatMap(({ event }) => {
      if (event.type === 'agentStarted') return [`started ${decoder.decode(event.state)}`];
      if (event.type !== 'taskRan') return [];
      state = stateAfter(state, event.state);
      return [`${event.task} ${event.ok} ${decoder.decode(event.value)} ${decoder.decode(state)}`];
    });
    expect(said).toEqual([
      'started 10',
      't1 true "added" 15',
      't2 false {"reason":"not that"} 15',
      't3 true "added" 16',
    ]);
  });

  test('a stopped instance is silent, a crashed one says so, and all die with their node', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (init.id === 'n2') return event.type === 'wake' ? [start] : [];
        if (event.type === 'wake') return [start, run('t1', '1'), { type: 'stopAgent', agent: 'a', epoch: 4 }];
        return event.type === 'request' ? [{ ...start, agentType: 'unheard' } as Effect] : [];
      },
      { programs: { add } },
    );
    world.run(500);
    expect(typesAt(seen, 'n1')).toEqual(['wake']);
    world.request('n1', { type: 'status' });
    world.host('n2').failAgent('a', 4, 'boom');
    world.run(600);
    expect(typesAt(seen, 'n1').at(-1)).toBe('agentFailed');
    expect(typesAt(seen, 'n2').at(-1)).toBe('agentFailed');
    world.crash('n2');
    world.restart('n2');
    world.run(601);
    expect(world.instances()).toEqual([{ node: 'n2', agent: 'a', epoch: 4 }]);
    world.crash('n2');
    expect(world.instances()).toEqual([]);
  });

  test('an instance that throws is lost with its state, and its node is told why', () => {
    const start: Effect = { type: 'startAgent', agent: 'a', agentType: 'add', epoch: 4, source: '', state: undefined };
    const broken = {
      state: bytes('0'),
      handle: () => {
        throw new Error('out of its mind');
      },
    };
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'agentStarted') return [run('t1', '1'), run('t2', '1')];
        return event.type === 'wake' && init.id === 'n1' ? [start] : [];
      },
      { programs: { add: { start: () => broken } } },
    );
    world.run(500);
    expect(world.instances()).toEqual([]);
    const failed = seen.flatMap(({ event }) => (event.type === 'agentFailed' ? [event.reason] : []));
    expect(failed).toEqual(['out of its mind']);
    expect(typesAt(seen, 'n1')).not.toContain('taskRan');
  });

  test('an instance hears of a cancelled task while it is at it, and what it tells comes before its answer', () => {
    const heard: boolean[] = [];
    const teller = {
      state: bytes('0'),
      handle(payload: Uint8Array, cancelled = false) {
        heard.push(cancelled);
        return { ok: true, value: payload, state: bytes('0'), progress: cancelled ? [] : [bytes('1'), bytes('2')] };
      },
    };
    const cancel = (epoch: number, task: string): Effect => ({ type: 'cancelTask', agent: 'a', epoch, task });
    const many = 20;
    const next = (at: number): Effect[] => {
      if (at === many) return [run('last', '0'), cancel(3, 'last'), cancel(4, 'another')];
      return at < many ? [run(`t${at}`, '0'), cancel(4, `t${at}`)] : [];
    };
    let done = 0;
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'agentStarted') return next(0);
        if (event.type === 'taskRan') return next(++done);
        return event.type === 'wake' && init.id === 'n1' ? [start] : [];
      },
      { programs: { add: { start: () => teller } } },
    );
    world.run(500);
    // Some are given up before the code comes to them, which is the other way to hear of it.
    const hearing = heard.filter((cancelled) => cancelled).length;
    expect(hearing).toBeGreaterThan(0);
    expect(hearing).toBeLessThan(many);
    expect(heard.at(-1)).toBe(false);
    expect(typesAt(seen, 'n1').slice(-4)).toEqual(['taskRan', 'taskProgress', 'taskProgress', 'taskRan']);
  });

  test('an instance that hangs fails when its time for a task is over, a slow one answers late', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'wake') return [start];
        return event.type === 'request' ? [run(init.id, '1')] : [];
      },
      { programs: { add }, runner: { runMsMin: 10, runMsMax: 10, taskTimeoutMs: 5_000 } },
    );
    world.run(1_000);
    world.host('n1').runner?.hang('a', 4);
    world.host('n2').runner?.slow('a', 4, 50);
    for (const node of world.nodes) world.request(node, { type: 'status' });
    world.run(1_499);
    expect(world.instances().map(({ task }) => task)).toEqual(['n1', 'n2']);
    world.run(1_500);
    expect(typesAt(seen, 'n2').at(-1)).toBe('taskRan');
    world.run(5_999);
    expect(typesAt(seen, 'n1').at(-1)).toBe('request');
    world.run(6_000);
    expect(seen.at(-1)?.event).toMatchObject({
      type: 'agentFailed',
      reason: expect.stringContaining('within 5000 ms'),
    });
  });
});
