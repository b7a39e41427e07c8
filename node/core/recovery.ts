import type { Context } from './context.ts';
import type { Holder, Kept } from './holder.ts';
import type { Checkpoint, HolderStep, MessageOf, NodeId } from './message.ts';
import { majorityOf, type Quorum } from './replication.ts';
import { isSameVersion, StateCopy } from './state-copy.ts';
import { decodeManifest } from './state-manifest.ts';

/** A step of the state that an epoch can begin from. */
export type Found = Checkpoint | Kept;

/** The newest step of an instance that goes on, and what its earlier ones led to. */
export interface Held extends Kept {
  /** Undefined where it is not remembered. */
  checksumAt(sequence: number): number | undefined;
}

export interface RecoveryInit {
  context: Context;
  holder: Holder;
  agent: string;
  epoch: number;
  /** Holders of the last active epoch. */
  previousHolders: readonly NodeId[];
  /** How many of them must be sealed; a majority when omitted. */
  quorum?: Quorum;
  /** What an instance here holds that ran in an earlier epoch and is to go on. */
  held?: (() => Held) | undefined;
  /** A majority is sealed; the newest step that they or this node have, if any; `isHeld`: it is that one. Told once. */
  found(best: Found | undefined, isHeld: boolean): void;
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
  /** What those keep that were sealed: nothing is epoch 0. */
  readonly #kept = new Map<NodeId, { epoch: number; sequence: number; checksum?: number; atMs: number }>();
  /** What the instance here holds is not what a holder was given by it. */
  #isHeldWrong = false;
  readonly #known: Kept | undefined;
  /** The newest step, when it is one of which the parts are still to come. */
  #fetching: { best: Checkpoint; copy: StateCopy } | undefined;
  #isOver = false;

  constructor(init: RecoveryInit) {
    this.#init = init;
    this.#known = init.holder.kept(init.agent);
  }

  /** Whether it still waits for holders, or for what they have. */
  get isUnderWay(): boolean {
    return !this.#isOver;
  }

