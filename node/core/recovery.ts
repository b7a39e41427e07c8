import type { Context } from './context.ts';
import type { Holder, Kept } from './holder.ts';
import type { Checkpoint, MessageOf, NodeId } from './message.ts';
import { majorityOf, type Quorum } from './replication.ts';

/** A step of the state that an epoch can begin from. */
export type Found = Checkpoint | Kept;

export interface RecoveryInit {
  context: Context;
  holder: Holder;
  agent: string;
  epoch: number;
  /** Holders of the last active epoch. */
  previousHolders: readonly NodeId[];
  /** How many of them must be sealed; a majority when omitted. */
  quorum?: Quorum;
  /** A majority is sealed; the newest step that they or this node have, if any. Told once. */
  found(best: Found | undefined): void;
  /** One is sealed at a higher epoch. */
  deposed(): void;
}

/**
 * Seals a majority of an agent's previous holders at a new epoch, and finds the newest step of its state. What this node
 * has itself, as a holder or because it was prepared for the agent, counts as a step and not as a holder. A step newer
 * than those of the majority was never acknowledged, and is as good: what was acknowledged is in it.
 */
export class Recovery {
  readonly #init: RecoveryInit;
  readonly #sealed = new Map<NodeId, Checkpoint | undefined>();
  readonly #known: Kept | undefined;
  #isOver = false;

  constructor(init: RecoveryInit) {
    this.#init = init;
    this.#known = init.holder.kept(init.agent);
  }

  /** Asks those that have not answered. Holders need not hand over what this node has already. */
  seal(): void {
    const { context, holder, agent, epoch, previousHolders } = this.#init;
    const { sequence = 0, state } = this.#known ?? {};
    const known = this.#known && { epoch: this.#known.epoch, sequence, checksum: state?.checksum ?? 0 };
    for (const node of previousHolders) {
      if (this.#sealed.has(node)) continue;
      if (node === context.self) holder.seal(agent, epoch, known, (sealed) => this.onSealed(node, sealed));
      else context.out.sendUrgent(node, { type: 'seal', body: { agent, epoch, ...(known && { known }) } });
    }
  }

  onSealed(from: NodeId, { epoch, granted, checkpoint }: MessageOf<'sealed'>): void {
    const { previousHolders, deposed, found } = this.#init;
    if (this.#isOver || epoch !== this.#init.epoch || !previousHolders.includes(from)) return;
    if (!granted) {
      this.end();
      deposed();
      return;
    }
    this.#sealed.set(from, checkpoint);
    if (this.#sealed.size < (this.#init.quorum ?? majorityOf)(previousHolders.length)) return;
    this.end();
    found(newestOf([this.#known, ...this.#sealed.values()]));
  }

  /** What is still on its way to it starts nothing any more. */
  end(): void {
    this.#isOver = true;
  }
}

/** The newest step. Of two that are the same the last: a sealed holder's word counts more than what this node had. */
function newestOf(steps: (Found | undefined)[]): Found | undefined {
  return steps.reduce((best, step) => {
    if (best === undefined || step === undefined) return step ?? best;
    if (step.epoch !== best.epoch) return step.epoch > best.epoch ? step : best;
    return step.sequence >= best.sequence ? step : best;
  }, undefined);
}
