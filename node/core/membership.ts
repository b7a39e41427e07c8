import { type Context, reportLocally } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { Detector } from './detector.ts';
import type { Hosting } from './hosting.ts';
import type { LoadBoard } from './load-board.ts';
import type { Load, MessageOf, NodeId } from './message.ts';
import type { Peers } from './peers.ts';
import { limits } from './settings.ts';

const digestIntervalMs = 5_000;
const startLengthMax = 64;
/** After sysexits.h: the data is not what it should be. */
const exitCodeOutdated = 65;

const whyOutdated = (name: string): string =>
  `the data directory of ${name} is older than what the cluster has seen of it. Nothing was changed. Give it an empty one: ` +
  'it joins as a new member and gets its state from the others';

/** How this node becomes and stays a member, and how it leaves; and on the leader, how it admits others. */
export class Membership {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #peers: Peers;
  readonly #hosting: Hosting;
  readonly #cluster: () => string;
  #askedMs = Number.NEGATIVE_INFINITY;
  #digestMs = Number.NEGATIVE_INFINITY;
  #leavingSinceMs: number | undefined;
  #loads: LoadBoard | undefined;
  readonly #proposed = new Set<string>();
  readonly #turnedAway = new Set<NodeId>();
  readonly #strangers = new Set<NodeId>();
  /** Declared dead by what was applied just now. */
  readonly #dead = new Set<NodeId>();

  constructor(context: Context, decisions: Decisions, peers: Peers, hosting: Hosting, cluster: () => string) {
    this.#context = context;
    this.#decisions = decisions;
    this.#peers = peers;
    this.#hosting = hosting;
    this.#cluster = cluster;
  }

  /** The log has this very start of the node as a living member. */
  isMember(): boolean {
    const { self, start } = this.#context;
    return this.#decisions.state.sessionOf(self, start) !== undefined;
  }

