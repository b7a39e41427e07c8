import { type Context, reportLocally } from './context.ts';
import type { Write } from './effect.ts';
import type { MessageOf, NodeId } from './message.ts';
import { limits } from './settings.ts';
import type { StateBytes, StatePart } from './state-bytes.ts';
import { type FetchWindow, isSameVersion, StateCopy } from './state-copy.ts';
import { decodeManifest } from './state-manifest.ts';
import type { ResultsAhead, StoredResults } from './stored-results.ts';
import type { StoredState } from './stored-state.ts';
import type { Sweep } from './sweep.ts';

type Offer = MessageOf<'stateOffer'>;

/** Of states together that are gone through in one turn: more, where one alone has more. */
const turnPartsMax = 512;

/** What a disk has of an agent. */
export interface Stored {
  stored: StoredState;
  results: StoredResults;
}

interface Incoming extends Stored {
  offer: Offer;
  copy: StateCopy;
  /** All of it is here and on the disk, but for what makes it the holder's. `ahead`: the results, where they are many. */
  done: (state: StateBytes, ahead: ResultsAhead | undefined) => void;
  isWriting: boolean;
  /** Once all is here: the state, and up to which place its parts are on the disk. */
  whole?: { state: StateBytes; staged: number };
  /** Once all parts are: its results, where they are many. */
  ahead?: ResultsAhead | undefined;
}

/**
 * Large states on their way to this node as a holder. The parts go to the disk as they come, under numbers of their own;
 * they are of no step until all are there and the last write says so. Until then the holder keeps what it has, and a
 * program that starts anew drops them.
 */
export class HolderCopies {
  readonly #context: Context;
  readonly #window: FetchWindow;
  readonly #sweep: Sweep;
  readonly #incoming = new Map<string, Incoming>();
  /** What is to be done in a turn of its own, and since when. */
  readonly #later = new Map<string, { run: () => void; parts: number; sinceMs: number }>();

  /** Bytes of all states that are kept here. */
  readonly #heldBytes: () => number;
  /** Agents for whose state there is no room. */
  readonly #turnedAway = new Set<string>();

  constructor(context: Context, window: FetchWindow, sweep: Sweep, heldBytes: () => number) {
    this.#context = context;
    this.#window = window;
    this.#sweep = sweep;
    this.#heldBytes = heldBytes;
  }

  /**
   * Goes through so many parts in a turn to come, once by its key: those of a large state are much beside other work. Small
   * ones share a turn.
   */
  later(key: string, parts: number, run: () => void): void {
    this.#later.set(key, { run, parts, sinceMs: this.#context.nowMs });
  }

  /** Begins a copy, or goes on with it: with the parts that are here, whatever they came for. `local`: all is here, and not on the disk. */
  begin(from: NodeId, offer: Offer, { stored, results }: Stored, done: Incoming['done'], local?: StateBytes): void {
    const { agent } = offer;
    const before = this.#incoming.get(agent);
    if (before !== undefined && isSameVersion(before.offer, offer)) {
      before.done = done;
      before.copy.addSource(from);
      this.#advance(before);
      return;
    }
    if (before !== undefined && !isLater(offer, before.offer)) return;
    const manifest = decodeManifest(offer.parts, offer.checksum);
    if (manifest === undefined) return;
    before?.copy.end();
    this.#remove(agent);
    // Of parts that are alike the one on the disk is taken.
    const known = [stored.state.parts, stored.stagedParts(), local?.parts ?? []];
    const init = { context: this.#context, window: this.#window, manifest, known, sources: [from] };
    const copy = new StateCopy({ ...init, version: offer });
    // Its host says it again when there may be room.
    if (this.#isTooMuch(agent, copy.bytes, stored.state.length)) return this.#take(agent, stored.unstage());
    const kept = new Set(stored.stagedParts().length === 0 ? [] : copy.here());
    this.#take(
      agent,
      stored.unstage((part) => kept.has(part)),
    );
    const incoming = { offer, copy, stored, results, done, isWriting: false };
    this.#incoming.set(agent, incoming);
    this.#advance(incoming);
  }

  #isTooMuch(agent: string, bytes: number, instead: number): boolean {
    let copying = 0;
    for (const { copy } of this.#incoming.values()) copying += copy.bytes;
    if (copying > 0 && copying + bytes > limits.copyingBytesMax) return true;
    const held = this.#heldBytes() + copying + bytes - instead;
    if (held <= limits.heldBytesMax) {
      this.#turnedAway.delete(agent);
      return false;
    }
    if (!this.#turnedAway.has(agent)) {
      this.#turnedAway.add(agent);
      const text = `no room for the state of ${agent}: with it ${held} bytes would be kept, at most ${limits.heldBytesMax} are`;
      reportLocally(this.#context, 'holderFull', text, { agent, bytes });
    }
    return true;
  }

  /** Off the disk. */
  #take(agent: string, stale: Iterable<string>): void {
    const writes = this.#sweep.begin(agent, stale);
    if (writes.length > 0) this.#context.out.persist(writes);
  }

  #remove(agent: string): void {
    const { ahead } = this.#incoming.get(agent) ?? {};
    this.#incoming.delete(agent);
    if (ahead !== undefined) this.#take(agent, ahead.keys());
  }

