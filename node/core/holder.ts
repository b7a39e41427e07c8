import type { Context } from './context.ts';
import type { Write } from './effect.ts';
import { HolderCopies } from './holder-copies.ts';
import type { Checkpoint, Known, MessageOf, NodeId, TaskResult } from './message.ts';
import { type HolderRecord, keys, writeHolder } from './records.ts';
import { type Restored, type RestoredHolder, stateOnDisk } from './restored.ts';
import { limits, replicatedBytesMax } from './settings.ts';
import { StateBytes } from './state-bytes.ts';
import { fits } from './state-change.ts';
import { FetchWindow, piecesFor } from './state-copy.ts';
import { encodeManifest, partsIn } from './state-manifest.ts';
import { type ResultsAhead, StoredResults } from './stored-results.ts';
import { StoredState } from './stored-state.ts';
import { Sweep } from './sweep.ts';

const nothing = new Uint8Array(0);

interface Held {
  /** Every lower epoch is refused. */
  sealedEpoch: number;
  epoch: number;
  sequence: number;
  stored: StoredState;
  results: StoredResults;
}

/** A step as it is kept here. */
export interface Kept {
  epoch: number;
  sequence: number;
  state: StateBytes;
  results: TaskResult[];
}

/** Whether who knows that has nothing to learn from this: it is older, or the very same. */
function isKnown({ epoch, sequence, stored }: Held, known: Known): boolean {
  if (epoch !== known.epoch) return epoch < known.epoch;
  return sequence < known.sequence || (sequence === known.sequence && stored.state.checksum === known.checksum);
}

/**
 * The replicated state of other nodes' agents (and of its own) that this node keeps. It obeys the highest epoch that it
 * has seen: sealing at an epoch is a durable promise to refuse every lower one (Vertical Paxos, Lamport et al. 2009).
 * Every answer leaves behind the write that it speaks of.
 */
export class Holder {
  readonly #context: Context;
  /** Whether the log says that the epoch of an agent lies behind its deletion. */
  readonly #isOver: (agent: string, epoch: number) => boolean;
  readonly #held = new Map<string, Held>();
  /** Of all states that this node fetches, as a holder or to run an agent. */
  readonly window: FetchWindow;
  readonly #copies: HolderCopies;
  readonly #sweep = new Sweep();

  constructor(context: Context, restored: Restored, isOver: (agent: string, epoch: number) => boolean) {
    this.#context = context;
    this.#isOver = isOver;
    this.window = new FetchWindow(context.settings.stateFetchBytesMax);
    this.#copies = new HolderCopies(context, this.window, this.#sweep, () => this.#heldBytes());
    if (restored.strays.length > 0) {
      context.out.persist(restored.strays.map((key) => ({ key, value: undefined })));
    }
    for (const [agent, found] of restored.holders) {
      const { sealedEpoch, epoch, sequence } = found.record;
      const stored = this.#restored(agent, found);
      const results = new StoredResults(agent, found.record.table, found.results);
      this.#held.set(agent, { sealedEpoch, epoch, sequence, stored, results });
    }
  }

  /** Throws when the state is not the one that the record speaks of. */
  #restored(agent: string, found: RestoredHolder): StoredState {
    const stored = stateOnDisk(agent, this.#context.settings, found);
    // Records from before there were parts have no checksum.
    if (found.parts === undefined || stored.state.checksum === found.record.checksum) return stored;
    throw new Error(`the state of ${agent} on the disk is not what was written as step ${found.record.sequence}`);
  }

  #heldBytes(): number {
    let bytes = 0;
    for (const { stored } of this.#held.values()) bytes += stored.state.length;
    return bytes;
  }

  /** The newest step of an agent that is here, from whatever epoch; undefined when there is none. */
  kept(agent: string): Kept | undefined {
    const held = this.#held.get(agent);
    if (held === undefined || held.epoch === 0) return undefined;
    const { epoch, sequence, stored, results } = held;
    return { epoch, sequence, state: stored.state, results: results.all() };
  }

  /** Which step of an agent is here, and below which epoch it refuses; undefined when it knows nothing of it. */
  stepOf(agent: string): { epoch: number; sequence: number; sealedEpoch: number } | undefined {
    return this.#held.get(agent);
  }

  /** Agents of which there is something here. */
  agents(): Iterable<string> {
    return this.#held.keys();
  }

