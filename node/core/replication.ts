import type { Context } from './context.ts';
import type { Holder } from './holder.ts';
import type { HolderStep, MessageOf, NodeId, TaskResult } from './message.ts';
import type { StateBytes } from './state-bytes.ts';
import type { StateChange } from './state-change.ts';
import { isSameVersion, piecesFor } from './state-copy.ts';
import { encodeManifest } from './state-manifest.ts';

/** How many of n must have a step. */
export type Quorum = (n: number) => number;
export const majorityOf: Quorum = (n) => Math.floor(n / 2) + 1;
export const all: Quorum = (n) => n;

interface Progress {
  /** It counts for what is durable; one that is only being prepared does not. */
  counts: boolean;
  /** Highest sequence this holder has durably; -1 when it has nothing of this epoch. */
  acked: number;
  /** What it may have of an earlier epoch: the step from which this one went on. It says so if not. */
  base: Base | undefined;
  inFlight: InFlight | undefined;
  /** When it last answered; undefined: never. */
  heardMs: number | undefined;
}

interface InFlight {
  sequence: number;
  sentMs: number;
  /** When the holder was first sent something that it has not answered. */
  sinceMs: number;
  /** A state too large for one message, as it was then: it is offered until it is kept, whatever changes meanwhile. */
  offered?: { offer: MessageOf<'stateOffer'>; state: StateBytes; copied: number };
}

/** A step that names the state which it led to. */
export interface Base {
  epoch: number;
  sequence: number;
}

/** What is to be copied: the agent's newest state and the results that led to it. */
export interface Source {
  newest(): { sequence: number; state: StateBytes };
  /** All remembered results. */
  all(): TaskResult[];
  /** Results of steps below this one are no longer kept. */
  resultsFrom(): number;
  /** The changes and results after a sequence; undefined when they are no longer all remembered, or are too much. */
  after(sequence: number): Step | undefined;
}

/** What leads from one sequence to a later one. */
export interface Step {
  changes: StateChange[];
  results: TaskResult[];
}

const nothing = new Uint8Array(0);

const newProgress = (counts: boolean): Progress => ({
  ...{ counts, acked: -1, base: undefined, inFlight: undefined, heardMs: undefined },
});
const ageMsMax = 0xffffffff;

/**
 * Copies an agent's state to its holders: one message on its way to each, and whatever changed meanwhile goes with the
 * next, so a slow holder gets fewer, larger steps and slows nobody.
 */
export class Replication {
  readonly #context: Context;
  readonly #holder: Holder;
  readonly #agent: string;
  readonly #epoch: number;
  readonly #progress = new Map<NodeId, Progress>();
  /** Asked for several times with every step; undefined: to be counted anew. */
  #durable: number | undefined;
  readonly #source: Source;
  readonly #quorum: Quorum;
  readonly #onProgress: () => void;
  readonly #onDeposed: () => void;

  constructor(init: {
    context: Context;
    holder: Holder;
    agent: string;
    epoch: number;
    holders: readonly NodeId[];
    source: Source;
    /** A majority when omitted. */
    quorum?: Quorum;
    onProgress: () => void;
    onDeposed: () => void;
  }) {
    this.#context = init.context;
    this.#holder = init.holder;
    this.#agent = init.agent;
    this.#epoch = init.epoch;
    this.#source = init.source;
    this.#quorum = init.quorum ?? majorityOf;
    this.#onProgress = init.onProgress;
    this.#onDeposed = init.onDeposed;
    for (const node of init.holders) this.#progress.set(node, newProgress(true));
  }

