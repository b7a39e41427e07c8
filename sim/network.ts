import type { NodeId, Topic } from '../node/core/message.ts';
import type { Random } from './random.ts';
import { between, type Cut, Reach } from './reach.ts';
import type { Timeline } from './timeline.ts';

/** What the network tells a node. Frames are bytes: nothing is shared between nodes. */
export interface Port {
  /** False while the process stands still: its kernel takes bytes, but no handshake ends. */
  responsive(): boolean;
  connected(node: NodeId): void;
  /** The last connection to that node closed. */
  disconnected(node: NodeId): void;
  dialFailed(address: string): void;
  frame(from: NodeId, bytes: Uint8Array): void;
  gossip(from: NodeId, topic: Topic, bytes: Uint8Array): void;
}

export interface NetworkSettings {
  latencyMsMin: number;
  latencyMsMax: number;
  /** How often a message takes up to `tailMsMax` instead. */
  tailChance: number;
  tailMsMax: number;
  /** Direct frames that vanish although the connection lives. */
  lossChance: number;
  /** Direct frames that are overtaken by those behind them, up to `strayMsMax` late. */
  reorderChance: number;
  /** Direct frames that come a second time, up to `strayMsMax` late and out of order, as from an older connection. */
  strayChance: number;
  strayMsMax: number;
  gossipLossChance: number;
  /** Until a silent connection is noticed to be dead. */
  silenceMsMin: number;
  silenceMsMax: number;
  /** What a dial costs beyond the round trips. */
  handshakeMs: number;
}

export const defaultNetwork: NetworkSettings = {
  latencyMsMin: 0.2,
  latencyMsMax: 1.2,
  tailChance: 0.02,
  tailMsMax: 15,
  lossChance: 0,
  reorderChance: 0,
  strayChance: 0,
  strayMsMax: 2_000,
  gossipLossChance: 0.02,
  silenceMsMin: 8_000,
  silenceMsMax: 12_000,
  handshakeMs: 6,
};

/** When a dial is tried again below us, as TCP sends SYN again; after the last one it has failed. */
const dialTriesMs = [0, 1_000, 3_000, 7_000] as const;
const dialTimeoutMs = 10_000;
/** Frames that a connection holds back during a cut, each way; the rest is dropped. */
const heldMax = 10_000;
/** Neighbours to whom a node passes gossip on: gossipsub's mesh. */
const meshMax = 8;

/** Told of every direct frame; `lost`: it will not arrive. */
export type OnFrame = (from: NodeId, to: NodeId, type: string, lost: boolean) => void;

/** A connection. Each end knows only its own side: one may be closed while the other still looks open. */
interface Link {
  ends: readonly [NodeId, NodeId];
  open: Set<NodeId>;
  /** Latest arrival planned at an end: a stream keeps its order. */
  arrivesMs: Map<NodeId, number>;
  /** Frames for an end that wait for the cut to be over, as TCP would send them again. */
  held: Map<NodeId, Uint8Array[]>;
}

/** Connections, frames and gossip between the nodes of a world, and the cuts between them. */
export class Network {
  readonly #timeline: Timeline;
  readonly #random: Random;
  #settings: NetworkSettings;
  readonly #ports = new Map<NodeId, Port>();
  readonly #addresses = new Map<string, NodeId>();
  /** Each connection is found from both of its ends. */
  readonly #links = new Map<NodeId, Map<NodeId, Link>>();
  readonly #dialling = new Set<string>();
  readonly #reach = new Reach();
  /** How many times as long frames take between two nodes at present; both ways. */
  readonly #slow = new Map<string, number>();
  /** Cut directions whose frames are held back, as TCP does; those of others are lost. */
  readonly #holding = new Set<string>();
  onFrame: OnFrame | undefined;

  constructor(timeline: Timeline, random: Random, settings: NetworkSettings) {
    this.#timeline = timeline;
    this.#random = random;
    this.#settings = settings;
  }

  /** A node's process has started and listens. */
  attach(node: NodeId, addresses: readonly string[], port: Port): void {
    this.#ports.set(node, port);
    for (const address of addresses) this.#addresses.set(address, node);
  }

