import { type Context, reportLocally } from './context.ts';
import type { MessageOf, NodeId, Rumor } from './message.ts';
import type { Peers } from './peers.ts';
import { limits } from './settings.ts';

/** A node that this one watches, or at least has heard of. */
interface Watched {
  node: NodeId;
  boot: number;
  /** When it was last heard itself. */
  heardMs: number;
  /** When another one last said that it hears it. */
  vouchedMs: number;
  /** Direct probe on its way. */
  probe: { sequence: number; deadlineMs: number } | undefined;
  /** Probes through others on their way. */
  indirectDeadlineMs: number | undefined;
  /** This node's own verdict. */
  suspect: boolean;
  repeatMs: number;
  incarnation: number;
}

export interface DetectorEvents {
  /** The set of those who accuse a node changed. */
  accusationsChanged(subject: NodeId): void;
}

/**
 * Who is reachable, by SWIM's means (Das et al. 2002; Lifeguard, Dadgar et al. 2017) over direct streams: silence leads
 * to a probe, then to probes through others, then to an accusation that the accused can refute. A closed connection
 * skips the first step. Whether enough observers agree is the leader's judgement, on the same accusations.
 */
export class Detector {
  readonly #context: Context;
  readonly #peers: Peers;
  readonly #events: DetectorEvents;
  readonly #watched = new Map<NodeId, Watched>();
  /** Per accused node, who accuses it and until when that counts. */
  readonly #accusers = new Map<NodeId, Map<NodeId, number>>();
  /** What others last said of their own incarnation; bounded by `contactsMax`. */
  readonly #said = new Map<NodeId, { boot: number; incarnation: number }>();
  #incarnation = 0;
  #sequence = 0;
  /** Lifeguard's local health: 1 when this process keeps time, up to 4 when it is itself slow. */
  #slowness = 1;
  #lastMs: number;
  #members: readonly NodeId[] = [];

  constructor(context: Context, peers: Peers, events: DetectorEvents) {
    this.#context = context;
    this.#peers = peers;
    this.#events = events;
    this.#lastMs = context.nowMs;
  }

