import type { AgentRecord, ClusterState } from './cluster-state.ts';
import { type Context, reportLocally } from './context.ts';
import type { FailuresView, StuckView } from './holder-views.ts';
import { KnownSteps } from './known-steps.ts';
import { nameOf } from './member-name.ts';
import type { HoldersOfAgent, MessageOf, NodeId } from './message.ts';
import { majorityOf } from './replication.ts';
import { limits } from './settings.ts';

/** What the leader sees of nodes. */
export interface NodesSeen {
  /** A living member that nobody suspects. */
  isReachable(node: NodeId): boolean;
  /** Dead or silent for longer than a host goes on acknowledging. */
  isOut(node: NodeId): boolean;
}

/** What the leader was told of the holders of every agent. It keeps nothing that the next leader is not told again. */
export class HolderBoard {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #nodes: NodesSeen;
  readonly #told = new Map<string, { holders: HoldersOfAgent; atMs: number }>();
  readonly #known: KnownSteps;
  /** Agents that are stuck, since when by the wall clock. */
  readonly #stuck = new Map<string, number>();

  constructor(context: Context, state: ClusterState, nodes: NodesSeen) {
    this.#context = context;
    this.#state = state;
    this.#nodes = nodes;
    this.#known = new KnownSteps(context, state);
  }

  reset(): void {
    this.#told.clear();
    this.#known.reset();
    this.#stuck.clear();
  }

  onReport(from: NodeId, report: MessageOf<'holdersReport'>): void {
    const { agents } = this.#state;
    const current = report.agents.filter(({ agent, epoch }) => {
      const placement = agents.get(agent)?.placement;
      return placement?.host === from && placement.epoch === epoch;
    });
    for (const holders of current) this.#told.set(holders.agent, { holders, atMs: this.#context.nowMs });
    this.#known.onReport(from, report, current);
    if (this.#told.size <= agents.size) return;
    for (const agent of this.#told.keys()) if (!agents.has(agent)) this.#told.delete(agent);
  }

  /** What its host said of an agent's present epoch, and how long ago. */
  of({ id, placement }: AgentRecord): { holders: HoldersOfAgent; ageMs: number } | undefined {
    const told = this.#told.get(id);
    if (told === undefined || told.holders.epoch !== placement?.epoch) return undefined;
    return { holders: told.holders, ageMs: Math.round(this.#context.nowMs - told.atMs) };
  }

  /** The task that has to end before the agent can be switched over, as its host last said. */
  movesAfter(agent: AgentRecord): string | undefined {
    const migration = agent.migration?.epoch === undefined ? agent.migration : undefined;
    return migration && this.of(agent)?.holders.movesAfter?.slice(0, limits.reasonLengthMax);
  }

  /** `own`: what this very node knows as the agent's host. */
  failures(agent: AgentRecord, own?: HoldersOfAgent): FailuresView | undefined {
    const { holders: told, ageMs } = own === undefined ? (this.of(agent) ?? {}) : { holders: own, ageMs: 0 };
    if (told === undefined || told.sealing || agent.active?.epoch !== told.epoch) return undefined;
    const { holders } = told;
    const reachable = holders.filter(({ node }) => this.#nodes.isReachable(node));
    const having = reachable.filter(({ known, sequence }) => known && sequence >= told.sequence).length;
    const caughtUp = reachable.filter(({ keepsPace }) => keepsPace).length;
    const needed = majorityOf(holders.length);
    const disks = Math.max(0, Math.min(having - 1, reachable.length - needed));
    const unreachable = Math.max(0, caughtUp - needed);
    const counts = { holders: holders.length, reachable: reachable.length, caughtUp, disks, unreachable };
    return { ...counts, text: textOf(counts), ageMs: ageMs ?? 0 };
  }

  /** Undefined unless too many holders of the last active epoch are missing for the agent to be recovered by itself. */
  stuck(agent: AgentRecord): StuckView | undefined {
    const { id, active, placement } = agent;
    if (active === undefined || placement === undefined) return undefined;
    if (active.epoch === placement.epoch && this.#state.stands(placement)) return undefined;
    const missing = active.holders.filter((node) => this.#nodes.isOut(node));
    if (active.holders.length - missing.length >= majorityOf(active.holders.length)) return undefined;
    // What a host before heard of them holds: they were sealed for it, and nobody has written to them since.
    const told = this.#told.get(id);
    const isOfNow = told?.holders.sealing === true && told.holders.epoch > active.epoch;
    const known = isOfNow ? told.holders.holders.filter((step) => step.known && step.epoch > 0) : [];
    const toldMs = Math.round(this.#context.nowMs - (told?.atMs ?? 0));
    const survivors = known
      .filter(({ node }) => this.#nodes.isReachable(node))
      .sort((a, b) => b.epoch - a.epoch || b.sequence - a.sequence || (a.node < b.node ? -1 : 1))
      .map(({ node, epoch, sequence, ageMs }) => ({ ...this.#named(node), epoch, sequence, ageMs: ageMs + toldMs }));
    const sinceMs = this.#stuck.get(id) ?? this.#context.wallMs;
    const named = missing.map((node) => this.#named(node));
    return { sinceMs, missing: named, survivors, last: this.#known.of(id, active.epoch) };
  }

  #named(node: NodeId): { node: NodeId; name: string } {
    return { node, name: nameOf(this.#state, node) };
  }

  /** Says of which agents that is so now, or no longer. */
  look(): void {
    this.#known.look((node) => this.#nodes.isReachable(node));
    for (const agent of this.#state.agents.values()) {
      const { id, placement, active } = agent;
      if (active === undefined || (active.epoch === placement?.epoch && !this.#stuck.has(id))) continue;
      const stuck = this.stuck(agent);
      if ((stuck !== undefined) === this.#stuck.has(id)) continue;
      if (stuck === undefined) {
        this.#stuck.delete(id);
        continue;
      }
      this.#stuck.set(id, this.#context.wallMs);
      const names = stuck.missing.map(({ name }) => name).join(', ');
      const text = `${id} cannot be recovered by itself: its holders ${names} are missing, and they are too many`;
      reportLocally(this.#context, 'agentStuck', text, { agent: id, missing: stuck.missing.map(({ node }) => node) });
    }
    for (const id of this.#stuck.keys()) if (!this.#state.agents.has(id)) this.#stuck.delete(id);
  }
}

function textOf({ holders, reachable, caughtUp, disks, unreachable }: Omit<FailuresView, 'text' | 'ageMs'>): string {
  const away = holders - reachable;
  const behind = reachable - caughtUp;
  const is = (count: number): string => `${count} of ${holders} holders ${count === 1 ? 'is' : 'are'}`;
  const troubles = [
    ...(away > 0 ? [`${is(away)} out of reach`] : []),
    ...(behind > 0 ? [`${is(behind)} catching up`] : []),
  ];
  const all = holders === 1 ? 'its only holder has everything' : `all ${holders} holders have everything`;
  const failures = Math.min(disks, unreachable);
  return `${troubles.join(', ') || all}: can take ${failures} ${failures === 1 ? 'failure' : 'failures'} now`;
}
