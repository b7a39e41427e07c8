import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import { guarded } from '../../sim/guard.ts';
import { connectFromFirst, probesAt, scriptedWorld, send, typesAt } from './scripted-node.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const persist = (id: number, key: string, value = 'x'): Effect => ({
  type: 'persist',
  id,
  writes: [{ key, value: bytes(value) }],
});
const outcome = { ok: false as const, error: { code: 'leaderUnknown' as const, message: '', details: {} } };
const reply = (request: string): Effect => ({ type: 'reply', request, outcome });

describe('the order of effects', () => {
  test('what stands behind a persist waits for the disk, and the node hears of it before', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) =>
        event.type === 'request' ? [persist(1, 'a'), reply(event.request)] : connectFromFirst(event, init),
      { disk: { syncMsMin: 50, syncMsMax: 50, stallChance: 0 } },
    );
    world.run(1_000);
    const asked = world.request('n1', { type: 'status' });
    world.run(1_049);
    expect(asked.state).toBe('waiting');
    expect(world.host('n1').disk.read('a')).toBeUndefined();
    world.run(1_050);
    expect(asked.state).toBe('answered');
    expect(world.host('n1').disk.read('a')).toEqual(bytes('x'));
    expect(typesAt(seen, 'n1')).toEqual(['wake', 'connected', 'request', 'persisted']);
  });

  test('an urgent send passes a persist, a later ordinary one does not', () => {
    let turn = 0;
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type !== 'request') return connectFromFirst(event, init);
        turn += 1;
        return turn === 1
          ? [persist(1, 'a'), send('n2', 1), send('n2', 2, true)]
          : [send('n2', 3), send('n2', 4, true)];
      },
      { disk: { syncMsMin: 100, syncMsMax: 100, stallChance: 0 } },
    );
    world.run(1_000);
    world.request('n1', { type: 'status' });
    world.run(1_010);
    world.request('n1', { type: 'status' });
    world.run(1_090);
    expect(probesAt(seen, 'n2')).toEqual([2, 4]);
    world.run(2_000);
    expect(probesAt(seen, 'n2')).toEqual([2, 4, 1, 3]);
  });

  test('a crash keeps what was durable and loses or keeps the batch on its way as a whole', () => {
    const outcomes = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { world } = scriptedWorld(
        (event) =>
          event.type === 'request'
            ? [
                persist(1, 'first'),
                { type: 'persist', id: 2, writes: ['x', 'y'].map((key) => ({ key, value: bytes('v') })) },
              ]
            : [],
        { seed: `crash ${i}`, disk: { syncMsMin: 10, syncMsMax: 10, stallChance: 0 } },
      );
      world.run(100);
      world.request('n1', { type: 'status' });
      world.run(115);
      world.crash('n1');
      world.restart('n1');
      outcomes.add([...world.host('n1').disk.load().keys()].sort().join(' '));
    }
    expect([...outcomes].sort()).toEqual(['first', 'first x y']);
  });

  test('a restarted node reads its disk, a wiped one finds nothing', () => {
    const loaded: string[][] = [];
    const { world } = scriptedWorld((event, _at, init) => {
      if (event.type !== 'wake' || init.id !== 'n1') return [];
      loaded.push([...init.records.keys()]);
      return [persist(1, `start-${loaded.length}`)];
    });
    world.run(100);
    world.crash('n1');
    world.restart('n1');
    world.run(200);
    world.wipe('n1');
    world.run(300);
    expect(loaded).toEqual([[], ['start-1'], []]);
  });

  test('exit ends the process, and those connected to it notice', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'stop'
        ? [{ type: 'exit', code: 3, reason: 'done' }, send('n2', 1)]
        : connectFromFirst(event, init),
    );
    world.run(1_000);
    const asked = world.request('n1', { type: 'status' });
    world.stop('n1');
    world.run(1_100);
    expect(world.exits).toEqual([{ node: 'n1', code: 3, reason: 'done' }]);
    expect(world.host('n1').state).toBe('off');
    expect(asked.state).toBe('lost');
    expect(typesAt(seen, 'n2')).toEqual(['wake', 'connected', 'disconnected']);
    expect(probesAt(seen, 'n2')).toEqual([]);
  });
});

