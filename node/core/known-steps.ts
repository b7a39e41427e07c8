import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { KnownStep } from './holder-views.ts';
import type { HoldersOfAgent, MessageOf, NodeId } from './message.ts';

interface Last {
  host: NodeId;
  epoch: number;
  sequence: number;
  /** When its host last said so of this agent, and when the sequence was first heard of. */
  saidMs: number;
  sinceMs: number;
  /** When it was seen first that the host may not be there any more, or another epoch is. */
  missedMs: number | undefined;
}

/** Reports of a host without a gap: what it said in one stands until it says otherwise in a later one. */
interface Row {
  number: number | undefined;
  sinceMs: number;
  untilMs: number;
}

/** The newest step of each agent that its host called acknowledged, and how old that knowledge is. */
export class KnownSteps {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #last = new Map<string, Last>();
  readonly #rows = new Map<NodeId, Row>();

  constructor(context: Context, state: ClusterState) {
    this.#context = context;
    this.#state = state;
  }

  reset(): void {
    this.#last.clear();
    this.#rows.clear();
  }

  /** `agents`: those of the report that are true of the log. */
  onReport(from: NodeId, { number }: MessageOf<'holdersReport'>, agents: readonly HoldersOfAgent[]): void {
    const { nowMs } = this.#context;
    const row = this.#rows.get(from);
    const goesOn = row?.number !== undefined && number === row.number + 1;
    this.#rows.set(from, { number, sinceMs: goesOn ? row.sinceMs : nowMs, untilMs: nowMs });
    for (const { agent, epoch, sequence, sealing } of agents) {
      if (sealing) continue;
      const before = this.#last.get(agent);
      const isSame = before?.epoch === epoch && before.sequence === sequence;
      const sinceMs = isSame ? before.sinceMs : nowMs;
      this.#last.set(agent, { host: from, epoch, sequence, saidMs: nowMs, sinceMs, missedMs: undefined });
    }
    const { agents: all, members } = this.#state;
    if (this.#last.size > all.size) for (const id of this.#last.keys()) if (!all.has(id)) this.#last.delete(id);
    if (this.#rows.size > members.size)
      for (const node of this.#rows.keys()) if (!members.has(node)) this.#rows.delete(node);
  }

  /** Notes of which agents the host is missed. */
  look(isReachable: (node: NodeId) => boolean): void {
    for (const [agent, last] of this.#last) {
      const placement = this.#state.agents.get(agent)?.placement;
      const isThere = placement?.epoch === last.epoch && isReachable(last.host);
      if (isThere) last.missedMs = undefined;
      else last.missedMs ??= this.#context.nowMs;
    }
  }

  of(agent: string, epoch: number): KnownStep | undefined {
    const last = this.#last.get(agent);
    if (last?.epoch !== epoch) return undefined;
    const row = this.#rows.get(last.host);
    const missedMs = last.missedMs ?? this.#context.nowMs;
    const knownMs = row !== undefined && row.sinceMs <= last.saidMs ? Math.max(last.saidMs, row.untilMs) : last.saidMs;
    const untilMs = Math.min(knownMs, missedMs);
    const ages = { ageMs: Math.round(missedMs - untilMs), idleMs: Math.round(untilMs - last.sinceMs) };
    return { epoch, sequence: last.sequence, ...ages };
  }
}