  /**
   * Promises to refuse all epochs below, and hands over what it keeps. That is left out where the asker has the same
   * already, or something newer.
   */
  seal(agent: string, epoch: number, known: Known | undefined, answer: (sealed: MessageOf<'sealed'>) => void): void {
    const refusedBelow = this.#refusedBelow(agent, epoch);
    if (epoch < refusedBelow) {
      answer({ agent, epoch, granted: false, sealedEpoch: refusedBelow });
      return;
    }
    const held = this.#hold(agent);
    const isAsked = held.epoch > 0 && !(known !== undefined && isKnown(held, known));
    const checkpoint = isAsked ? this.#checkpoint(held) : undefined;
    const kept = { epoch: held.epoch, sequence: held.sequence, checksum: held.stored.state.checksum };
    const told = { ...(held.epoch > 0 && { kept }), ...(checkpoint && { checkpoint }) };
    const sealed = { agent, epoch, granted: true, sealedEpoch: epoch, ...told };
    if (epoch > held.sealedEpoch) {
      this.#copies.stop(agent, epoch);
      held.sealedEpoch = epoch;
      this.#context.out.persist([this.#write(agent, held)], () => answer(sealed));
    } else this.#context.out.persist([], () => answer(sealed));
  }

  /** Of a large state only what its parts are: who wants them asks for them. */
  #checkpoint({ epoch, sequence, stored, results }: Held): Checkpoint {
    const { state } = stored;
    const step = { epoch, sequence, results: results.all() };
    if (state.length <= this.#context.settings.stateChunkBytes) return { ...step, state: state.bytes() };
    return { ...step, state: nothing, parts: encodeManifest(state), checksum: state.checksum };
  }

