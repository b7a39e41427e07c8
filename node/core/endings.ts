import type { Ending } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { Holder } from './holder.ts';
import type { MessageOf, NodeId } from './message.ts';
import { majorityOf } from './replication.ts';

/**
 * How a deleted agent ends, on the leader: a majority of the holders of its last active epoch is sealed at the log index
 * of the deletion. From then on no host, however late it hears of it, acknowledges anything for that agent, and its name
 * is free again.
 */
export class Endings {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #holder: Holder;
  /** Whether a holder can back no host any more because it hears of no majority. */
  readonly #isOut: (node: NodeId) => boolean;
  readonly #sealed = new Map<string, Set<NodeId>>();
  /** When this leader first saw each of them in the log. */
  readonly #seenMs = new Map<string, { index: number; atMs: number }>();
  readonly #proposed = new Set<string>();
  #retryMs = 0;

  constructor(context: Context, decisions: Decisions, holder: Holder, isOut: (node: NodeId) => boolean) {
    this.#context = context;
    this.#decisions = decisions;
    this.#holder = holder;
    this.#isOut = isOut;
  }

  reset(): void {
    this.#sealed.clear();
    this.#seenMs.clear();
    this.#proposed.clear();
    this.#retryMs = 0;
  }

  /** An agent was deleted: its end begins at once. */
  onDeleted(): void {
    this.#retryMs = 0;
  }

  tick(): void {
    const { ending } = this.#decisions.state;
    const { nowMs, settings } = this.#context;
    if (ending.size === 0 || nowMs < this.#retryMs || !this.#decisions.isReady()) return;
    this.#retryMs = nowMs + settings.holderRetryMs;
    for (const [agent, end] of ending) {
      this.#seal(agent, end);
      this.#endIfSealed(agent, end);
    }
  }

  #seal(agent: string, { index, holders }: Ending): void {
    // Whatever they keep is older, and is not wanted.
    const known = { epoch: index, sequence: 0, checksum: 0 };
    for (const node of holders) {
      if (this.#sealed.get(agent)?.has(node)) continue;
      if (node === this.#context.self) this.#holder.seal(agent, index, known, (sealed) => this.onSealed(node, sealed));
      else this.#context.out.sendUrgent(node, { type: 'seal', body: { agent, epoch: index, known } });
    }
  }

  onSealed(from: NodeId, { agent, epoch, granted }: MessageOf<'sealed'>): void {
    const end = this.#decisions.state.ending.get(agent);
    if (end?.index !== epoch || !granted || !end.holders.includes(from)) return;
    const sealed = this.#sealed.get(agent) ?? new Set();
    this.#sealed.set(agent, sealed.add(from));
    this.#endIfSealed(agent, end);
  }

  #endIfSealed(agent: string, { index, holders }: Ending): void {
    if (this.#proposed.has(agent) || !this.#decisions.isReady()) return;
    const isFenced = this.#isFenced(agent, index);
    const sealed = holders.filter((node) => this.#sealed.get(agent)?.has(node) || (isFenced && this.#isOut(node)));
    if (holders.length > 0 && sealed.length < majorityOf(holders.length)) return;
    this.#proposed.add(agent);
    this.#decisions.propose({ kind: 'agentGone', agent, index }, () => {
      this.#proposed.delete(agent);
      this.#sealed.delete(agent);
      this.#seenMs.delete(agent);
    });
  }

  /** Whether a host that cannot be sealed must have heard of the deletion, or must have stopped. */
  #isFenced(agent: string, index: number): boolean {
    const { nowMs, settings } = this.#context;
    let seen = this.#seenMs.get(agent);
    if (seen?.index !== index) this.#seenMs.set(agent, (seen = { index, atMs: nowMs }));
    return nowMs - seen.atMs >= settings.fenceMs;
  }
}