  tick(): void {
    this.#peers.settled = this.isMember();
    if (this.#isOver()) return;
    if (this.#cluster() === '') {
      if (this.#leavingSinceMs !== undefined) this.#exit('it was no member of a cluster');
      return;
    }
    const { nowMs, settings } = this.#context;
    if (this.#leavingSinceMs !== undefined) this.#goOnLeaving();
    else if (!this.isMember() && nowMs - this.#askedMs >= settings.retryIntervalMs) this.#askToJoin();
    if (nowMs - this.#digestMs >= digestIntervalMs) this.#compareWithOne();
  }

  /** What this node promised since is not on its disk: it must not go on, least of all as a voter. */
  #isOver(): boolean {
    const { self, boot, start, profile, out } = this.#context;
    if (!this.#decisions.state.isOutdated(self, boot, start)) return false;
    out.push({ type: 'exit', code: exitCodeOutdated, reason: whyOutdated(profile.name) });
    return true;
  }

  // ---- joining ----

  #askToJoin(): void {
    const { self, boot, start, profile, nowMs, out } = this.#context;
    this.#askedMs = nowMs;
    const join = { node: self, boot, start, profile };
    const { leader } = this.#decisions;
    if (this.#decisions.isReady()) this.#admit(join);
    else if (leader !== '' && this.#peers.isConnected(leader)) out.send(leader, { type: 'join', body: join });
    else for (const node of this.#peers.connected()) out.send(node, { type: 'join', body: join });
  }

  onJoin(from: NodeId, join: MessageOf<'join'>): void {
    const { leader } = this.#decisions;
    if (this.#decisions.isReady()) this.#admit(join);
    // Passed on once: only what the joiner itself said.
    else if (join.node === from && leader !== '' && leader !== this.#context.self && this.#peers.isConnected(leader)) {
      this.#context.out.send(leader, { type: 'join', body: join });
    }
  }

  #admit({ node, boot, start, profile }: MessageOf<'join'>): void {
    const { state } = this.#decisions;
    if (profile === undefined || start === '' || start.length > startLengthMax) return;
    if (state.isOutdated(node, boot, start)) return this.#turnAway(node, profile.name, boot);
    if (state.sessionOf(node, start) !== undefined) return;
    this.#proposeOnce(`join/${node}/${start}`, { kind: 'memberJoin', node, boot, start, profile });
  }

  /** An older copy of a node's disk: what it promised since is not on it, so it must not come back as that node. */
  #turnAway(node: NodeId, name: string, boot: number): void {
    if (this.#turnedAway.has(node)) return;
    if (this.#turnedAway.size < limits.contactsMax) this.#turnedAway.add(node);
    const text = `${name} is not admitted: ${whyOutdated(name)}`;
    reportLocally(this.#context, 'joinRefused', text, { node, name, boot });
  }

  turnAwayStranger(node: NodeId, cluster: string): void {
    if (this.#strangers.has(node) || this.#strangers.size >= limits.contactsMax) return;
    this.#strangers.add(node);
    const text = `${node.slice(-8)} belongs to another cluster (${cluster}, this one is ${this.#cluster()}): it is ignored`;
    reportLocally(this.#context, 'strangerIgnored', text, { node, cluster });
  }

  #proposeOnce(key: string, draft: Parameters<Decisions['propose']>[0]): void {
    if (this.#proposed.has(key)) return;
    this.#proposed.add(key);
    this.#decisions.propose(draft, () => this.#proposed.delete(key));
  }

  // ---- leaving ----

  /** Says goodbye: the leadership and the agents go to others, then the process ends. */
  leave(): void {
    this.#leavingSinceMs ??= this.#context.nowMs;
    this.#askedMs = Number.NEGATIVE_INFINITY;
    this.tick();
  }

  #goOnLeaving(): void {
    const { self, nowMs, settings, out, boot } = this.#context;
    const { state, raft, leader } = this.#decisions;
    const others = state.alive().filter(({ node }) => node !== self && this.#peers.isConnected(node));
    const left = state.members.get(self)?.membership !== 'alive';
    if (others.length === 0) return this.#exit('nobody else is here');
    if (left && this.#hosting.size === 0 && leader !== self) return this.#exit('it left');
    if (nowMs - (this.#leavingSinceMs ?? nowMs) >= settings.leaveTimeoutMs)
      return this.#exit('it left, not waiting longer');
    if (nowMs - this.#askedMs < settings.retryIntervalMs) return;
    this.#askedMs = nowMs;
    if (leader === self) {
      const { voters } = raft.configuration();
      const heir = others.find(({ node }) => voters.includes(node));
      if (heir !== undefined) raft.transferLeadership(heir.node, nowMs);
    } else if (leader !== '' && !left) out.send(leader, { type: 'leave', body: { node: self, boot } });
  }

  onLeave(from: NodeId, { node, boot }: MessageOf<'leave'>): void {
    if (node !== from || !this.#decisions.isReady()) return;
    const member = this.#decisions.state.members.get(node);
    if (member?.membership !== 'alive' || member.boot !== boot) return;
    this.#proposeOnce(`leave/${node}/${boot}`, { kind: 'memberLeft', node, boot });
  }

  #exit(reason: string): void {
    this.#context.out.push({ type: 'exit', code: 0, reason });
  }

  // ---- the others ----

  onDead(node: NodeId): void {
    this.#dead.add(node);
  }

  /**
   * What may be left of a connection to the dead would only hide that it is back: a new one is tried instead. To be
   * called when all that is committed is applied: in the history that a newcomer reads, the dead of then live now.
   */
  hangUpOnDead(): void {
    if (this.#dead.size === 0) return;
    const { self, out } = this.#context;
    for (const node of this.#dead) {
      const isDead = this.#decisions.state.members.get(node)?.membership === 'dead';
      if (isDead && node !== self && this.isMember() && this.#peers.isConnected(node))
        out.push({ type: 'hangUp', node });
    }
    this.#dead.clear();
  }

  onMembersChanged(detector: Detector, loads: LoadBoard): void {
    this.#loads = loads;
    const watched = new Map<NodeId, number>();
    for (const { node, boot, profile, membership } of this.#decisions.state.members.values()) {
      if (membership === 'left') {
        this.#peers.forget(node);
        loads.forget(node);
        continue;
      }
      this.#peers.learn(node, profile.addresses);
      if (membership === 'alive') watched.set(node, boot);
    }
    detector.watch(watched);
  }

  // ---- anti-entropy: what gossip of load missed ----

  /** Compares one hash with one random peer; only a difference costs more than that. */
  #compareWithOne(): void {
    const { nowMs, random, out } = this.#context;
    this.#digestMs = nowMs;
    const peers = [...this.#peers.connected()];
    const peer = peers[Math.floor(random() * peers.length)];
    if (peer !== undefined) out.sendUrgent(peer, { type: 'digest', body: { hash: this.#hash() } });
  }

  onDigest(from: NodeId, { hash }: MessageOf<'digest'>): void {
    if (hash !== this.#hash())
      this.#context.out.sendUrgent(from, { type: 'view', body: { rumors: [], loads: this.#known() } });
  }

  onView(from: NodeId, { loads }: MessageOf<'view'>): void {
    if (!this.#decisions.state.members.has(from)) return;
    for (const load of loads) {
      this.#loads?.onLoad(load.node, load, this.#decisions.state.members.has(load.node));
    }
  }

  #known(): Load[] {
    const members = [...this.#decisions.state.members.keys()].sort();
    return members.flatMap((node) => this.#loads?.of(node) ?? []);
  }

  /** FNV-1a over who said how much: equal boards give equal hashes. */
  #hash(): number {
    let hash = 0x811c9dc5;
    for (const { node, boot, sequence } of this.#known()) {
      for (const character of `${node}/${boot}/${sequence};`) {
        hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
      }
    }
    return hash;
  }
}