  /** Takes over the host's state, whole or as changes on top of what it has. */
  replicate(message: MessageOf<'replicate'>, answer: (replicated: MessageOf<'replicated'>) => void): void {
    if (this.#isAnswered(message, answer)) return;
    const { agent, epoch, sequence } = message;
    const held = this.#hold(agent);
    const { sealedEpoch } = held;
    const reply = { agent, epoch, sequence, accepted: false, needsFull: false, sealedEpoch };
    const isBase = held.epoch === message.previousEpoch && held.sequence === message.previousSequence;
    if (!message.full && !(held.epoch > 0 && isBase)) {
      answer({ ...reply, needsFull: true });
      return;
    }
    const state = this.#stateAfter(held, message);
    if (state === undefined) {
      // One that makes no sense as a whole is not asked for again: the host says it again after a while.
      if (!message.full) answer({ ...reply, needsFull: true });
      return;
    }
    const writes = message.full ? held.results.replace(message.results) : held.results.extend(message);
    if (message.full) writes.push(...this.#replace(agent, held, state));
    else writes.push(...held.stored.extend(state, sequence, message.changes));
    this.#keep(held, writes, message, () => answer({ ...reply, accepted: true, sealedEpoch: epoch }));
  }

  /** Makes a step the one that is kept, with what else is to be written for it. */
  #keep(held: Held, writes: Write[], step: { agent: string; epoch: number; sequence: number }, done: () => void): void {
    const { agent, epoch, sequence } = step;
    held.sealedEpoch = epoch;
    held.epoch = epoch;
    held.sequence = sequence;
    writes.push(this.#write(agent, held));
    this.#context.out.persist(writes, done);
  }

  /** Takes over the host's state part by part. `local`: the host is this node, and the parts are in memory. */
  offer(
    from: NodeId,
    offer: MessageOf<'stateOffer'>,
    answer: (replicated: MessageOf<'replicated'>) => void,
    local?: StateBytes,
  ): void {
    if (this.#isAnswered(offer, answer)) return;
    const { agent, epoch, sequence } = offer;
    const held = this.#hold(agent);
    const done = (state: StateBytes, ahead: ResultsAhead | undefined): void => {
      // Much may have happened since it began.
      if (this.#held.get(agent) !== held || this.#isAnswered(offer, answer)) {
        if (ahead !== undefined) this.#context.out.persist(this.#sweep.begin(agent, ahead.keys()));
        return;
      }
      const writes = ahead === undefined ? held.results.replace(offer.results) : this.#take(agent, held, ahead);
      writes.push(...this.#replace(agent, held, state));
      const reply = { agent, epoch, sequence, accepted: true, needsFull: false, sealedEpoch: epoch };
      this.#keep(held, writes, offer, () => answer(reply));
    };
    this.later(agent, partsIn(offer.parts), () => {
      if (!this.#isAnswered(offer, answer)) this.#copies.begin(from, offer, held, done, local);
    });
  }

  /** Nothing is to be taken over: the epoch is refused here, or the step is kept already. */
  #isAnswered(
    { agent, epoch, sequence }: { agent: string; epoch: number; sequence: number },
    answer: (replicated: MessageOf<'replicated'>) => void,
  ): boolean {
    const sealedEpoch = this.#refusedBelow(agent, epoch);
    const reply = { agent, epoch, sequence, accepted: false, needsFull: false, sealedEpoch };
    if (epoch < sealedEpoch) {
      answer(reply);
      return true;
    }
    const held = this.#held.get(agent);
    if (held?.epoch !== epoch || held.sequence < sequence) return false;
    // Sent twice, or late: it is here already, but its write may still be on its way, and a later one behind this.
    const kept = held.sequence;
    this.#context.out.persist([], () => answer({ ...reply, sequence: kept, accepted: true }));
    return true;
  }

  /** Keeps nothing of an agent any more but that every epoch below is refused; not yet, where something of it is on its way here. */
  letGo(agent: string, below: number): void {
    const held = this.#held.get(agent);
    if (held === undefined || held.epoch === 0 || this.#copies.isUnderWay(agent)) return;
    held.sealedEpoch = Math.max(held.sealedEpoch, below);
    held.epoch = 0;
    held.sequence = 0;
    const writes = this.#sweep.begin(agent, held.results.clear());
    writes.push(...this.#replace(agent, held, StateBytes.of(nothing, this.#context.settings.statePartBytes)));
    this.#context.out.persist([...writes, this.#write(agent, held)]);
  }

  /** See `HolderCopies`. */
  later(key: string, parts: number, run: () => void): void {
    this.#copies.later(key, parts, run);
  }

  onPieces(from: NodeId, pieces: MessageOf<'statePieces'>): void {
    this.#copies.onPieces(from, pieces);
  }

  /** The parts that are asked for, where this is the step that is kept here. */
  pieces(asked: MessageOf<'stateFetch'>): MessageOf<'statePieces'> {
    const held = this.#held.get(asked.agent);
    const { state } = held?.stored ?? {};
    const has = held?.epoch === asked.epoch && held.sequence === asked.sequence && state?.checksum === asked.checksum;
    return piecesFor(asked, has ? state : undefined, this.#context.settings.stateChunkBytes);
  }

  tick(): void {
    this.#copies.tick();
    const swept = this.#sweep.tick();
    if (swept.length > 0) this.#context.out.persist(swept);
  }

  /** The state that a step leads to; undefined when its parts do not fit each other, or what is here. */
  #stateAfter(held: Held, { full, state, changes, checksum }: MessageOf<'replicate'>): StateBytes | undefined {
    const bytes = full ? state.byteLength : changes.reduce((sum, { inserted }) => sum + inserted.byteLength, 0);
    if (bytes > limits.stateMessageBytesMax) return undefined;
    let after = full ? StateBytes.of(state, this.#context.settings.statePartBytes) : held.stored.state;
    for (const change of full ? [] : changes) {
      if (!fits(change, after.length, replicatedBytesMax)) return undefined;
      after = after.splice(change);
    }
    return after.checksum === checksum ? after : undefined;
  }

  /** Whether the epoch still stands here: no higher one has been sealed. */
  confirm({ agent, epoch, round }: MessageOf<'confirm'>): MessageOf<'confirmed'> {
    const sealedEpoch = this.#refusedBelow(agent, epoch);
    return { agent, epoch, round, standing: sealedEpoch <= epoch, sealedEpoch };
  }

  /** Epochs below this are refused: promised here, or ended by the log. */
  #refusedBelow(agent: string, epoch: number): number {
    return this.#isOver(agent, epoch) ? epoch + 1 : (this.#held.get(agent)?.sealedEpoch ?? 0);
  }

  /** The log was passed over up to an index: who is gone since does not end by a decision that this node sees. */
  onPassedOver(index: number, isThere: (agent: string) => boolean): void {
    for (const agent of [...this.#held.keys()]) if (!isThere(agent)) this.onGone(agent, index);
  }

  /** The agent that was deleted at that log index is gone; what a later one of the same name left here stays. */
  onGone(agent: string, index: number): void {
    const held = this.#held.get(agent);
    if (held === undefined || held.sealedEpoch > index) return;
    this.#held.delete(agent);
    this.#copies.forget(agent);
    const { writes, stale } = held.stored.remove();
    const swept = [stale, held.results.keys()].flatMap((each) => this.#sweep.begin(agent, each));
    this.#context.out.persist([{ key: keys.holder(agent), value: undefined }, ...writes, ...swept]);
  }

  #hold(agent: string): Held {
    const known = this.#held.get(agent);
    if (known !== undefined) return known;
    // One of that name that is gone used the same keys.
    const swept = this.#sweep.finish(agent);
    if (swept.length > 0) this.#context.out.persist(swept);
    const [stored, results] = [new StoredState(agent, this.#context.settings), new StoredResults(agent)];
    const held: Held = { sealedEpoch: 0, epoch: 0, sequence: 0, stored, results };
    this.#held.set(agent, held);
    return held;
  }

  #replace(agent: string, { stored }: Held, state: StateBytes): Write[] {
    const { writes, stale } = stored.replace(state);
    return [...writes, ...this.#sweep.begin(agent, stale)];
  }

  #take(agent: string, { results }: Held, ahead: ResultsAhead): Write[] {
    return this.#sweep.begin(agent, results.take(ahead));
  }

  #write(agent: string, { sealedEpoch, epoch, sequence, stored, results }: Held): Write {
    const { checksum } = stored.state;
    const record: HolderRecord = { sealedEpoch, epoch, sequence, state: stored.inline(), checksum };
    if (results.number > 0) record.table = results.number;
    return writeHolder(agent, record);
  }
}
