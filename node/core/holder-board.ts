import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { HoldersOfAgent, MessageOf, NodeId } from './message.ts';
import { majorityOf } from './replication.ts';

/** What becomes of an agent when more of its holders fail, as its host last said. */
export interface FailuresView {
  /** Holders that it has now, those of them that can be reached, and those that have what was acknowledged or are about to. */
  holders: number;
  reachable: number;
  caughtUp: number;
  /** So many disks may be lost at once, and nothing that was acknowledged is, and the agent is recovered by itself. */
  disks: number;
  /** So many may be out of reach at once, and it answers as before. */
  unreachable: number;
  text: string;
  /** How old the host's word is. */
  ageMs: number;
}

/** What the leader was told of the holders of every agent. It keeps nothing that the next leader is not told again. */
export class HolderBoard {
  readonly #context: Context;
  readonly #state: ClusterState;
  /** Whether a node is a living member that nobody suspects. */
  readonly #isReachable: (node: NodeId) => boolean;
  readonly #told = new Map<string, { holders: HoldersOfAgent; atMs: number }>();

  constructor(context: Context, state: ClusterState, isReachable: (node: NodeId) => boolean) {
    this.#context = context;
    this.#state = state;
    this.#isReachable = isReachable;
  }

  reset(): void {
    this.#told.clear();
  }

  onReport(from: NodeId, { agents }: MessageOf<'holdersReport'>): void {
    for (const holders of agents) {
      const placement = this.#state.agents.get(holders.agent)?.placement;
      if (placement?.host !== from || placement.epoch !== holders.epoch) continue;
      this.#told.set(holders.agent, { holders, atMs: this.#context.nowMs });
    }
    if (this.#told.size <= this.#state.agents.size) return;
    for (const agent of this.#told.keys()) if (!this.#state.agents.has(agent)) this.#told.delete(agent);
  }

  /** What its host said of an agent's present epoch, and how long ago. */
  of({ id, placement }: AgentRecord): { holders: HoldersOfAgent; ageMs: number } | undefined {
    const told = this.#told.get(id);
    if (told === undefined || told.holders.epoch !== placement?.epoch) return undefined;
    return { holders: told.holders, ageMs: Math.round(this.#context.nowMs - told.atMs) };
  }

  /** `own`: what this very node knows as the agent's host. */
  failures(agent: AgentRecord, own?: HoldersOfAgent): FailuresView | undefined {
    const { holders: told, ageMs } = own === undefined ? (this.of(agent) ?? {}) : { holders: own, ageMs: 0 };
    if (told === undefined || told.sealing || agent.active?.epoch !== told.epoch) return undefined;
    const { holders } = told;
    const reachable = holders.filter(({ node }) => this.#isReachable(node));
    const having = reachable.filter(({ known, sequence }) => known && sequence >= told.sequence).length;
    const caughtUp = reachable.filter(({ keepsPace }) => keepsPace).length;
    const needed = majorityOf(holders.length);
    const disks = Math.max(0, Math.min(having - 1, reachable.length - needed));
    const unreachable = Math.max(0, caughtUp - needed);
    const counts = { holders: holders.length, reachable: reachable.length, caughtUp, disks, unreachable };
    return { ...counts, text: textOf(counts), ageMs: ageMs ?? 0 };
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
