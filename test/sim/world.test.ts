import { describe, expect, test } from 'vitest';
import type { Effect, EffectOf } from '../../node/core/effect.ts';
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

  test('an urgent reply passes a persist, an ordinary one does not', () => {
    for (const urgent of [true, false]) {
      const { world } = scriptedWorld(
        (event, _at, init) =>
          event.type === 'request'
            ? [persist(1, 'a'), { ...(reply(event.request) as EffectOf<'reply'>), urgent }]
            : connectFromFirst(event, init),
        { disk: { syncMsMin: 100, syncMsMax: 100, stallChance: 0 } },
      );
      world.run(1_000);
      const asked = world.request('n1', { type: 'status' });
      world.run(1_090);
      expect(asked.outcome !== undefined).toBe(urgent);
      world.run(2_000);
      expect(asked.outcome).toBeDefined();
    }
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

  test('an urgent send leaves before what its own event sends in order', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send('n2', 1), send('n2', 2), send('n2', 3, true)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.request('n1', { type: 'status' });
    world.run(2_000);
    expect(probesAt(seen, 'n2')).toEqual([3, 1, 2]);
  });

  test('batches that wait while the disk is busy are synced as one, and what stands between them keeps its place', () => {
    const batches: string[][] = [];
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type !== 'request') return connectFromFirst(event, init);
        const turn = Number(event.request.slice(1));
        return [persist(turn, `k${turn}`), send('n2', turn)];
      },
      {
        disk: { syncMsMin: 50, syncMsMax: 50, stallChance: 0 },
        checkers: [{ durable: (_node, writes) => void batches.push(writes.map(({ key }) => key)) }],
      },
    );
    world.run(1_000);
    for (let turn = 1; turn <= 4; turn++) {
      world.request('n1', { type: 'status' });
      world.runFor(10);
    }
    expect(batches).toEqual([]);
    world.run(1_051);
    expect(batches).toEqual([['k1']]);
    world.run(1_101);
    expect(batches).toEqual([['k1'], ['k2', 'k3', 'k4']]);
    const persisted = seen.flatMap(({ event }) => (event.type === 'persisted' ? [event.id] : []));
    expect(persisted).toEqual([1, 2, 3, 4]);
    world.run(1_200);
    expect(probesAt(seen, 'n2')).toEqual([1, 2, 3, 4]);
  });

  test('what a node wants after a batch is durable takes its place behind what already waits', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'request') return [persist(1, 'a'), send('n2', 1), persist(2, 'b'), send('n2', 2)];
        return event.type === 'persisted' && event.id === 1 ? [send('n2', 3)] : connectFromFirst(event, init);
      },
      { disk: { syncMsMin: 5, syncMsMax: 5, stallChance: 0 } },
    );
    world.run(1_000);
    world.request('n1', { type: 'status' });
    world.run(2_000);
    expect(probesAt(seen, 'n2')).toEqual([1, 2, 3]);
  });

  test('a crash keeps what was durable and loses or keeps the batch on its way as a whole', () => {
    const outcomes = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { world } = scriptedWorld(
        (event) => {
          if (event.type === 'request') return [persist(1, 'first')];
          const writes = ['x', 'y'].map((key) => ({ key, value: bytes('v') }));
          return event.type === 'persisted' && event.id === 1 ? [{ type: 'persist', id: 2, writes }] : [];
        },
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

  test('a restarted node reads its disk; one that replaces a lost one is another node, and finds nothing', () => {
    const loaded: [string, string, ...string[]][] = [];
    const { world } = scriptedWorld((event, _at, { id, profile, records }) => {
      if (event.type !== 'wake' || id === 'n2') return [];
      loaded.push([id, profile.addresses[0] ?? '', ...records.keys()]);
      return [persist(1, `start-${loaded.length}`)];
    });
    world.run(100);
    world.crash('n1');
    world.restart('n1');
    world.run(200);
    expect(world.replace('n1')).toBe('n3');
    world.run(300);
    const address = '/ip4/10.0.0.1/tcp/4001';
    expect(loaded).toEqual([
      ['n1', address],
      ['n1', address, 'start-1'],
      ['n3', address],
    ]);
    expect(world.nodes).toEqual(['n2', 'n3']);
    expect([...world.gone]).toEqual(['n1']);
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
    expect(world.exits).toEqual([{ node: 'n1', why: 'exit', code: 3, reason: 'done' }]);
    expect(world.host('n1').state).toBe('off');
    expect(asked.state).toBe('lost');
    expect(typesAt(seen, 'n2')).toEqual(['wake', 'connected', 'disconnected']);
    expect(probesAt(seen, 'n2')).toEqual([]);
  });
});

describe('the answers of a node', () => {
  test('go to whoever asked it, once: a second one, or one to nobody, is a violation', () => {
    const { world } = scriptedWorld((event) =>
      event.type === 'request' ? [reply(event.request), ...(event.request === 'q2' ? [reply('q2')] : [])] : [],
    );
    world.run(100);
    const told: string[] = [];
    world.request('n1', { type: 'status' }, ({ id, state }) => told.push(`${id} ${state}`));
    world.run(200);
    expect(told).toEqual(['q1 answered']);
    world.request('n1', { type: 'status' });
    expect(() => world.run(300)).toThrow('anytime-one-answer: n1 answered q2, which waits for none');
  });

  test('are lost with it, for all that it was asked and has not answered', () => {
    const { world } = scriptedWorld(() => []);
    world.run(100);
    const asked = [world.request('n1', { type: 'status' }), world.request('n2', { type: 'status' })];
    world.run(200);
    world.crash('n1');
    expect(asked.map(({ state }) => state)).toEqual(['lost', 'waiting']);
    expect(world.request('n1', { type: 'status' }).state).toBe('lost');
  });
});

describe('a process whose disk lets it down', () => {
  test.each(['error', 'full'] as const)(
    'ends with code 74, and says nothing of what was not written (%s)',
    (trouble) => {
      const { world, seen } = scriptedWorld((event, _at, init) =>
        event.type === 'request' ? [persist(1, 'a'), send('n2', 1)] : connectFromFirst(event, init),
      );
      world.run(1_000);
      world.setDiskTrouble('n1', trouble);
      const asked = world.request('n1', { type: 'status' });
      world.run(2_000);
      expect(world.exits).toEqual([{ node: 'n1', why: 'diskFailed', code: 74, reason: `the disk: ${trouble}` }]);
      expect(asked.state).toBe('lost');
      expect(probesAt(seen, 'n2')).toEqual([]);
      world.setDiskTrouble('n1', undefined);
      world.restart('n1');
      world.run(3_000);
      expect(world.running).toEqual(['n1', 'n2']);
    },
  );

  test('does not start from records that are not what was written: it ends with code 65', () => {
    const { world, seen } = scriptedWorld((event) => (event.type === 'wake' ? [persist(1, 'a')] : []));
    world.run(1_000);
    world.crash('n1');
    const before = seen.length;
    expect(world.host('n1').disk.rot(world.random.fork('rot'))).toBe('a');
    world.restart('n1');
    world.run(1_001);
    expect(world.exits).toEqual([
      { node: 'n1', why: 'diskDamaged', code: 65, reason: 'the record "a" is not what was written' },
    ]);
    expect(seen.slice(before).filter(({ node }) => node === 'n1')).toEqual([]);
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

  test('a suspended machine believes that no time has passed, though its wall clock knows better', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send('n2', 1)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.pause('n2', true);
    world.request('n1', { type: 'status' });
    world.run(16_000);
    world.resume('n2');
    world.run(16_001);
    expect(probesAt(seen, 'n2')).toEqual([1]);
    const arrived = seen.find(({ event }) => event.type === 'message');
    const started = seen.find(({ node }) => node === 'n2');
    expect((arrived?.nowMs ?? 0) - (started?.nowMs ?? 0)).toBeLessThan(1_002);
    expect((arrived?.wallMs ?? 0) - (started?.wallMs ?? 0)).toBeGreaterThanOrEqual(15_999);
  });

  test('an overloaded machine takes one thing after the other, each in its time', () => {
    const { world, seen } = scriptedWorld(() => []);
    world.run(1_010);
    world.host('n1').serviceMs = 20;
    for (let i = 0; i < 5; i++) world.request('n1', { type: 'status' });
    world.run(1_500);
    const times = seen.flatMap(({ event, atMs }) => (event.type === 'request' ? [Math.round(atMs)] : []));
    expect(times).toEqual([1_030, 1_050, 1_070, 1_090, 1_110]);
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
