import { type Context, reportLocally } from './context.ts';
import type { Contact, MessageOf, NodeId, Profile } from './message.ts';
import { limits } from './settings.ts';

/** A connected node that has introduced itself. */
export interface Peer {
  node: NodeId;
  boot: number;
  profile: Profile;
  /** Cluster it belongs to; empty when none yet. */
  cluster: string;
}

interface Known {
  addresses: string[];
  /** When it was last tried or lost, ms. */
  triedMs: number;
  lostMs: number;
}

/**
 * Who is connected, who is known, and the loop that never gives up reaching the rest. Of two nodes the lower id dials;
 * the other one helps when that did not work for a while. Bounded by `contactsMax`.
 */
export class Peers {
  readonly #context: Context;
  readonly #join: readonly string[];
  readonly #incarnation: () => number;
  readonly #known = new Map<NodeId, Known>();
  readonly #connected = new Set<NodeId>();
  readonly #introduced = new Map<NodeId, Peer>();
  /** When this node last introduced itself to whom it is connected to. */
  readonly #introducedMs = new Map<NodeId, number>();
  /** Bootstrap addresses already said to be out of reach since this node was last connected to anybody. */
  readonly #outOfReach = new Set<string>();
  #joinTriedMs = Number.NEGATIVE_INFINITY;
  /** Set once everybody who matters is met: then bootstrap addresses are dialled only when nobody is connected. */
  settled = false;

  /** `incarnation` tells this node's present one. */
  constructor(context: Context, join: readonly string[], incarnation: () => number) {
    this.#context = context;
    this.#incarnation = incarnation;
    this.#join = join;
  }

  isConnected(node: NodeId): boolean {
    return this.#connected.has(node);
  }

  connected(): Iterable<NodeId> {
    return this.#connected;
  }

  peer(node: NodeId): Peer | undefined {
    return this.#introduced.get(node);
  }

  /** Connected nodes that have introduced themselves. */
  peers(): Peer[] {
    return [...this.#introduced.values()];
  }

  onConnected(node: NodeId): void {
    this.#connected.add(node);
    this.#outOfReach.clear();
    this.introduce(node);
  }

  /** Tells a connected node who this one is and whom it knows. The cluster's id travels in the envelope. */
  introduce(node: NodeId): void {
    const { boot, profile, out, nowMs } = this.#context;
    this.#introducedMs.set(node, nowMs);
    const known: Contact[] = [];
    for (const [other, { addresses }] of this.#known) {
      if (other !== node && known.length < 256) known.push({ node: other, addresses });
    }
    const wants = !this.#introduced.has(node);
    const incarnation = this.#incarnation();
    out.send(node, { type: 'hello', body: { boot, profile, known, wants, incarnation } });
  }

  introduceToAll(): void {
    for (const node of this.#connected) this.introduce(node);
  }

  onDisconnected(node: NodeId): void {
    this.#connected.delete(node);
    this.#introduced.delete(node);
    this.#introducedMs.delete(node);
    const known = this.#known.get(node);
    if (known !== undefined) {
      known.lostMs = this.#context.nowMs;
      known.triedMs = this.#context.nowMs;
    }
  }

  /** Says once that a bootstrap address cannot be reached, while nobody else is: one way in is enough. */
  onDialFailed(address: string): void {
    if (this.#connected.size > 0 || this.#outOfReach.has(address) || !this.#join.includes(address)) return;
    this.#outOfReach.add(address);
    const text =
      `cannot reach the join address ${address}. Nothing was changed; it is tried again until a node answers. ` +
      'See that a node listens there, that the address is right, and that both have the same network key';
    reportLocally(this.#context, 'dialFailed', text, { address });
  }

  onHello(from: NodeId, cluster: string, hello: MessageOf<'hello'>): void {
    if (hello.profile === undefined) return;
    this.#introduced.set(from, { node: from, boot: hello.boot, profile: hello.profile, cluster });
    this.learn(from, hello.profile.addresses);
    for (const contact of hello.known) this.learn(contact.node, contact.addresses);
    if (hello.wants) this.introduce(from);
  }

  /** Remembers where a node can be reached. */
  learn(node: NodeId, addresses: readonly string[]): void {
    if (node === this.#context.self || addresses.length === 0) return;
    const known = this.#known.get(node);
    if (known !== undefined) {
      known.addresses = [...addresses];
      return;
    }
    if (this.#known.size >= limits.contactsMax) {
      reportLocally(this.#context, 'contactsFull', `node ${node} is not remembered: ${limits.contactsMax} are known`);
      return;
    }
    this.#known.set(node, {
      addresses: [...addresses],
      triedMs: Number.NEGATIVE_INFINITY,
      lostMs: this.#context.nowMs,
    });
  }

  forget(node: NodeId): void {
    this.#known.delete(node);
  }

  /** The dials that are due. */
  tick(): void {
    const { nowMs, out, settings, self } = this.#context;
    for (const [node, known] of this.#known) {
      if (this.#connected.has(node) || nowMs - known.triedMs < settings.rejoinIntervalMs) continue;
      const mine = self < node || nowMs - known.lostMs > 3 * settings.rejoinIntervalMs;
      if (!mine) continue;
      known.triedMs = nowMs;
      out.push({ type: 'dial', node, addresses: known.addresses });
    }
    for (const node of this.#connected) {
      const silent = !this.#introduced.has(node);
      if (silent && nowMs - (this.#introducedMs.get(node) ?? 0) >= settings.rejoinIntervalMs) this.introduce(node);
    }
    const lonely = this.#connected.size === 0 || !this.settled;
    if (lonely && nowMs - this.#joinTriedMs >= settings.rejoinIntervalMs) {
      this.#joinTriedMs = nowMs;
      for (const address of this.#join) out.push({ type: 'dialAddress', address });
    }
  }
}