  /** Sets the members, and thereby whom this node watches: all of a small cluster, its next K on the ring of ids else. */
  watch(members: ReadonlyMap<NodeId, number>): void {
    const { self, nowMs, settings } = this.#context;
    this.#members = [...members.keys()].sort();
    const ring = this.#members.filter((node) => node !== self);
    const start = ring.findIndex((node) => node > self);
    const ordered = start <= 0 ? ring : [...ring.slice(start), ...ring.slice(0, start)];
    const targets = new Set(ordered.slice(0, Math.max(settings.watchersMax, 1)));
    for (const node of this.#watched.keys()) if (!targets.has(node)) this.#forget(node);
    for (const node of targets) {
      const boot = members.get(node) ?? 0;
      const known = this.#watched.get(node);
      if (known?.boot === boot) continue;
      this.#forget(node);
      const said = this.#said.get(node);
      this.#watched.set(node, {
        node,
        boot,
        heardMs: nowMs,
        vouchedMs: Number.NEGATIVE_INFINITY,
        probe: undefined,
        indirectDeadlineMs: undefined,
        suspect: false,
        repeatMs: 0,
        incarnation: said?.boot === boot ? said.incarnation : 0,
      });
    }
  }

  /** This node's own incarnation, raised by each refutation; a restart begins at 0 with a higher boot. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** A node says its own incarnation: whoever does not know it would accuse one that is refuted already. */
  onIntroduced(node: NodeId, boot: number, incarnation: number): void {
    if (this.#said.size < limits.contactsMax || this.#said.has(node)) this.#said.set(node, { boot, incarnation });
    const watched = this.#watched.get(node);
    if (watched?.boot === boot) watched.incarnation = Math.max(watched.incarnation, incarnation);
  }

  /** The log took the node back: what was held against it before counts no more. */
  pardon(node: NodeId): void {
    this.#accusers.delete(node);
    const watched = this.#watched.get(node);
    if (watched === undefined) return;
    watched.suspect = false;
    watched.probe = undefined;
    watched.indirectDeadlineMs = undefined;
    watched.heardMs = this.#context.nowMs;
  }

  #forget(node: NodeId): void {
    this.#watched.delete(node);
    this.#accusers.delete(node);
  }

  isSuspect(node: NodeId): boolean {
    return this.#watched.get(node)?.suspect ?? false;
  }

  watches(node: NodeId): boolean {
    return this.#watched.has(node);
  }

  /** Those whose accusation of the node counts now. */
  accusers(subject: NodeId): NodeId[] {
    const { nowMs } = this.#context;
    return [...(this.#accusers.get(subject) ?? [])]
      .filter(([, untilMs]) => untilMs > nowMs)
      .map(([accuser]) => accuser);
  }

  accused(): NodeId[] {
    return [...this.#accusers.keys()];
  }

  /** Whatever a node says shows that it is reachable. */
  onHeard(node: NodeId): void {
    const watched = this.#watched.get(node);
    if (watched === undefined) return;
    watched.heardMs = this.#context.nowMs;
    watched.probe = undefined;
    watched.indirectDeadlineMs = undefined;
    if (watched.suspect) this.#acquit(watched);
  }

  /** A closed connection is a hint: the others are asked at once. */
  onDisconnected(node: NodeId): void {
    const watched = this.#watched.get(node);
    if (watched === undefined || watched.suspect) return;
    watched.probe = undefined;
    this.#accuse(watched, 'its connection closed');
  }

  onProbe(from: NodeId, { sequence }: MessageOf<'probe'>): void {
    const body = { sequence, subject: this.#context.self, reachable: true };
    this.#context.out.sendUrgent(from, { type: 'probeAck', body });
  }

  /** Somebody asks whether this node reaches the subject: it says what it knows, and probes for the next time. */
  onProbeAsk(from: NodeId, { sequence, subject }: MessageOf<'probeAsk'>): void {
    const { nowMs, settings, out } = this.#context;
    const watched = this.#watched.get(subject);
    const fresh = watched !== undefined && nowMs - watched.heardMs < settings.probeTimeoutMs;
    const reachable = this.#peers.isConnected(subject) && fresh;
    out.sendUrgent(from, { type: 'probeAck', body: { sequence, subject, reachable } });
    if (!reachable && this.#peers.isConnected(subject) && watched?.probe === undefined) {
      if (watched !== undefined) this.#probe(watched);
    }
  }

  onProbeAck(from: NodeId, { subject, reachable }: MessageOf<'probeAck'>): void {
    if (from === subject || !reachable) return;
    const watched = this.#watched.get(subject);
    // Another one reaches it: no death, though no sign of life on this node's own link either. It is not passed on as
    // if it were one: nodes that take each other's word for their own would keep the dead alive among them.
    if (watched?.indirectDeadlineMs === undefined) return;
    watched.indirectDeadlineMs = undefined;
    watched.vouchedMs = this.#context.nowMs;
  }

  onRumor(rumor: Rumor): void {
    const { self, boot, nowMs, settings } = this.#context;
    if (rumor.subject === self) {
      if (rumor.suspect && rumor.boot === boot && rumor.incarnation >= this.#incarnation) this.#refute(rumor);
      return;
    }
    if (!this.#members.includes(rumor.subject) || !this.#members.includes(rumor.accuser)) return;
    const watched = this.#watched.get(rumor.subject);
    if (watched !== undefined && rumor.boot !== watched.boot) return;
    const accusers = this.#accusers.get(rumor.subject) ?? new Map<NodeId, number>();
    const said = this.#said.get(rumor.subject);
    const known = watched?.incarnation ?? (said?.boot === rumor.boot ? said.incarnation : 0);
    if (rumor.suspect) {
      if (watched !== undefined && rumor.incarnation < watched.incarnation) return;
      // Whoever started after the last refutation learns of it here: its own accusations would count with nobody.
      if (rumor.incarnation > known) this.onIntroduced(rumor.subject, rumor.boot, rumor.incarnation);
      accusers.set(rumor.accuser, nowMs + Math.min(rumor.ttlMs, settings.rumorTtlMs));
      this.#accusers.set(rumor.subject, accusers);
    } else if (rumor.accuser === rumor.subject) {
      if (rumor.incarnation > known) {
        this.onIntroduced(rumor.subject, rumor.boot, rumor.incarnation);
        accusers.clear();
        if (watched?.suspect) accusers.set(self, nowMs + settings.rumorTtlMs);
      }
    } else accusers.delete(rumor.accuser);
    this.#events.accusationsChanged(rumor.subject);
  }

  tick(): void {
    this.#judgeSelf();
    const { nowMs, settings } = this.#context;
    for (const watched of this.#watched.values()) {
      if (watched.suspect) {
        if (nowMs >= watched.repeatMs) this.#spread(watched, true);
        this.#hangUpIfStale(watched);
      } else if (watched.indirectDeadlineMs !== undefined) {
        if (nowMs >= watched.indirectDeadlineMs) this.#accuse(watched, 'no answer, direct or through others');
      } else if (watched.probe !== undefined) {
        if (nowMs >= watched.probe.deadlineMs) this.#probeThroughOthers(watched);
      } else if (nowMs - Math.max(watched.heardMs, watched.vouchedMs) >= settings.probeIntervalMs) this.#probe(watched);
    }
  }

  /** A process that stood still must not take its own silence for that of the others. */
  #judgeSelf(): void {
    const { nowMs, settings } = this.#context;
    const lateMs = nowMs - this.#lastMs - settings.tickMs;
    this.#lastMs = nowMs;
    if (lateMs > settings.pauseMs) {
      reportLocally(this.#context, 'stoodStill', `this process stood still for ${Math.round(lateMs)} ms`);
      for (const watched of this.#watched.values()) {
        watched.heardMs = nowMs;
        watched.probe = undefined;
        watched.indirectDeadlineMs = undefined;
      }
    }
    if (lateMs > settings.probeIntervalMs / 2) this.#slowness = Math.min(4, this.#slowness + 1);
    else this.#slowness = Math.max(1, this.#slowness - 0.02);
  }

  #probe(watched: Watched): void {
    const { nowMs, settings, out } = this.#context;
    this.#sequence += 1;
    watched.probe = { sequence: this.#sequence, deadlineMs: nowMs + settings.probeTimeoutMs * this.#slowness };
    out.sendUrgent(watched.node, { type: 'probe', body: { sequence: this.#sequence } });
  }

  #probeThroughOthers(watched: Watched): void {
    const { nowMs, settings } = this.#context;
    watched.probe = undefined;
    watched.indirectDeadlineMs = nowMs + settings.probeTimeoutMs * this.#slowness;
    this.#askOthers(watched);
  }

  #askOthers(watched: Watched): void {
    const { out, random, settings } = this.#context;
    const others = this.#members.filter((node) => node !== watched.node && this.#peers.isConnected(node));
    for (let asked = 0; asked < settings.indirectProbesMax && others.length > 0; asked++) {
      const [helper] = others.splice(Math.floor(random() * others.length), 1);
      this.#sequence += 1;
      const body = { sequence: this.#sequence, subject: watched.node };
      if (helper !== undefined) out.sendUrgent(helper, { type: 'probeAsk', body });
    }
  }

  #accuse(watched: Watched, reason: string): void {
    watched.suspect = true;
    watched.probe = undefined;
    watched.indirectDeadlineMs = undefined;
    reportLocally(this.#context, 'nodeSuspected', `${watched.node.slice(-8)}: ${reason}`, {
      node: watched.node,
      reason,
    });
    this.#spread(watched, true);
  }

  /** A link that carries nothing is closed, so that a new one is tried: TCP alone may take minutes after a heal. */
  #hangUpIfStale(watched: Watched): void {
    const { nowMs, settings, out } = this.#context;
    if (nowMs - watched.heardMs < settings.hangUpAfterMs || !this.#peers.isConnected(watched.node)) return;
    watched.heardMs = nowMs;
    out.push({ type: 'hangUp', node: watched.node });
  }

  #acquit(watched: Watched): void {
    watched.suspect = false;
    this.#spread(watched, false);
  }

  #spread(watched: Watched, suspect: boolean): void {
    const { self, nowMs, settings } = this.#context;
    watched.repeatMs = nowMs + settings.rumorRepeatMs;
    const rumor: Rumor = {
      accuser: self,
      subject: watched.node,
      boot: watched.boot,
      incarnation: watched.incarnation,
      suspect,
      ttlMs: settings.rumorTtlMs,
    };
    this.onRumor(rumor);
    this.#tell(rumor);
  }

  #refute(accusation: Rumor): void {
    const { self, boot, settings } = this.#context;
    this.#incarnation = accusation.incarnation + 1;
    this.#tell({
      accuser: self,
      subject: self,
      boot,
      incarnation: this.#incarnation,
      suspect: false,
      ttlMs: settings.rumorTtlMs,
    });
  }

  /** Direct to the members in reach, and by gossip to everybody else. */
  #tell(rumor: Rumor): void {
    const { self, out } = this.#context;
    for (const node of this.#members) {
      if (node !== self && this.#peers.isConnected(node)) out.sendUrgent(node, { type: 'rumor', body: rumor });
    }
    out.publish('members', { type: 'rumor', body: rumor });
  }
}
