import type { Entry } from '../../consensus/entry.ts';
import { joinsIn } from './command.ts';
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
const tellIntervalMs = 500;
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
  /** What the drain of this node waits for. */
  readonly #waitsFor: () => readonly string[];
  #askedMs = Number.NEGATIVE_INFINITY;
  #digestMs = Number.NEGATIVE_INFINITY;
  #leavingSinceMs: number | undefined;
  /** The log says that this start is to stop: since when it was a member then. */
  #stoppingAs: number | undefined;
  #told = { waitsFor: '', atMs: Number.NEGATIVE_INFINITY };
  #loads: LoadBoard | undefined;
  readonly #proposed = new Set<string>();
  readonly #turnedAway = new Set<NodeId>();
  readonly #strangers = new Set<NodeId>();
  /** Declared dead by what was applied just now. */
  readonly #dead = new Set<NodeId>();

  constructor(
    context: Context,
    decisions: Decisions,
    peers: Peers,
    hosting: Hosting,
    of: { cluster: () => string; waitsFor: () => readonly string[] },
  ) {
    this.#context = context;
    this.#decisions = decisions;
    this.#peers = peers;
    this.#hosting = hosting;
    this.#cluster = of.cluster;
    this.#waitsFor = of.waitsFor;
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

  /**
   * What is committed it learns from a leader, whom it must reach first: those it was told to join through may be gone,
   * and whoever ever joined by these entries, or is a member, may know.
   */
  learnOf(entries: readonly Entry[]): void {
    for (const { node, profile } of [...this.#decisions.state.members.values(), ...joinsIn(entries)]) {
      this.#peers.learn(node, profile.addresses);
    }
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

  /** It was asked to stop, and that was not undone. */
  /** Why this node cannot serve users; undefined when it can. */
  whyNotReady(): string | undefined {
    if (this.#cluster() === '') return 'it has not met a cluster yet';
    if (!this.isMember()) return 'the cluster has not admitted it yet';
    if (this.isLeaving) return 'it was asked to stop';
    return this.#decisions.hearsQuorum() ? undefined : 'it hears no leader with a majority';
  }

  get isLeaving(): boolean {
    return this.#leavingSinceMs !== undefined;
  }

  /** Says goodbye: the leadership, the agents and their states go to others, then the process ends. Asked again: at once. */
  leave(): void {
    if (this.#leavingSinceMs !== undefined)
      return this.#exit('asked to stop a second time: it does not wait, and the others recover what it had');
    this.#leavingSinceMs = this.#context.nowMs;
    this.#askedMs = Number.NEGATIVE_INFINITY;
    this.tick();
  }

  #goOnLeaving(): void {
    const { self, nowMs, settings, boot, out } = this.#context;
    const { state, leader } = this.#decisions;
    const member = state.members.get(self);
    const others = state.alive().filter(({ node }) => node !== self && this.#peers.isConnected(node));
    const left = member?.membership !== 'alive';
    if (others.length === 0) return this.#exit('nobody else is here');
    if (left && this.#hosting.size === 0 && leader !== self) return this.#exit('it left');
    if (nowMs - (this.#leavingSinceMs ?? nowMs) >= settings.leaveTimeoutMs)
      return this.#exit('it left, not waiting longer');
    if (member?.drain?.stopping === true && others.every(({ drain }) => drain?.stopping === true))
      return this.#exit('all others stop, too');
    if (this.#isUndone()) return this.#stay();
    this.#tellWhatItWaitsFor();
    if (left || member.drain?.stopping === true || nowMs - this.#askedMs < settings.retryIntervalMs) return;
    this.#askedMs = nowMs;
    const body = { node: self, boot };
    if (leader === self) this.onLeave(self, body);
    else if (leader !== '') out.send(leader, { type: 'leave', body });
  }

  /** Who is admitted anew meanwhile asks anew; only a stop that the log had and has no more was undone. */
  #isUndone(): boolean {
    const member = this.#decisions.state.members.get(this.#context.self);
    if (member?.membership !== 'alive') return false;
    if (member.drain?.stopping === true) this.#stoppingAs = member.since;
    return this.#stoppingAs === member.since && member.drain?.stopping !== true;
  }

  #stay(): void {
    this.#leavingSinceMs = undefined;
    this.#stoppingAs = undefined;
    reportLocally(
      this.#context,
      'stopUndone',
      `${this.#context.profile.name} is not to stop any more: an operator undid it`,
    );
  }

  /** Whoever stops a process wants to know why it is still there. */
  #tellWhatItWaitsFor(): void {
    const { nowMs, profile } = this.#context;
    if (nowMs - this.#told.atMs < tellIntervalMs) return;
    const reasons = this.#waitsFor();
    const waitsFor = reasons.join('; ');
    if (waitsFor === '' || waitsFor === this.#told.waitsFor) return;
    this.#told = { waitsFor, atMs: nowMs };
    reportLocally(this.#context, 'stopWaits', `${profile.name} is to stop and waits for ${waitsFor}`, {
      waitsFor: reasons,
    });
  }

  /** A node was asked to stop: it is drained first, and leaves when that has come to its end. */
  onLeave(from: NodeId, { node, boot }: MessageOf<'leave'>): void {
    if (node !== from || !this.#decisions.isReady()) return;
    const member = this.#decisions.state.members.get(node);
    if (member?.membership !== 'alive' || member.boot !== boot || member.drain?.stopping === true) return;
    const deadlineMs = this.#context.settings.stopDrainMs;
    this.#proposeOnce(`leave/${node}/${boot}`, { kind: 'drainBegin', node, boot, deadlineMs });
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