  onPieces(from: NodeId, pieces: MessageOf<'statePieces'>): void {
    const incoming = this.#incoming.get(pieces.agent);
    if (incoming === undefined || !isSameVersion(incoming.offer, pieces)) return;
    const { copy, stored } = incoming;
    if (pieces.gone) {
      if (copy.sources.includes(from) && !copy.dropSource(from)) this.#give(incoming);
      return;
    }
    const taken = copy.take(pieces);
    if (taken.length === 0) return;
    this.#context.out.persist(stored.stage(taken), () => {
      copy.kept(taken);
      if (this.#incoming.get(pieces.agent) === incoming) this.#advance(incoming);
    });
  }

  #advance(incoming: Incoming): void {
    const { copy, stored, offer, done } = incoming;
    if (!copy.isComplete) return copy.pump();
    if (incoming.isWriting) return;
    incoming.whole ??= { state: copy.state(), staged: 0 };
    let rest = this.#nextPartsOf(incoming.whole, stored);
    if (rest.length === 0) {
      // Other steps that were kept meanwhile may have taken some off the disk.
      incoming.whole.staged = 0;
      rest = this.#nextPartsOf(incoming.whole, stored);
    }
    const writes = rest.length > 0 ? stored.stage(rest) : this.#nextResultsOf(incoming);
    if (writes.length === 0) {
      this.#incoming.delete(offer.agent);
      done(incoming.whole.state, incoming.ahead);
      return;
    }
    incoming.isWriting = true;
    this.#context.out.persist(writes, () => {
      incoming.isWriting = false;
      if (this.#incoming.get(offer.agent) === incoming) this.#advance(incoming);
    });
  }

  #nextResultsOf(incoming: Incoming): Write[] {
    const { resultsChunk } = this.#context.settings;
    incoming.ahead ??= incoming.results.ahead(incoming.offer.results, resultsChunk);
    return incoming.ahead?.next(resultsChunk) ?? [];
  }

  /** The next parts that are not on the disk, no more than are written at once: each time from where the last ones ended. */
  #nextPartsOf(whole: NonNullable<Incoming['whole']>, stored: StoredState): StatePart[] {
    const rest = new Set<StatePart>();
    const { parts } = whole.state;
    let bytes = 0;
    for (; whole.staged < parts.length && bytes < this.#context.settings.stateChunkBytes; whole.staged++) {
      const part = parts[whole.staged];
      if (part === undefined || stored.isOnDisk(part) || rest.has(part)) continue;
      rest.add(part);
      bytes += part.bytes.byteLength;
    }
    return [...rest];
  }

  /** Hosts of epochs below may not go on any more: nothing more is asked for. What is here is of use to the next one that comes soon. */
  stop(agent: string, below: number): void {
    const { offer, copy } = this.#incoming.get(agent) ?? {};
    // An offer may come before the seal of its epoch, and its host makes the same one again and again.
    if (offer !== undefined && offer.epoch >= below) return;
    this.#later.delete(agent);
    copy?.end();
  }

  isUnderWay(agent: string): boolean {
    return this.#incoming.has(agent) || this.#later.has(agent);
  }

  /** The agent is gone, and the caller takes everything of it off the disk. */
  forget(agent: string): void {
    this.stop(agent, Number.POSITIVE_INFINITY);
    this.#remove(agent);
    this.#turnedAway.delete(agent);
  }

  #give(incoming: Incoming): void {
    const { agent } = incoming.offer;
    this.forget(agent);
    this.#take(agent, incoming.stored.unstage());
  }

  #runLater(): void {
    const due = [...this.#later].filter(([, { sinceMs }]) => sinceMs < this.#context.nowMs);
    let gone = 0;
    for (const [key, { run, parts }] of due) {
      if (gone > 0 && gone + parts > turnPartsMax) return;
      gone += parts;
      this.#later.delete(key);
      run();
    }
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    this.#runLater();
    for (const incoming of [...this.#incoming.values()]) {
      if (nowMs - incoming.copy.heardMs >= settings.copyIdleMs) this.#give(incoming);
      else if (!incoming.copy.isComplete) incoming.copy.tick();
    }
  }
}

const isLater = (a: Offer, b: Offer): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
