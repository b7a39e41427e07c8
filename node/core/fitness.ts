import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import { errors, toErrorBody } from './errors.ts';
import type { LoadBoard } from './load-board.ts';
import type { NodeId } from './message.ts';
import type { Outcome } from './operation.ts';
import type { Peers } from './peers.ts';

/** What says how well a node would lead. */
export interface Condition {
  /** Of one core. */
  cpu: number;
  /** How late its timers are, ms. */
  loopDelayMs: number;
  /** Share of the other living members that it is connected to, 0 to 1. */
  reach: number;
}

/** A loop that is so late costs a leader its heartbeats. */
const loopDelayMsMax = 200;
/** Up to here an event loop is simply busy. */
const loopDelayMsCalm = 20;
/** One core that is so busy has nothing left for being led. */
const cpuMax = 1.5;
const cpuCalm = 0.5;

/** A leader below this hands over to a voter that is above `fit`, once it has been so for a while. */
const unfit = 0.3;
const fit = 0.7;
const unfitForMs = 5_000;
const handOverPauseMs = 60_000;
/** Between two tries of a leader that drains. */
const makeWayPauseMs = 1_000;

/** From 0, should lead only if nobody else does, to 1. The worst of what is known counts. */
export function fitness({ cpu, loopDelayMs, reach }: Condition): number {
  const within = (value: number, calm: number, max: number): number => (max - value) / (max - calm);
  const worst = Math.min(
    within(loopDelayMs, loopDelayMsCalm, loopDelayMsMax),
    within(cpu, cpuCalm, cpuMax),
    reach ** 2,
  );
  return Math.min(1, Math.max(0, worst));
}

/**
 * Lets healthy, well-connected, lightly loaded nodes lead: tells consensus how much this node should, and as a leader that
 * has been unfit for a while hands over to a voter that is fit. A preference, never a condition: somebody always leads.
 */
export class Fitness {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #loads: LoadBoard;
  readonly #peers: Peers;
  #unfitSinceMs: number | undefined;
  #handedOverMs = Number.NEGATIVE_INFINITY;

  constructor(context: Context, decisions: Decisions, loads: LoadBoard, peers: Peers) {
    this.#context = context;
    this.#decisions = decisions;
    this.#loads = loads;
    this.#peers = peers;
  }

  tick(): void {
    const { self, nowMs } = this.#context;
    const { raft } = this.#decisions;
    const own = this.#of(self, this.#reach());
    const isDraining = this.#decisions.state.isDraining(self);
    raft.setPriority(isDraining ? 0 : own);
    if (raft.role === 'leader' && isDraining) return this.#makeWay();
    if (raft.role !== 'leader' || own >= unfit) {
      this.#unfitSinceMs = undefined;
      return;
    }
    this.#unfitSinceMs ??= nowMs;
    const isDue = nowMs - this.#unfitSinceMs >= unfitForMs && nowMs - this.#handedOverMs >= handOverPauseMs;
    const heir = isDue ? this.#heir() : undefined;
    if (heir === undefined) return;
    this.#handedOverMs = nowMs;
    raft.transferLeadership(heir, nowMs);
  }

  /** A leader that drains hands over to whoever can lead at all. */
  #makeWay(): void {
    const { nowMs } = this.#context;
    const heir = nowMs - this.#handedOverMs >= makeWayPauseMs ? this.#heir(0) : undefined;
    if (heir === undefined) return;
    this.#handedOverMs = nowMs;
    this.#decisions.raft.transferLeadership(heir, nowMs);
  }

  /** This leader has another node lead, because an operator wants it. It stands for election once it has everything. */
  handOver(node: NodeId): Outcome {
    const { self, nowMs } = this.#context;
    const member = this.#decisions.state.members.get(node);
    if (member === undefined) return { ok: false, error: toErrorBody(errors.nodeUnknown({ node })) };
    if (node === self) return { ok: true, result: { node, from: self } };
    const begun = (reason: string | undefined): boolean =>
      reason === undefined && this.#decisions.raft.transferLeadership(node, nowMs);
    const reason = this.#whyNotLead(node);
    if (begun(reason)) return { ok: true, result: { node, from: self } };
    const { name } = member.profile;
    const why = reason ?? 'would have to take over while the leader hands over to another one';
    return { ok: false, error: toErrorBody(errors.cannotLead({ node: name, reason: why })) };
  }

  #whyNotLead(node: NodeId): string | undefined {
    const { raft, state } = this.#decisions;
    const { settings, nowMs } = this.#context;
    if (!raft.configuration().voters.includes(node)) return 'does not vote';
    if (!state.isAlive(node)) return 'is dead';
    if (state.isDraining(node)) return 'is being drained';
    const progress = raft.progress().get(node);
    if (progress === undefined || nowMs - progress.lastAckMs >= settings.probeIntervalMs) return 'does not answer';
    return progress.state === 'replicate' ? undefined : 'lacks much of the log still';
  }

  /** Of others only their load is known; that they answer shows that they are connected. */
  #of(node: NodeId, reach: number): number {
    const { cpu = 0, loopDelayMs = 0 } = this.#loads.of(node) ?? {};
    return fitness({ cpu, loopDelayMs, reach });
  }

  #reach(): number {
    const { self } = this.#context;
    const others = this.#decisions.state.alive().filter(({ node }) => node !== self);
    if (others.length === 0) return 1;
    return others.filter(({ node }) => this.#peers.isConnected(node)).length / others.length;
  }

  /** The fittest voter that has nearly everything. */
  #heir(fitMin = fit): NodeId | undefined {
    const { raft } = this.#decisions;
    const { self } = this.#context;
    let best: { node: NodeId; fitness: number } | undefined;
    for (const node of raft.configuration().voters) {
      if (node === self || this.#whyNotLead(node) !== undefined) continue;
      const candidate = { node, fitness: this.#of(node, 1) };
      if (candidate.fitness >= fitMin && candidate.fitness > (best?.fitness ?? -1)) best = candidate;
    }
    return best?.node;
  }
}