  /** A node's process is gone. With `notice` its kernel closes the connections, else its peers find out by silence. */
  detach(node: NodeId, notice: boolean): void {
    this.#ports.delete(node);
    for (const link of this.#linksOf(node)) {
      link.open.delete(node);
      const other = otherEnd(link, node);
      if (notice && !this.#reach.blocked(node, other)) this.#closeAfter(link, other, this.#latencyMs(node, other));
      else this.#closeAfter(link, other, this.#silenceMs());
    }
  }

  isConnected(node: NodeId, other: NodeId): boolean {
    return this.#link(node, other)?.open.has(node) ?? false;
  }

  /** Whether bytes get from one node to another, were there a connection. */
  reaches(from: NodeId, to: NodeId): boolean {
    return !this.#reach.blocked(from, to);
  }

  dial(from: NodeId, to: NodeId): void {
    if (from === to || this.isConnected(from, to)) return;
    this.#dial(from, () => to, `${from}>${to}`, undefined);
  }

  dialAddress(from: NodeId, address: string): void {
    this.#dial(from, () => this.#addresses.get(address), `${from}>${address}`, address);
  }

  /** The caller's end closes at once; the other end hears of it when a packet can tell it. */
  hangUp(from: NodeId, to: NodeId): void {
    const link = this.#link(from, to);
    if (link === undefined) return;
    this.#closeAfter(link, from, 0);
    const tells = !this.#reach.blocked(from, to);
    this.#closeAfter(link, to, tells ? this.#latencyMs(from, to) : this.#silenceMs());
  }

  /** `type` is for whoever watches; the network carries bytes. */
  send(from: NodeId, to: NodeId, bytes: Uint8Array, type = 'frame'): void {
    const link = this.#link(from, to);
    if (link === undefined || !link.open.has(from)) return this.onFrame?.(from, to, type, true);
    if (this.#random.chance(this.#settings.lossChance)) return this.onFrame?.(from, to, type, true);
    if (this.#reach.blocked(from, to)) {
      const holds = this.#holding.has(`${from}>${to}`);
      const held = link.held.get(to);
      if (holds && held !== undefined && held.length < heldMax) held.push(bytes);
      return this.onFrame?.(from, to, type, !holds);
    }
    // the other end forgot this connection: its kernel answers with a reset
    const forgotten = !link.open.has(to) && this.#ports.has(to);
    if (forgotten) this.#closeAfter(link, from, 2 * this.#latencyMs(from, to));
    else this.#carry(link, from, to, bytes);
    this.onFrame?.(from, to, type, forgotten);
  }

  /** Gossip spreads along a mesh of connections, each hop with its own delay and loss; nobody hears it twice. */
  publish(from: NodeId, topic: Topic, bytes: Uint8Array): void {
    const delays = new Map<NodeId, number>([[from, 0]]);
    for (const [node, delayMs] of delays) {
      if (node !== from && this.#ports.get(node)?.responsive() !== true) continue;
      for (const [next, link] of this.#mesh(node)) {
        if (delays.has(next) || link.open.size < 2 || this.#reach.blocked(node, next)) continue;
        if (this.#random.chance(this.#settings.gossipLossChance)) continue;
        delays.set(next, delayMs + this.#latencyMs(node, next));
      }
    }
    delays.delete(from);
    for (const [node, delayMs] of delays) {
      this.#timeline.after(delayMs, () => this.#ports.get(node)?.gossip(from, topic, bytes.slice()));
    }
  }

  /** Those to whom a node passes gossip on: some of its neighbours, others each time, when it has many. */
  #mesh(node: NodeId): Iterable<[NodeId, Link]> {
    const links = this.#links.get(node);
    if (links === undefined) return [];
    if (links.size <= meshMax) return links;
    const all = [...links];
    const start = this.#random.below(all.length);
    const stride = 1 + this.#random.below(Math.floor(all.length / meshMax));
    return Array.from({ length: meshMax }, (_, i) => all[(start + i * stride) % all.length] as [NodeId, Link]);
  }

  /** Cuts silently between groups of `everyone`; nodes named in none form one more. */
  partition(groups: readonly (readonly NodeId[])[], everyone: readonly NodeId[], holds: boolean): Cut {
    return this.cut(between(groups, everyone), holds);
  }

  /** Cuts some directions silently. With `holds`, frames come later, as TCP would have it; else they are lost. */
  cut(cut: Cut, holds = false): Cut {
    for (const [from, to] of cut) {
      if (holds) this.#holding.add(`${from}>${to}`);
      else this.#holding.delete(`${from}>${to}`);
    }
    this.#reach.cut(cut);
    this.#afterCut();
    return cut;
  }

  /** A fault is over; what another one cut too stays cut. */
  mend(cut: Cut): void {
    this.#reach.mend(cut);
    this.#afterMend();
  }

  /** All cuts are over. */
  heal(): void {
    this.#reach.heal();
    this.#afterMend();
  }

  /** From now on frames arrive once, in order, and none is lost. */
  calm(): void {
    this.#settings = { ...this.#settings, lossChance: 0, strayChance: 0, reorderChance: 0, gossipLossChance: 0 };
    this.#slow.clear();
  }

  /** From now on frames between two nodes take `times` as long; 1: as usual. */
  slow(one: NodeId, other: NodeId, times: number): void {
    for (const key of [`${one}>${other}`, `${other}>${one}`]) {
      if (times === 1) this.#slow.delete(key);
      else this.#slow.set(key, times);
    }
  }

  /** Connections that both ends still hold and that nothing cuts go on; half-open ones close. */
  #afterMend(): void {
    for (const link of this.#everyLink()) {
      const [one, other] = link.ends;
      if (this.#reach.blocked(one, other) || this.#reach.blocked(other, one)) continue;
      if (link.open.size === 2) {
        for (const [to, from] of [[one, other] as const, [other, one] as const]) {
          for (const bytes of link.held.get(to)?.splice(0) ?? []) this.#carry(link, from, to, bytes);
        }
      } else
        for (const end of link.open)
          if (this.#ports.has(otherEnd(link, end))) this.#closeAfter(link, end, this.#latencyMs(one, other));
    }
  }

  /** The connection between two nodes is reset; both notice. */
  reset(one: NodeId, other: NodeId): void {
    const link = this.#link(one, other);
    if (link === undefined) return;
    this.#closeAfter(link, one, this.#latencyMs(one, other));
    this.#closeAfter(link, other, this.#latencyMs(one, other));
  }

  /** One end loses the connection and hears of it; the other learns it from its own next frame. */
  halfReset(one: NodeId, other: NodeId): void {
    const link = this.#link(one, other);
    if (link !== undefined) this.#closeAfter(link, one, 0);
  }

  #dial(from: NodeId, target: () => NodeId | undefined, key: string, address: string | undefined): void {
    if (this.#dialling.has(key)) return;
    this.#dialling.add(key);
    const port = this.#ports.get(from);
    const end = (failed: boolean): void => {
      this.#dialling.delete(key);
      if (failed && address !== undefined && this.#ports.get(from) === port) port?.dialFailed(address);
    };
    const attempt = (turn: number): void => {
      if (this.#ports.get(from) !== port) return end(false);
      const to = target();
      const open = to !== undefined && !this.#reach.blocked(from, to) && !this.#reach.blocked(to, from);
      if (to === from) return end(false);
      if (to === undefined || (open && !this.#ports.has(to))) return end(true);
      if (open && this.#ports.get(to)?.responsive() === true && port?.responsive() === true) {
        end(false);
        return this.#connect(from, to);
      }
      const nextMs = dialTriesMs[turn + 1] ?? dialTimeoutMs;
      const waitMs = nextMs - (dialTriesMs[turn] ?? 0);
      this.#timeline.after(waitMs, () => (turn + 1 < dialTriesMs.length ? attempt(turn + 1) : end(true)));
    };
    const roundTrips = 3 * this.#latencyMs(from, target() ?? from);
    this.#timeline.after(roundTrips + this.#settings.handshakeMs, () => attempt(0));
  }

  /** Both ends hear of a new connection. What an end still held of an older one is closed before. */
  #connect(from: NodeId, to: NodeId): void {
    const old = this.#link(from, to);
    if (old?.open.size === 2) return;
    if (old !== undefined) for (const end of [...old.open]) this.#close(old, end);
    const link: Link = {
      ends: [from, to],
      open: new Set([from, to]),
      arrivesMs: new Map(),
      held: new Map([
        [from, []],
        [to, []],
      ]),
    };
    for (const [end, other] of [[from, to] as const, [to, from] as const]) {
      let links = this.#links.get(end);
      if (links === undefined) this.#links.set(end, (links = new Map()));
      links.set(other, link);
    }
    this.#ports.get(from)?.connected(to);
    this.#ports.get(to)?.connected(from);
  }

  #carry(link: Link, from: NodeId, to: NodeId, bytes: Uint8Array): void {
    const { strayChance, strayMsMax, reorderChance } = this.#settings;
    const arrive = (): void => {
      if (link.open.has(to)) this.#ports.get(to)?.frame(from, bytes);
    };
    const late = this.#random.chance(reorderChance) ? this.#random.between(0, strayMsMax) : undefined;
    let atMs = this.#timeline.nowMs + this.#latencyMs(from, to) + (late ?? 0);
    if (late === undefined) {
      atMs = Math.max(atMs, link.arrivesMs.get(to) ?? 0);
      link.arrivesMs.set(to, atMs);
    }
    this.#timeline.at(atMs, arrive);
    if (!this.#random.chance(strayChance)) return;
    this.#timeline.at(atMs + this.#random.between(0, strayMsMax), () => {
      if (link.open.has(to)) this.#ports.get(to)?.frame(from, bytes.slice());
    });
  }

  /** Every cut connection is noticed by silence, each end for itself, unless the cut is over before. */
  #afterCut(): void {
    for (const link of this.#everyLink()) {
      const [one, other] = link.ends;
      if (!this.#reach.blocked(one, other) && !this.#reach.blocked(other, one)) continue;
      for (const end of link.open) {
        this.#timeline.after(this.#silenceMs(), () => {
          if (this.#reach.blocked(one, other) || this.#reach.blocked(other, one)) this.#close(link, end);
        });
      }
    }
  }

  #closeAfter(link: Link, end: NodeId, delayMs: number): void {
    this.#timeline.after(delayMs, () => this.#close(link, end));
  }

  #close(link: Link, end: NodeId): void {
    if (!link.open.delete(end)) return;
    const [one, other] = link.ends;
    if (link.open.size === 0 && this.#link(one, other) === link) {
      this.#links.get(one)?.delete(other);
      this.#links.get(other)?.delete(one);
    }
    this.#ports.get(end)?.disconnected(otherEnd(link, end));
  }

  #link(one: NodeId, other: NodeId): Link | undefined {
    return this.#links.get(one)?.get(other);
  }

  #linksOf(node: NodeId): Link[] {
    return [...(this.#links.get(node)?.values() ?? [])];
  }

  #everyLink(): Set<Link> {
    return new Set([...this.#links.values()].flatMap((links) => [...links.values()]));
  }

  #latencyMs(from: NodeId, to: NodeId): number {
    const { latencyMsMin, latencyMsMax, tailChance, tailMsMax } = this.#settings;
    const times = this.#slow.size === 0 ? 1 : (this.#slow.get(`${from}>${to}`) ?? 1);
    if (this.#random.chance(tailChance)) return this.#random.between(latencyMsMax, tailMsMax) * times;
    return this.#random.between(latencyMsMin, latencyMsMax) * times;
  }

  #silenceMs(): number {
    return this.#random.between(this.#settings.silenceMsMin, this.#settings.silenceMsMax);
  }
}

function otherEnd(link: Link, end: NodeId): NodeId {
  return link.ends[0] === end ? link.ends[1] : link.ends[0];
}