  /**
   * The epoch begins where that step of an earlier one led to: who has it needs no more than to be told so, and who has one
   * on the way to it, the changes since.
   */
  beginFrom(base: Base, onTheWay?: (node: NodeId) => Base | undefined): void {
    for (const [node, progress] of this.#progress) progress.base = onTheWay?.(node) ?? base;
  }

  /** Another epoch begins: what is still on its way to this one counts no more, and nothing is sent. */
  end(): void {
    this.#progress.clear();
  }

  /** Copies the state to one more node, which does not count; to none any more without a name. */
  prepare(target: NodeId | undefined): void {
    for (const [node, { counts }] of this.#progress) if (!counts && node !== target) this.#progress.delete(node);
    if (target !== undefined && !this.#progress.has(target)) this.#progress.set(target, newProgress(false));
  }

  /** The highest sequence that a node has on disk; -1 when there is none. */
  ackedBy(node: NodeId): number {
    return this.#progress.get(node)?.acked ?? -1;
  }

  /** The highest sequence that enough holders have on disk; -1 when there is none yet. */
  durableSequence(): number {
    this.#durable ??= this.#countDurable();
    return this.#durable;
  }

  #countDurable(): number {
    const holders = [...this.#progress.values()].filter(({ counts }) => counts);
    const acked = holders.map((progress) => progress.acked).sort((a, b) => b - a);
    return acked[this.#quorum(acked.length) - 1] ?? -1;
  }

  /** What is known of the holders. */
  seen(): HolderStep[] {
    const { nowMs, settings } = this.#context;
    const { sequence } = this.#source.newest();
    const holders = [...this.#progress].filter(([, { counts }]) => counts);
    return holders.map(([node, { acked, inFlight, heardMs }]) => {
      const isOnItsWay = inFlight !== undefined && nowMs - inFlight.sinceMs < settings.holderRetryMs;
      const keepsPace = acked >= sequence || (acked >= 0 && isOnItsWay && inFlight.offered === undefined);
      const ageMs = Math.min(heardMs === undefined ? ageMsMax : nowMs - heardMs, ageMsMax);
      return { node, known: acked >= 0, epoch: this.#epoch, sequence: Math.max(0, acked), ageMs, keepsPace };
    });
  }

  /** Sends what is missing to every holder that is not busy. */
  pump(): void {
    const { nowMs, settings } = this.#context;
    const { sequence } = this.#source.newest();
    for (const [node, progress] of this.#progress) {
      if (progress.acked >= sequence) continue;
      const { inFlight } = progress;
      if (inFlight !== undefined && nowMs - inFlight.sentMs < settings.holderRetryMs) continue;
      this.#send(node, progress, inFlight === undefined);
    }
  }

  #send(node: NodeId, progress: Progress, first: boolean): void {
    const { sequence, state } = this.#source.newest();
    const { acked } = progress;
    const base = acked >= 0 ? { epoch: this.#epoch, sequence: acked } : progress.base;
    const step = base !== undefined && first ? this.#source.after(base.sequence) : undefined;
    const isLarge = state.length > this.#context.settings.stateChunkBytes;
    if (progress.inFlight?.offered !== undefined) return this.#offer(node, progress);
    if (step === undefined && isLarge) return this.#offerLater(node, progress, state.parts.length);
    const body: MessageOf<'replicate'> = {
      agent: this.#agent,
      epoch: this.#epoch,
      sequence,
      previousEpoch: base?.epoch ?? 0,
      previousSequence: base?.sequence ?? 0,
      full: step === undefined,
      state: step === undefined ? state.bytes() : nothing,
      changes: step?.changes ?? [],
      results: step?.results ?? this.#source.all(),
      resultsFrom: this.#source.resultsFrom(),
      checksum: state.checksum,
    };
    const { nowMs } = this.#context;
    progress.inFlight = { sequence, sentMs: nowMs, sinceMs: progress.inFlight?.sinceMs ?? nowMs };
    if (node === this.#context.self) this.#holder.replicate(body, (answer) => this.onReplicated(node, answer));
    else this.#context.out.sendUrgent(node, { type: 'replicate', body });
  }

  /** In a turn of its own for each holder, however many are to be told at once. */
  #offerLater(node: NodeId, progress: Progress, parts: number): void {
    // It puts that off itself.
    if (node === this.#context.self) return this.#offer(node, progress);
    this.#holder.later(`offer of ${this.#agent} to ${node}`, parts, () => {
      const isDue = this.#progress.get(node) === progress && progress.inFlight?.offered === undefined;
      if (isDue && progress.acked < this.#source.newest().sequence) this.#offer(node, progress);
    });
  }

  /** Offers the state as it is now, or once more as it was when it was offered first. */
  #offer(node: NodeId, progress: Progress): void {
    const offered = progress.inFlight?.offered ?? this.#newOffer();
    const { offer, state } = offered;
    const { nowMs } = this.#context;
    const { sinceMs = nowMs } = progress.inFlight ?? {};
    progress.inFlight = { sequence: offer.sequence, sentMs: nowMs, sinceMs, offered };
    const { self, out } = this.#context;
    if (node !== self) out.sendUrgent(node, { type: 'stateOffer', body: offer });
    else this.#holder.offer(self, offer, (answer) => this.onReplicated(node, answer), state);
  }

  #newOffer(): NonNullable<InFlight['offered']> {
    const { sequence, state } = this.#source.newest();
    const { checksum } = state;
    const results = { results: this.#source.all(), resultsFrom: this.#source.resultsFrom() };
    const step = { agent: this.#agent, epoch: this.#epoch, sequence, checksum };
    return { offer: { ...step, parts: encodeManifest(state), ...results }, state, copied: 0 };
  }

  /** A holder asks for parts of what it was offered; undefined when it was not offered that. */
  onFetch(from: NodeId, asked: MessageOf<'stateFetch'>): MessageOf<'statePieces'> | undefined {
    const { inFlight } = this.#progress.get(from) ?? {};
    if (inFlight?.offered === undefined || !isSameVersion(inFlight.offered.offer, asked)) return undefined;
    inFlight.sentMs = this.#context.nowMs;
    inFlight.offered.copied = asked.copied;
    return piecesFor(asked, inFlight.offered.state, this.#context.settings.stateChunkBytes);
  }

  /** Bytes of what a node was offered that it has. */
  copiedBy(node: NodeId): number {
    return this.#progress.get(node)?.inFlight?.offered?.copied ?? 0;
  }

  onReplicated(from: NodeId, answer: MessageOf<'replicated'>): void {
    const progress = this.#progress.get(from);
    if (progress === undefined || answer.epoch !== this.#epoch) return;
    if (!answer.accepted && !answer.needsFull) {
      // One that is only being prepared cannot say that this epoch is over.
      if (progress.counts) this.#onDeposed();
      return;
    }
    progress.heardMs = this.#context.nowMs;
    this.#durable = undefined;
    const offered = progress.inFlight?.offered?.offer;
    if (answer.accepted) progress.acked = Math.max(progress.acked, answer.sequence);
    else if (offered === undefined) {
      progress.acked = -1;
      progress.base = undefined;
    }
    // What was said of an earlier step does not end the copy of a later one.
    if (offered === undefined || progress.acked >= offered.sequence) progress.inFlight = undefined;
    this.#onProgress();
    this.pump();
  }
}