  /** What is known of the holders, for who waits for them, and what this node has itself. */
  seen(): HolderStep[] {
    const { context, previousHolders } = this.#init;
    const { self, nowMs } = context;
    const steps = previousHolders.map((node) => {
      const { epoch = 0, sequence = 0, atMs = 0 } = this.#kept.get(node) ?? {};
      const ageMs = Math.min(nowMs - atMs, ageMsMax);
      return { node, known: this.#kept.has(node), epoch, sequence, ageMs, keepsPace: false };
    });
    if (this.#known === undefined || previousHolders.includes(self)) return steps;
    const { epoch, sequence } = this.#known;
    return [...steps, { node: self, known: true, epoch, sequence, ageMs: 0, keepsPace: false }];
  }

  tick(): void {
    if (this.#fetching === undefined) this.seal();
    else this.#fetching.copy.tick();
  }

  /** Asks those that have not answered. Holders need not hand over what this node has already. */
  seal(): void {
    const { context, holder, agent, epoch, previousHolders } = this.#init;
    const here = this.#newestHere();
    const known = here && { epoch: here.epoch, sequence: here.sequence, checksum: here.state.checksum };
    for (const node of previousHolders) {
      if (this.#sealed.has(node)) continue;
      if (node === context.self) holder.seal(agent, epoch, known, (sealed) => this.onSealed(node, sealed));
      else context.out.sendUrgent(node, { type: 'seal', body: { agent, epoch, ...(known && { known }) } });
    }
  }

  onSealed(from: NodeId, { epoch, granted, checkpoint, kept }: MessageOf<'sealed'>): void {
    const { previousHolders, deposed, found } = this.#init;
    if (this.#isOver || epoch !== this.#init.epoch || !previousHolders.includes(from)) return;
    if (!granted) {
      this.end();
      deposed();
      return;
    }
    this.#sealed.set(from, checkpoint);
    const step = { epoch: 0, sequence: 0, ...kept };
    this.#kept.set(from, { ...step, atMs: this.#init.context.nowMs });
    if (this.#fetching !== undefined) {
      const { best, copy } = this.#fetching;
      if (checkpoint !== undefined && isSameStep(checkpoint, best)) copy.addSource(from);
      return;
    }
    if (this.#sealed.size < (this.#init.quorum ?? majorityOf)(previousHolders.length)) return;
    const held = this.#held();
    if (held !== undefined && this.#isContradicted(held)) {
      // They left out what it seemed to know.
      this.#isHeldWrong = true;
      this.#sealed.clear();
      return this.seal();
    }
    const best = newestOf([this.#known, held, ...this.#sealed.values()]);
    if (best !== undefined && 'parts' in best && best.parts !== undefined) return this.#fetch(best);
    this.end();
    found(best, best !== undefined && best === held);
  }

  #held(): Held | undefined {
    return this.#isHeldWrong ? undefined : this.#init.held?.();
  }

  #newestHere(): Kept | undefined {
    return newestOf([this.#known, this.#held()]);
  }

  /** Whether a holder keeps a step of the same epoch that led to another state. */
  #isContradicted({ epoch, sequence, checksumAt }: Held): boolean {
    for (const kept of this.#kept.values()) {
      if (kept.epoch !== epoch || kept.checksum === undefined) continue;
      const checksum = checksumAt(kept.sequence);
      if (kept.sequence > sequence || (checksum !== undefined && checksum !== kept.checksum)) return true;
    }
    return false;
  }

  /** The step of an epoch that a holder keeps; undefined when it keeps another, or did not say. */
  keptOf(epoch: number, node: NodeId): { epoch: number; sequence: number } | undefined {
    const kept = this.#kept.get(node);
    return kept?.epoch === epoch ? kept : undefined;
  }

  /** A state that is too large for one message comes from whoever has it, but for the parts that are here. */
  #fetch(best: Checkpoint): void {
    const { context, holder, agent, found } = this.#init;
    const { epoch, sequence, checksum = 0, parts = nothing } = best;
    const manifest = decodeManifest(parts, checksum);
    if (manifest === undefined) {
      this.end();
      // It has no mailbox at its end: whoever reads it says so.
      return found({ epoch, sequence, state: nothing, results: [] }, false);
    }
    const sources = [...this.#sealed].filter(([, step]) => step !== undefined && isSameStep(step, best));
    const copy = new StateCopy({
      context,
      window: holder.window,
      version: { agent, epoch, sequence, checksum },
      manifest,
      known: [this.#newestHere()?.state.parts ?? []],
      sources: sources.map(([node]) => node),
    });
    this.#fetching = { best, copy };
    this.#advance();
  }

  onPieces(from: NodeId, pieces: MessageOf<'statePieces'>): void {
    const { copy } = this.#fetching ?? {};
    if (this.#isOver || copy === undefined || copy.isComplete || !isSameVersion(copy.version, pieces)) return;
    if (!pieces.gone) {
      copy.kept(copy.take(pieces));
      this.#advance();
    } else if (copy.sources.includes(from) && !copy.dropSource(from)) {
      // Nobody has that step any more: what there is now, the holders say when they are asked again.
      copy.end();
      this.#fetching = undefined;
      this.#sealed.clear();
    }
  }

  #advance(): void {
    if (this.#fetching === undefined) return;
    const { copy } = this.#fetching;
    if (!copy.isComplete) return copy.pump();
    this.#init.holder.later(`recovery of ${this.#init.agent}`, copy.partsCount, () => this.#finish());
  }

  #finish(): void {
    if (this.#isOver || this.#fetching === undefined) return;
    const { best, copy } = this.#fetching;
    this.end();
    const { epoch, sequence, results } = best;
    this.#init.found({ epoch, sequence, state: copy.state(), results }, false);
  }

  /** What is still on its way to it starts nothing any more. */
  end(): void {
    this.#isOver = true;
    this.#fetching?.copy.end();
  }
}

const nothing = new Uint8Array(0);
const ageMsMax = 0xffffffff;

const isSameStep = (a: Checkpoint, b: Checkpoint): boolean =>
  a.epoch === b.epoch && a.sequence === b.sequence && a.checksum === b.checksum;

/** The newest step. Of two that are the same the last: a sealed holder's word counts more than what this node had. */
function newestOf<S extends Found>(steps: (S | undefined)[]): S | undefined {
  return steps.reduce((best, step) => {
    if (best === undefined || step === undefined) return step ?? best;
    if (step.epoch !== best.epoch) return step.epoch > best.epoch ? step : best;
    return step.sequence >= best.sequence ? step : best;
  }, undefined);
}
