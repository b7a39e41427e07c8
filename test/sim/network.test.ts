import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { NodeInit } from '../../node/core/node.ts';
import type { NetworkSettings } from '../../sim/network.ts';
import { connectFromFirst, probe, probesAt, scriptedWorld, send, typesAt } from './scripted-node.ts';

describe('connections of a world', () => {
  test('a dial connects both ends', () => {
    const { world, seen } = scriptedWorld((event, _at, init) => connectFromFirst(event, init));
    world.run(1_000);
    expect(typesAt(seen, 'n1')).toEqual(['wake', 'connected']);
    expect(typesAt(seen, 'n2')).toEqual(['wake', 'connected']);
  });

  test('an address is found by its node; an unknown one fails, the own one leads nowhere', () => {
    const { world, seen } = scriptedWorld((event, _at, init) => {
      if (event.type !== 'wake' || init.id !== 'n1') return [];
      const addresses = ['/ip4/10.0.0.1/tcp/4001', '/ip4/10.0.0.2/tcp/4001', '/ip4/10.9.9.9/tcp/4001'];
      return addresses.map((address) => ({ type: 'dialAddress', address }));
    });
    world.run(1_000);
    const failed = seen.flatMap(({ event }) => (event.type === 'dialFailed' ? [event.address] : []));
    expect(failed).toEqual(['/ip4/10.9.9.9/tcp/4001']);
    expect(typesAt(seen, 'n2')).toContain('connected');
  });

  test('frames of one direction arrive in the order in which they were sent, whatever their delays', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'connected' && init.id === 'n1') return Array.from({ length: 200 }, (_, i) => send('n2', i));
        return connectFromFirst(event, init);
      },
      { network: { tailChance: 0.3, tailMsMax: 200 } },
    );
    world.run(5_000);
    expect(probesAt(seen, 'n2')).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('a received message shares no object with the one that was sent', () => {
    const sent = probe(7);
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'connected' && init.id === 'n1'
        ? [{ type: 'send', to: 'n2', message: sent, urgent: true, cluster: 'test' }]
        : connectFromFirst(event, init),
    );
    world.run(1_000);
    const received = seen.find(({ event }) => event.type === 'message')?.event;
    if (received?.type !== 'message') throw new Error('no message arrived');
    expect(received.cluster).toBe('test');
    expect(received.message).toEqual(sent);
    expect(received.message.body).not.toBe(sent.body);
  });

  test('a crash is noticed at once by those who were connected, a loss of power only by silence', () => {
    for (const [how, least, most] of [
      ['noticed', 0, 50],
      ['silent', 7_000, 13_000],
    ] as const) {
      const { world, seen } = scriptedWorld((event, _at, init) => connectFromFirst(event, init));
      world.run(1_000);
      world.crash('n2', how);
      world.run(20_000);
      const noticed = seen.find(({ node, event }) => node === 'n1' && event.type === 'disconnected');
      expect(noticed?.atMs).toBeGreaterThanOrEqual(1_000 + least);
      expect(noticed?.atMs).toBeLessThan(1_000 + most);
    }
  });

  test('a silent cut swallows frames, and each end notices only after a long silence', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send(init.id === 'n1' ? 'n2' : 'n1', 1)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.partition([['n1']]);
    world.request('n1', { type: 'status' });
    world.run(6_000);
    expect(typesAt(seen, 'n1')).not.toContain('disconnected');
    world.run(20_000);
    expect(typesAt(seen, 'n1')).toContain('disconnected');
    expect(typesAt(seen, 'n2')).toContain('disconnected');
    world.heal();
    world.run(30_000);
    expect(probesAt(seen, 'n2')).toEqual([]);
  });

  test('a short cut may hold frames back and deliver them after the heal, in order', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send('n2', 1), send('n2', 2)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.partition([['n1']], 'held');
    world.request('n1', { type: 'status' });
    world.run(3_000);
    expect(probesAt(seen, 'n2')).toEqual([]);
    world.heal();
    world.run(4_000);
    expect(probesAt(seen, 'n2')).toEqual([1, 2]);
  });

  test('hanging up during a cut closes one end; the other learns it after the heal', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [{ type: 'hangUp', node: 'n2' }] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.partition([['n1']]);
    world.request('n1', { type: 'status' });
    world.run(2_000);
    expect(typesAt(seen, 'n1')).toContain('disconnected');
    expect(typesAt(seen, 'n2')).not.toContain('disconnected');
    world.heal();
    world.run(2_100);
    expect(typesAt(seen, 'n2')).toContain('disconnected');
  });

  test('a cut of one direction lets the other through', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send(init.id === 'n1' ? 'n2' : 'n1', 1)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.cut('n1', 'n2');
    world.request('n1', { type: 'status' });
    world.request('n2', { type: 'status' });
    world.run(2_000);
    expect(probesAt(seen, 'n1')).toEqual([1]);
    expect(probesAt(seen, 'n2')).toEqual([]);
  });

  test('a dial during a cut succeeds after the heal, as TCP tries again', () => {
    const { world, seen } = scriptedWorld((event, _at, init) => connectFromFirst(event, init));
    world.partition([['n1']]);
    world.run(1_500);
    expect(typesAt(seen, 'n1')).toEqual(['wake']);
    world.heal();
    world.run(3_500);
    expect(typesAt(seen, 'n1')).toEqual(['wake', 'connected']);
  });

  test('gossip reaches nodes that are connected only through others, and nobody beyond a cut', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'wake' && init.id !== 'n3') {
          return [{ type: 'dial', node: init.id === 'n1' ? 'n2' : 'n3', addresses: [] }];
        }
        return event.type === 'request'
          ? [{ type: 'publish', topic: 'members', message: probe(1), cluster: 'test' }]
          : [];
      },
      { nodes: 3, network: { gossipLossChance: 0 } },
    );
    world.run(1_000);
    world.request('n1', { type: 'status' });
    world.run(2_000);
    const heard = () => seen.filter(({ event }) => event.type === 'gossip').map(({ node }) => node);
    expect(heard()).toEqual(['n2', 'n3']);
    world.partition([['n3']]);
    world.request('n1', { type: 'status' });
    world.run(3_000);
    expect(heard()).toEqual(['n2', 'n3', 'n2']);
  });

  test('mending one cut leaves closed what another one cuts, too', () => {
    const { world } = scriptedWorld((event, _at, init) => connectFromFirst(event, init), { nodes: 3 });
    const open = () =>
      ['n1>n2', 'n2>n1', 'n1>n3', 'n2>n3'].filter((way) => {
        const [from = '', to = ''] = way.split('>');
        return world.network.reaches(from, to);
      });
    const one = world.partition([['n1']]);
    const other = world.cut('n1', 'n2');
    expect(open()).toEqual(['n2>n3']);
    world.mend(one);
    expect(open()).toEqual(['n2>n1', 'n1>n3', 'n2>n3']);
    world.mend(other);
    world.mend(other);
    expect(open()).toHaveLength(4);
    world.cut('n1', 'n2');
    expect(open()).not.toContain('n1>n2');
    world.heal();
    expect(open()).toHaveLength(4);
  });
});

