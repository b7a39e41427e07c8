import { generateKeyPair } from '@libp2p/crypto/keys';
import { generateKey } from '@libp2p/pnet';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Topic } from '../../node/core/message.ts';
import type { Transport } from '../../node/runtime/ports.ts';
import { createTransport, ListenFailed } from '../../node/runtime/transport.ts';

interface Heard {
  transport: Transport;
  connected: string[];
  disconnected: string[];
  failed: string[];
  frames: Uint8Array[];
  gossip: { from: string; topic: Topic; text: string }[];
}

const open: Transport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()));
});

function newKey(): Uint8Array {
  const key = new Uint8Array(95);
  generateKey(key);
  return key;
}

const sharedKey = newKey();

async function start(networkKey: Uint8Array = sharedKey): Promise<Heard> {
  const identity = await generateKeyPair('Ed25519');
  const transport = await createTransport({ identity, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], networkKey });
  open.push(transport);
  const heard: Heard = { transport, connected: [], disconnected: [], failed: [], frames: [], gossip: [] };
  await transport.start({
    connected: (node) => heard.connected.push(node),
    disconnected: (node) => heard.disconnected.push(node),
    dialFailed: (address) => heard.failed.push(address),
    frame: (_from, bytes) => heard.frames.push(bytes.slice()),
    gossip: (from, topic, bytes) => heard.gossip.push({ from, topic, text: Buffer.from(bytes).toString() }),
  });
  return heard;
}

async function pair(): Promise<[Heard, Heard]> {
  const [a, b] = [await start(), await start()];
  a.transport.dial(b.transport.self, b.transport.addresses());
  await vi.waitFor(
    () => expect([...a.connected, ...b.connected]).toEqual([b.transport.self, a.transport.self]),
    10_000,
  );
  return [a, b];
}

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe('the transport', () => {
  test('says in one line which address it cannot listen on', async () => {
    const { transport } = await start();
    const listen = [...transport.addresses(), '/ip4/127.0.0.1/tcp/0'];
    const identity = await generateKeyPair('Ed25519');
    const other = await createTransport({ identity, listen, announce: [], networkKey: sharedKey });
    open.push(other);
    const ignore = () => {};
    const events = { connected: ignore, disconnected: ignore, dialFailed: ignore, frame: ignore, gossip: ignore };
    const opening = other.start(events);
    await expect(opening).rejects.toThrow(ListenFailed);
    await expect(opening).rejects.toThrow(
      new RegExp(
        `^CONCLAVE_LISTEN has .*: ${listen[0]}: .*EADDRINUSE.* Nothing was started\\. .*CONCLAVE_LISTEN[^\n]*$`,
      ),
    );
  });

  test('brings frames over in order, both ways', async () => {
    const [a, b] = await pair();
    for (let n = 0; n < 500; n++) {
      a.transport.send(b.transport.self, bytes(n % 40, n % 251));
      b.transport.send(a.transport.self, bytes(3, n % 251));
    }
    await vi.waitFor(() => expect([a.frames.length, b.frames.length]).toEqual([500, 500]), 10_000);
    expect(b.frames.every((frame, n) => frame.length === n % 40 && frame.every((byte) => byte === n % 251))).toBe(true);
  });

  test('survives bursts of large frames that would break the cipher of the network key', async () => {
    const [a, b] = await pair();
    const c = await start();
    c.transport.dial(b.transport.self, b.transport.addresses());
    await vi.waitFor(() => expect(b.connected).toHaveLength(2), 10_000);
    for (let round = 0; round < 6; round++) {
      for (const one of [a, c]) one.transport.send(b.transport.self, bytes(2 * 1024 * 1024, round));
      for (const one of [a, c]) b.transport.send(one.transport.self, bytes(2 * 1024 * 1024, round));
    }
    await vi.waitFor(() => expect([a, b, c].map(({ frames }) => frames.length)).toEqual([6, 12, 6]), 20_000);
  });

  test('keeps out whoever has another network key', async () => {
    const a = await start();
    const stranger = await start(newKey());
    const [address = ''] = a.transport.addresses();
    stranger.transport.dialAddress(address);
    await vi.waitFor(() => expect(stranger.failed).toEqual([address]), 10_000);
    expect(a.connected).toEqual([]);
  });

  test('says which address it could not reach; its own is none of those', async () => {
    const a = await start();
    const [own = ''] = a.transport.addresses();
    const gone: string[] = [];
    for (const closed of [await start(), await start(), await start()]) {
      gone.push(...closed.transport.addresses());
      await closed.transport.stop();
    }
    // Dials are begun in order, two at a time: when the last has failed, those to itself are over as well.
    for (const address of [own, `${own}/p2p/${a.transport.self}`, ...gone]) a.transport.dialAddress(address);
    await vi.waitFor(() => expect(a.failed.length).toBeGreaterThanOrEqual(gone.length), 10_000);
    expect(a.failed.sort()).toEqual(gone.sort());
  });

  test('says once that a peer is gone, soon, and that it is back', async () => {
    const [a, b] = await pair();
    for (let round = 1; round <= 3; round++) {
      a.transport.hangUp(b.transport.self);
      await vi.waitFor(() => expect([a.disconnected.length, b.disconnected.length]).toEqual([round, round]), 10_000);
      b.transport.dial(a.transport.self, a.transport.addresses());
      await vi.waitFor(() => expect([a.connected.length, b.connected.length]).toEqual([round + 1, round + 1]), 10_000);
    }
  });

  test('stays connected once when both dial at the same moment', async () => {
    const [a, b] = [await start(), await start()];
    a.transport.dial(b.transport.self, b.transport.addresses());
    b.transport.dial(a.transport.self, a.transport.addresses());
    await vi.waitFor(() => expect(a.connected.length * b.connected.length).toBe(1), 10_000);
    a.transport.send(b.transport.self, bytes(5, 7));
    b.transport.send(a.transport.self, bytes(5, 8));
    await vi.waitFor(() => expect([a.frames.length, b.frames.length]).toEqual([1, 1]), 10_000);
    expect([a.disconnected, b.disconnected]).toEqual([[], []]);
  });

  test('gossips to everybody in a mesh of five, with the author known', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => start()));
    for (const one of all) {
      for (const other of all) {
        if (one.transport.self < other.transport.self)
          one.transport.dial(other.transport.self, other.transport.addresses());
      }
    }
    await vi.waitFor(() => expect(all.map(({ connected }) => connected.length)).toEqual([4, 4, 4, 4, 4]), 20_000);
    const [first] = all as [Heard];
    // A mesh takes a moment to form: the word is said until it has arrived.
    await vi.waitFor(() => {
      first.transport.publish('load', Buffer.from('busy'));
      for (const { gossip, transport } of all) {
        if (transport.self === first.transport.self) continue;
        expect(gossip[0]).toEqual({ from: first.transport.self, topic: 'load', text: 'busy' });
      }
    }, 20_000);
    expect(first.gossip).toEqual([]);
  });

  test('stops although its peers are gone', async () => {
    const [a, b] = await pair();
    await b.transport.stop();
    await a.transport.stop();
    a.transport.send(b.transport.self, bytes(1, 1));
  });
});
