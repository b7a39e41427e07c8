import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Connection, Ed25519PrivateKey, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { NodeId, Topic } from '../core/message.ts';
import { frameBytesMax } from '../core/wire/codec.ts';
import { FrameReader } from './frame.ts';
import { directProtocol, Link } from './link.ts';
import { guardWithKey } from './network-key.ts';
import { noiseCrypto } from './noise-crypto.ts';
import type { Transport, TransportEvents } from './ports.ts';
import { SendTurns } from './send-turns.ts';
import { saveWindowUpdates } from './window-updates.ts';

export interface TransportInit {
  identity: Ed25519PrivateKey;
  /** Multiaddrs to listen on. */
  listen: readonly string[];
  /** Multiaddrs under which others reach this node; empty: those that it listens on. */
  announce: readonly string[];
  /** Pre-shared key of the network: without it nobody gets past the first bytes. */
  networkKey: Uint8Array | undefined;
}

/** The network cannot be opened at the addresses that were set. */
export class ListenFailed extends Error {
  override readonly name = 'ListenFailed';

  constructor(reason: string) {
    super(
      `CONCLAVE_LISTEN has an address that cannot be listened on: ${reason}. Nothing was started. ` +
        'Free that port, or set CONCLAVE_LISTEN to an address of this machine with a free one.',
    );
  }
}

const dialTimeoutMs = 3_000;
const dialsMax = 2;
const dialQueueMax = 256;
const stopTimeoutMs = 1_000;
/** Two connections made within this time are both sides' dials at the same moment. */
const staleAfterMs = 2_000;
const linkRetryMs = 10;
const linkFailuresMax = 5;
const gossipBytesMax = 64 * 1024;
const connectionsMax = 1_000;
const topics: Record<Topic, string> = { members: 'conclave/1/members', load: 'conclave/1/load' };

type Libp2p = Awaited<ReturnType<typeof create>>;

/** Everything that libp2p would do by itself about reconnecting, pruning and punishing is off: that is the core's. */
function create({ identity, listen, announce, networkKey }: TransportInit) {
  return createLibp2p({
    start: false,
    privateKey: identity,
    addresses: { listen: [...listen], announce: [...announce] },
    transports: [tcp()],
    connectionEncrypters: [noise({ crypto: noiseCrypto })],
    streamMuxers: [yamux()],
    ...(networkKey && { connectionProtector: guardWithKey(networkKey) }),
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: (peer) => peer.type !== 'Ed25519',
      denyOutboundEncryptedConnection: (peer) => peer.type !== 'Ed25519',
    },
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: connectionsMax,
      maxIncomingPendingConnections: 200,
      inboundConnectionThreshold: 1_000,
      reconnectRetries: 0,
      dialTimeout: dialTimeoutMs,
      addressDialTimeout: dialTimeoutMs,
      maxParallelDials: 4,
      connectionCloseTimeout: 500,
    },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        emitSelf: false,
        allowPublishToZeroTopicPeers: true,
        fallbackToFloodsub: false,
        maxInboundDataLength: 4 * gossipBytesMax,
        // Many nodes behind one address are normal here: a default score would silence them.
        scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
      }),
    },
  });
}

/** The live network: libp2p over TCP, one long-lived stream out to each peer for direct frames, gossipsub for topics. */
class Libp2pTransport implements Transport {
  readonly self: NodeId;
  readonly #libp2p: Libp2p;
  readonly #announce: readonly string[];
  readonly #links = new Map<NodeId, Link>();
  readonly #turns = new SendTurns();
  readonly #connected = new Set<NodeId>();
  /** Times in a row that the stream to a peer could not be kept. */
  readonly #failures = new Map<NodeId, number>();
  readonly #dialing = new Set<string>();
  #dials: { key: string; run: () => Promise<void> }[] = [];
  #dialsInFlight = 0;
  #events: TransportEvents | undefined;
  #stopped = false;

  constructor(libp2p: Libp2p, announce: readonly string[]) {
    this.#libp2p = libp2p;
    this.#announce = announce;
    this.self = libp2p.peerId.toString();
  }

  addresses(): string[] {
    if (this.#announce.length > 0) return [...this.#announce];
    return this.#libp2p.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/[^/]+$/, ''));
  }

  async start(events: TransportEvents): Promise<void> {
    this.#events = events;
    const limit = { maxInboundStreams: 16, maxOutboundStreams: 16 };
    await this.#libp2p.handle(directProtocol, (stream, connection) => this.#onStream(stream, connection), limit);
    this.#libp2p.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail));
    this.#libp2p.addEventListener('connection:close', ({ detail }) => this.#onClose(detail));
    const { pubsub } = this.#libp2p.services;
    pubsub.addEventListener('message', ({ detail }) => {
      const topic = (Object.keys(topics) as Topic[]).find((name) => topics[name] === detail.topic);
      if (topic === undefined || detail.type !== 'signed' || detail.data.byteLength > gossipBytesMax) return;
      events.gossip(detail.from.toString(), topic, detail.data);
    });
    await this.#open();
    for (const topic of Object.values(topics)) pubsub.subscribe(topic);
  }

  async #open(): Promise<void> {
    try {
      await this.#libp2p.start();
    } catch (error) {
      const { name, message } = error as Error;
      throw name === 'UnsupportedListenAddressesError' ? new ListenFailed(whyNoListener(message)) : error;
    }
  }

  // ---- connections ----

