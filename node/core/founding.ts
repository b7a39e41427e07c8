import { type Context, reportLocally } from './context.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Peers } from './peers.ts';
import { keys, writeJson } from './records.ts';
import { chooseFounders } from './voters.ts';

/** More asks than a process makes before it is restarted. */
const roundsPerBoot = 2 ** 24;

export interface FoundingEvents {
  /** This node founds: write the first configuration with these voters and begin. */
  found(cluster: string, voters: NodeId[]): void;
}

/**
 * How a cluster begins exactly once, also when all its nodes start at the same moment.
 *
 * A node gives its pledge, durably, to one founder: "I join only the cluster that you found". The lowest id among
 * `expect` nodes that see each other asks for the pledges and founds once it holds all of them. A founder that meets a
 * lower id before it has founded gives every pledge back, and so does one that meets a cluster, which it joins. Two founders
 * would need a pledge from the same node; it gives one. A founder that dies with pledges in hand takes them up again when it
 * restarts; until then nothing is founded, and nothing is lost because nothing existed.
 */
export class Founding {
  readonly #context: Context;
  readonly #peers: Peers;
  readonly #expect: number;
  readonly #events: FoundingEvents;
  /** The founder this node is pledged to; empty when to none. */
  #pledge: NodeId;
  /** It has begun to, and does not go back. */
  #founds = false;
  #pledgeDurable = true;
  /** Grows with every ask of this node, across its starts. */
  #round: number;
  /** Rounds before this one belong to an attempt that was given up. */
  #attemptRound = Number.POSITIVE_INFINITY;
  /** The round in which the founder, whose pledge this node gave, asked for it last. */
  #pledgeRound = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  #releasedMs = Number.NEGATIVE_INFINITY;
  readonly #granted = new Set<NodeId>();

  constructor(context: Context, peers: Peers, expect: number, pledge: NodeId, events: FoundingEvents) {
    this.#context = context;
    this.#peers = peers;
    this.#expect = expect;
    this.#pledge = pledge;
    this.#events = events;
    this.#round = context.boot * roundsPerBoot;
  }

  /** Whether this node may join a cluster founded by whoever made that id. */
  mayJoin(cluster: string): boolean {
    return this.#pledge === '' || cluster.endsWith(founderMark(this.#pledge));
  }

  tick(): void {
    if (this.#founds) return;
    const { nowMs, self, settings, out } = this.#context;
    const others = this.#unfounded();
    if (this.#pledge !== self && nowMs - this.#releasedMs >= settings.rejoinIntervalMs) {
      // Whoever is still pledged to this node, which does not found, is let go; a release may have been lost.
      this.#releasedMs = nowMs;
      for (const node of others) out.send(node, { type: 'foundRelease', body: { round: this.#round } });
    }
    if (this.#expect === 0) return;
    const isFounder = others.every((node) => self < node) && !this.#peers.peers().some(({ cluster }) => cluster !== '');
    if (this.#pledge === self && !isFounder) this.#giveUp();
    if (!isFounder || others.length < this.#expect - 1) return;
    if (this.#pledge !== '' && this.#pledge !== self) return;
    if (nowMs - this.#askedMs < settings.retryIntervalMs) return;
    this.#askedMs = nowMs;
    this.#round += 1;
    if (this.#pledge === '') this.#keep(self);
    if (this.#attemptRound > this.#round) this.#attemptRound = this.#round;
    this.#foundIfPledged();
    for (const node of others) out.send(node, { type: 'foundAsk', body: { round: this.#round } });
  }

  onAsk(from: NodeId, { round }: MessageOf<'foundAsk'>): void {
    const lower = [this.#context.self, ...this.#unfounded()].find((node) => node < from);
    const free = this.#pledge === '' && lower === undefined && this.#expect > 0;
    if (free) this.#keep(from);
    const granted = this.#pledge === from;
    if (granted) this.#pledgeRound = Math.max(this.#pledgeRound, round);
    const body = { round, granted, pledgedTo: this.#pledge };
    this.#context.out.send(from, { type: 'foundPledge', body });
  }

  /** A late answer to an attempt that was given up counts nothing: that pledge was given back since. */
  onPledge(from: NodeId, { round, granted }: MessageOf<'foundPledge'>): void {
    if (this.#founds || this.#pledge !== this.#context.self || !granted || round < this.#attemptRound) return;
    this.#granted.add(from);
    this.#foundIfPledged();
  }

  /** The founder that this node is pledged to has not founded and lets it go. */
  onRelease(from: NodeId, { round }: MessageOf<'foundRelease'>): void {
    if (this.#pledge === from && round >= this.#pledgeRound) this.#keep('');
  }

  #foundIfPledged(): void {
    const { self, random } = this.#context;
    const founders = [self, ...[...this.#granted].sort().filter((node) => node !== self)].slice(0, this.#expect);
    if (founders.length < this.#expect || !this.#pledgeDurable) return;
    const nonce = Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
    this.#founds = true;
    // The others join it as everybody does who comes later.
    const { profile, settings } = this.#context;
    const sites = founders.map((node) => (node === self ? profile : this.#peers.peer(node)?.profile)?.site ?? '');
    const siteOf = new Map(founders.map((node, at) => [node, sites[at] ?? '']));
    this.#events.found(nonce + founderMark(self), chooseFounders(self, siteOf, settings.votersMax));
  }

  #giveUp(): void {
    reportLocally(this.#context, 'foundingYielded', 'another node founds the cluster, or has: it is joined');
    this.#keep('');
    this.#granted.clear();
    this.#attemptRound = Number.POSITIVE_INFINITY;
    this.#releasedMs = Number.NEGATIVE_INFINITY;
  }

  #keep(pledge: NodeId): void {
    this.#pledge = pledge;
    this.#pledgeRound = 0;
    this.#pledgeDurable = false;
    this.#context.out.persist([writeJson(keys.pledge, pledge)], () => {
      this.#pledgeDurable = true;
    });
  }

  /** Connected nodes without a cluster. */
  #unfounded(): NodeId[] {
    return this.#peers
      .peers()
      .filter((peer) => peer.cluster === '')
      .map((peer) => peer.node);
  }
}

/** The end of every cluster id that a founder makes. */
export function founderMark(founder: NodeId): string {
  return `.${founder.slice(-12)}`;
}
