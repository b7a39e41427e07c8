import { describe, expect, test } from 'vitest';
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
});