  #onOpen(connection: Connection): void {
    if (this.#stopped) return;
    const node = connection.remotePeer.toString();
    let link = this.#links.get(node);
    if (link === undefined) {
      const events = { up: () => this.#onUp(node), failed: () => this.#onLinkFailed(node, connection.remotePeer) };
      link = new Link(events, this.#turns);
      this.#links.set(node, link);
    }
    const before = link.connection;
    void link.open(connection);
    // Nobody dials a peer that it is connected to: the other side has lost the old connection, if this one has not.
    if (before !== undefined && Date.now() - before.timeline.open > staleAfterMs) before.abort(new Error('replaced'));
  }

  #onUp(node: NodeId): void {
    this.#failures.delete(node);
    if (this.#connected.has(node)) return;
    this.#connected.add(node);
    this.#events?.connected(node);
  }

  /** The stream is gone: it is opened again over what connection there is, later each time; then the peer is let go. */
  #onLinkFailed(node: NodeId, peer: PeerId): void {
    const failures = (this.#failures.get(node) ?? 0) + 1;
    this.#failures.set(node, failures);
    if (failures > linkFailuresMax) {
      this.hangUp(node);
      return;
    }
    const reopen = () => {
      const link = this.#links.get(node);
      if (link === undefined || this.#stopped) return;
      const [open] = this.#libp2p.getConnections(peer).filter((connection) => connection.status === 'open');
      if (open === undefined) this.#drop(node);
      else void link.open(open);
    };
    setTimeout(reopen, linkRetryMs * 2 ** (failures - 1)).unref();
  }

  #onClose(connection: Connection): void {
    const node = connection.remotePeer.toString();
    const link = this.#links.get(node);
    if (link === undefined) return;
    const rest = this.#libp2p
      .getConnections(connection.remotePeer)
      .filter((other) => other.id !== connection.id && other.status === 'open');
    const [other] = rest;
    if (other === undefined) this.#drop(node);
    else if (link.connection?.id === connection.id) {
      link.close();
      void link.open(other);
    }
  }

  #drop(node: NodeId): void {
    this.#links.get(node)?.close();
    this.#links.delete(node);
    this.#failures.delete(node);
    if (this.#connected.delete(node)) this.#events?.disconnected(node);
  }

  #onStream(stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString();
    stream.inactivityTimeout = Number.MAX_SAFE_INTEGER;
    saveWindowUpdates(stream);
    const reader = new FrameReader(frameBytesMax, (frame) => {
      // What still comes out of a closed connection's buffers comes after `disconnected`: too late to be news.
      if (connection.status === 'open') this.#events?.frame(from, frame);
    });
    stream.addEventListener('message', ({ data }) => {
      try {
        if (data instanceof Uint8Array) reader.push(data);
        else for (const chunk of data) reader.push(chunk);
      } catch (error) {
        // Nothing behind an oversized frame can be read: the connection starts anew.
        connection.abort(error as Error);
      }
    });
  }

  // ---- what the node wants ----

  dial(node: NodeId, addresses: readonly string[]): void {
    if (this.#connected.has(node)) return;
    this.#queueDial(node, async () => {
      const peer = peerIdFromString(node);
      const targets = addresses.slice(0, 8).map((address) => multiaddr(`${address}/p2p/${peer.toString()}`));
      await this.#libp2p.dial(targets, { signal: AbortSignal.timeout(dialTimeoutMs) });
    });
  }

  dialAddress(address: string): void {
    this.#queueDial(address, async () => {
      try {
        await this.#libp2p.dial(multiaddr(address), { signal: AbortSignal.timeout(dialTimeoutMs) });
      } catch (error) {
        // Nodes may all be given the same addresses to join by, their own among them.
        if (!/dial self/i.test((error as Error).message)) this.#events?.dialFailed(address);
      }
    });
  }

  #queueDial(key: string, run: () => Promise<void>): void {
    if (this.#stopped || this.#dialing.has(key) || this.#dials.length >= dialQueueMax) return;
    this.#dialing.add(key);
    this.#dials.push({ key, run });
    this.#nextDial();
  }

  #nextDial(): void {
    while (this.#dialsInFlight < dialsMax && !this.#stopped) {
      const dial = this.#dials.shift();
      if (dial === undefined) return;
      this.#dialsInFlight += 1;
      const over = () => {
        this.#dialsInFlight -= 1;
        this.#dialing.delete(dial.key);
        this.#nextDial();
      };
      // A failed dial is nothing to report: whoever wanted it tries again.
      dial.run().then(over, over);
    }
  }

  hangUp(node: NodeId): void {
    for (const connection of this.#libp2p.getConnections(peerIdFromString(node))) {
      connection.abort(new Error('hung up'));
    }
    this.#drop(node);
  }

  send(node: NodeId, bytes: Uint8Array): void {
    this.#links.get(node)?.send(bytes);
  }

  publish(topic: Topic, bytes: Uint8Array): void {
    if (this.#stopped || bytes.byteLength > gossipBytesMax) return;
    // Gossip may be lost; what must arrive is sent directly.
    this.#libp2p.services.pubsub.publish(topics[topic], bytes).catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#dials = [];
    for (const link of this.#links.values()) link.close();
    for (const connection of this.#libp2p.getConnections()) connection.abort(new Error('this node stops'));
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, stopTimeoutMs).unref());
    await Promise.race([Promise.resolve(this.#libp2p.stop()).catch(() => {}), timeout]);
  }
}

/** The lines that name an address and what is wrong with it, out of a text that also has the stacks. */
function whyNoListener(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith('/')).join('; ') || (lines[0] ?? '');
}

/** Makes the transport; `start` opens it, or rejects with `ListenFailed`. Rejects when the keys cannot be used. */
export async function createTransport(init: TransportInit): Promise<Transport> {
  return new Libp2pTransport(await create(init), init.announce);
}