describe('time in a world', () => {
  test('a node wakes no earlier than it asked, and only for its latest wish', () => {
    const { world, seen } = scriptedWorld((event, at) =>
      event.type === 'wake' && seen.length <= 2
        ? [
            { type: 'wakeAt', atMs: at.nowMs + 10 },
            { type: 'wakeAt', atMs: at.nowMs + 500 },
          ]
        : [],
    );
    world.run(2_000);
    const wakes = seen.filter(({ node, event }) => node === 'n1' && event.type === 'wake');
    expect(wakes).toHaveLength(2);
    const waited = (wakes[1]?.nowMs ?? 0) - (wakes[0]?.nowMs ?? 0);
    expect(waited).toBeGreaterThanOrEqual(500);
    expect(waited).toBeLessThan(505);
  });

  test('a node that always asks for now does not stop time', () => {
    const { world } = scriptedWorld((_event, at) => [{ type: 'wakeAt', atMs: at.nowMs }]);
    world.run(1_000);
    expect(world.nowMs).toBe(1_000);
  });

  test('what reaches a paused node waits, and its clock has jumped when it goes on', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send('n2', 1)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.pause('n2');
    world.request('n1', { type: 'status' });
    world.run(16_000);
    expect(probesAt(seen, 'n2')).toEqual([]);
    expect(typesAt(seen, 'n1')).not.toContain('disconnected');
    world.resume('n2');
    world.run(16_001);
    expect(probesAt(seen, 'n2')).toEqual([1]);
    const arrived = seen.find(({ event }) => event.type === 'message');
    const started = seen.find(({ node }) => node === 'n2');
    expect((arrived?.nowMs ?? 0) - (started?.nowMs ?? 0)).toBeGreaterThanOrEqual(15_999);
  });

  test('waiting for what does not come fails with the seed and the last events', () => {
    const { world } = scriptedWorld(() => []);
    expect(() => world.runUntil(() => false, 500, 'a miracle')).toThrow(/seed mechanics .* a miracle[^]*n1 <- wake/);
  });

  test('a node that throws fails the run with its seed and stack', () => {
    const { world } = scriptedWorld((event) => {
      if (event.type === 'load') throw new Error('no load for me');
      return [];
    });
    expect(() => world.run(1_000)).toThrow(/seed mechanics [^]*no load for me/);
  });

  test('the same seed gives the same trace, another seed another', () => {
    const hashOf = (seed: string) => {
      const { world } = scriptedWorld(
        (event, _at, init) => (event.type === 'connected' ? [send(event.node, 1)] : connectFromFirst(event, init)),
        { seed, nodes: 4 },
      );
      world.run(3_000);
      return world.trace.hash();
    };
    expect(hashOf('a')).toBe(hashOf('a'));
    expect(hashOf('a')).not.toBe(hashOf('b'));
  });
});

describe('the guard around a world', () => {
  test.each([
    ['Date.now', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['setTimeout', () => setTimeout(() => {}, 1)],
    ['crypto.randomUUID', () => crypto.randomUUID()],
  ])('%s throws while nodes run and works again after', (name, use) => {
    const { world } = scriptedWorld((event) => {
      if (event.type === 'load') use();
      return [];
    });
    expect(() => world.run(100)).toThrow(`${name} was used inside the simulated world`);
    expect(() => {
      const timer = use();
      if (name === 'setTimeout') clearTimeout(timer as ReturnType<typeof setTimeout>);
    }).not.toThrow();
  });

  test('a given moment can still be turned into a date', () => {
    expect(guarded(() => new Date(0).toISOString())).toBe('1970-01-01T00:00:00.000Z');
  });
});

describe('agents of a world', () => {
  const add = {
    init: () => 0,
    handle: (state: unknown, payload: unknown) => {
      if (payload === 'fail') throw new Error('not that');
      return { state: Number(state) + Number(payload), value: 'added' };
    },
  };
  const start: Effect = { type: 'startAgent', agent: 'a', agentType: 'add', epoch: 4, source: '', state: bytes('10') };
  const run = (task: string, payload: string): Effect => ({
    type: 'runTask',
    agent: 'a',
    epoch: 4,
    task,
    payload: bytes(payload),
  });

  test('an instance starts from its checkpoint and runs its tasks one after the other', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) =>
        event.type === 'wake' && init.id === 'n1' ? [start, run('t1', '5'), run('t2', '"fail"'), run('t3', '1')] : [],
      { behaviours: { add } },
    );
    world.run(500);
    expect(world.instances()).toEqual([{ node: 'n1', agent: 'a', epoch: 4 }]);
    const decoder = new TextDecoder();
    const said = seen.flatMap(({ event }) => {
      if (event.type === 'agentStarted') return [`started ${decoder.decode(event.state)}`];
      if (event.type !== 'taskRan') return [];
      return [`${event.task} ${event.ok} ${decoder.decode(event.value)} ${decoder.decode(event.state)}`];
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
      { behaviours: { add } },
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
});
