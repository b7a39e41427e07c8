import { type AgentLoss, isOvertaken } from './agent-loss.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import { type Context, reportLocally } from './context.ts';
import type { FenceView } from './holder-views.ts';
import { nameOf } from './member-name.ts';
import type { MessageOf, NodeId } from './message.ts';

interface Fence {
  /** Log index of the decision. */
  index: number;
  /** When this leader first saw that the log holds it. */
  sinceMs: number;
  isOver: boolean;
  askMs: number;
}

type Overtaken = AgentRecord & { readonly loss: AgentLoss };

/**
 * Keeps an agent that an operator let go on from being placed until no host of an earlier epoch acknowledges any more: its
 * holders are too few to be sealed against it. The time counts from when this leader has seen the decision in the log, so
 * whoever leads next waits anew.
 */
export class Fences {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #fences = new Map<string, Fence>();

  constructor(context: Context, state: ClusterState) {
    this.#context = context;
    this.#state = state;
  }

  reset(): void {
    this.#fences.clear();
  }

  isOver(agent: AgentRecord): boolean {
    return !isWaiting(agent) || this.#leftMs(agent) === 0;
  }

  /** Undefined: it waits for nothing of the kind. */
  of(agent: AgentRecord): FenceView | undefined {
    const host = agent.active?.host;
    if (host === undefined || !isWaiting(agent)) return undefined;
    const leftMs = Math.ceil(this.#leftMs(agent));
    if (leftMs === 0) return undefined;
    const hostName = nameOf(this.#state, host);
    const seconds = Math.ceil(leftMs / 1_000);
    const text = `it waits ${seconds} s until ${hostName}, where it ran, must have stopped, or says so`;
    return { host, hostName, leftMs, text };
  }

  /** The host that ran the agent has read the decision. */
  onOver(from: NodeId, { agent: id, index }: MessageOf<'fenceOver'>): void {
    const fence = this.#fences.get(id);
    if (fence?.index === index && this.#state.agents.get(id)?.active?.host === from) fence.isOver = true;
  }

  tick(): void {
    const { nowMs, settings, out } = this.#context;
    for (const agent of this.#state.agents.values()) {
      if (!isWaiting(agent)) continue;
      const { id, active, loss } = agent;
      const fence = this.#fenceOf(agent);
      if (active === undefined || nowMs < fence.askMs || this.#leftMs(agent) === 0) continue;
      fence.askMs = nowMs + settings.holderRetryMs;
      out.sendUrgent(active.host, { type: 'fenceAsk', body: { agent: id, index: loss.index } });
    }
    for (const id of this.#fences.keys()) {
      const agent = this.#state.agents.get(id);
      if (agent === undefined || !isWaiting(agent)) this.#fences.delete(id);
    }
  }

  #leftMs(agent: Overtaken): number {
    const fence = this.#fenceOf(agent);
    if (fence.isOver || this.#hasEnded(agent)) return 0;
    return Math.max(0, fence.sinceMs + this.#context.settings.fenceMs - this.#context.nowMs);
  }

  /** What is known of the earlier host without a word from it: another start of it is a member, or it is this very node. */
  #hasEnded({ active }: AgentRecord): boolean {
    if (active === undefined || active.host === this.#context.self) return true;
    return (this.#state.members.get(active.host)?.boot ?? 0) > active.boot;
  }

  #fenceOf(agent: Overtaken): Fence {
    const { index } = agent.loss;
    const known = this.#fences.get(agent.id);
    if (known?.index === index) return known;
    const fence = { index, sinceMs: this.#context.nowMs, isOver: false, askMs: 0 };
    this.#fences.set(agent.id, fence);
    const waits = this.of(agent);
    if (waits !== undefined)
      reportLocally(this.#context, 'agentWaits', `${agent.id}: ${waits.text}`, { agent: agent.id });
    return fence;
  }
}

const isWaiting = (agent: AgentRecord): agent is Overtaken => agent.loss?.fenced === true && isOvertaken(agent);