describe('what a network does to single frames', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i);
  const sender = (event: Event, init: NodeInit): Effect[] =>
    event.type === 'request' ? hundred.map((i) => send('n2', i)) : connectFromFirst(event, init);

  function arrivals(network: Partial<NetworkSettings>, calm = false): number[] {
    const { world, seen } = scriptedWorld((event, _at, init) => sender(event, init), { network });
    world.run(1_000);
    if (calm) world.network.calm();
    world.request('n1', { type: 'status' });
    world.run(10_000);
    return probesAt(seen, 'n2');
  }

  test('it loses some', () => {
    const there = arrivals({ lossChance: 0.3 });
    expect(there.length).toBeGreaterThan(40);
    expect(there.length).toBeLessThan(95);
    expect(there).toEqual([...there].sort((a, b) => a - b));
  });

  test('it lets some come a second time, late', () => {
    const there = arrivals({ strayChance: 0.3 });
    expect(there.length).toBeGreaterThan(105);
    expect([...new Set(there)]).toHaveLength(100);
  });

  test('it lets some be overtaken, and loses none of them', () => {
    const there = arrivals({ reorderChance: 0.3 });
    expect(there).not.toEqual(hundred);
    expect(there.toSorted((a, b) => a - b)).toEqual(hundred);
  });

  test('it does none of this from when it is calm', () => {
    expect(arrivals({ lossChance: 0.3, strayChance: 0.3, reorderChance: 0.3 }, true)).toEqual(hundred);
  });

  test('a slow link takes its time both ways, others do not, and it ends', () => {
    const { world, seen } = scriptedWorld(
      (event, _at, init) => {
        if (event.type === 'request') return init.id === 'n1' ? [send('n2', 1), send('n3', 1)] : [send('n1', 1)];
        return connectFromFirst(event, init);
      },
      { nodes: 3, network: { latencyMsMin: 1, latencyMsMax: 1, tailChance: 0 } },
    );
    world.run(1_000);
    world.network.slow('n1', 'n2', 300);
    world.request('n1', { type: 'status' });
    world.request('n2', { type: 'status' });
    world.run(1_299);
    expect(probesAt(seen, 'n3')).toEqual([1]);
    expect([...probesAt(seen, 'n1'), ...probesAt(seen, 'n2')]).toEqual([]);
    world.run(1_301);
    expect([...probesAt(seen, 'n1'), ...probesAt(seen, 'n2')]).toEqual([1, 1]);
    world.network.slow('n1', 'n2', 1);
    world.request('n2', { type: 'status' });
    world.run(1_303);
    expect(probesAt(seen, 'n1')).toEqual([1, 1]);
  });

  test('one end may lose a connection: the other learns it when its next frame is answered by a reset', () => {
    const { world, seen } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send('n1', 1)] : connectFromFirst(event, init),
    );
    world.run(1_000);
    world.network.halfReset('n1', 'n2');
    world.run(5_000);
    expect(typesAt(seen, 'n1')).toContain('disconnected');
    expect(typesAt(seen, 'n2')).not.toContain('disconnected');
    world.request('n2', { type: 'status' });
    world.run(5_100);
    expect(probesAt(seen, 'n1')).toEqual([]);
    expect(typesAt(seen, 'n2').at(-1)).toBe('disconnected');
  });

  test('whoever watches is told of every frame, and whether it arrives', () => {
    const told: string[] = [];
    const { world } = scriptedWorld((event, _at, init) =>
      event.type === 'request' ? [send('n2', 1)] : connectFromFirst(event, init),
    );
    world.network.onFrame = (from, to, type, lost) => told.push(`${from} ${to} ${type} ${lost ? 'lost' : 'arrives'}`);
    world.run(1);
    world.request('n1', { type: 'status' });
    world.run(1_000);
    world.request('n1', { type: 'status' });
    world.run(2_000);
    world.cut('n1', 'n2');
    world.request('n1', { type: 'status' });
    world.run(2_001);
    expect(told).toEqual(['n1 n2 probe lost', 'n1 n2 probe arrives', 'n1 n2 probe lost']);
  });
});
