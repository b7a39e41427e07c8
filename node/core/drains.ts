import type { Member } from './cluster-state.ts';
import type { Draft } from './command.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { DrainView } from './drain.ts';
import { drainsProgress } from './drain-progress.ts';
import type { HolderBoard } from './holder-board.ts';
import type { LoadBoard } from './load-board.ts';
import type { NodeId } from './message.ts';

/**
 * What the leader decides about drains: that one is done or overdue, and that a node which was to stop may go. That agents
 * and states move is for `manager.ts`, votes for `voters.ts`, and the leadership for `fitness.ts`.
 */
export class Drains {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #loads: LoadBoard;
  readonly #holders: HolderBoard;
  /** When this node first saw each drain, whoever led then: so the next leader need not begin to count anew. */
  readonly #seen = new Map<NodeId, { since: number; atMs: number }>();
  readonly #proposed = new Set<string>();

  constructor(context: Context, decisions: Decisions, loads: LoadBoard, holders: HolderBoard) {
    this.#context = context;
    this.#decisions = decisions;
    this.#loads = loads;
    this.#holders = holders;
  }

  reset(): void {
    this.#proposed.clear();
  }

  /** On every node: notices which drains there are. */
  observe(): void {
    const { members } = this.#decisions.state;
    for (const { node, drain } of members.values()) {
      if (drain === undefined) this.#seen.delete(node);
      else if (this.#seen.get(node)?.since !== drain.since)
        this.#seen.set(node, { since: drain.since, atMs: this.#context.nowMs });
    }
    for (const node of this.#seen.keys()) if (!members.has(node)) this.#seen.delete(node);
  }

  /** How far the drains of these nodes have come, as far as this node knows. */
  progress(nodes: readonly NodeId[]): Map<NodeId, DrainView> {
    const { state, raft, leader } = this.#decisions;
    const roles = { leader, voters: raft.configuration().voters };
    return drainsProgress(state, this.#loads, roles, nodes, (agent) => this.#holders.movesAfter(agent));
  }

  /** On the leader. */
  tick(): void {
    this.observe();
    const draining = [...this.#decisions.state.members.values()].filter(({ drain }) => drain !== undefined);
    const open = draining.filter(({ drain }) => drain?.done !== true).map(({ node }) => node);
    const progress = this.progress(open);
    for (const member of draining) this.#decide(member, progress.get(member.node));
  }

  #decide({ node, boot, membership, drain }: Member, progress: DrainView | undefined): void {
    if (drain === undefined) return;
    const { since } = drain;
    if (progress !== undefined && progress.waitsFor.length === 0) {
      this.#propose(`done/${node}/${since}`, { kind: 'drainDone', node, since, kept: progress.kept });
    } else if (progress !== undefined && drain.overdue === undefined && this.#isOverdue(node, drain.deadlineMs)) {
      const { waitsFor } = progress;
      this.#propose(`overdue/${node}/${since}`, { kind: 'drainOverdue', node, since, waitsFor });
    }
    if (!drain.stopping || membership !== 'alive' || !(drain.done || drain.overdue !== undefined)) return;
    this.#propose(`left/${node}/${boot}`, { kind: 'memberLeft', node, boot });
  }

  #isOverdue(node: NodeId, deadlineMs: number | undefined): boolean {
    const { nowMs } = this.#context;
    return deadlineMs !== undefined && nowMs - (this.#seen.get(node)?.atMs ?? nowMs) >= deadlineMs;
  }

  #propose(key: string, draft: Draft): void {
    if (this.#proposed.has(key)) return;
    this.#proposed.add(key);
    this.#decisions.propose(draft, () => this.#proposed.delete(key));
  }
}
