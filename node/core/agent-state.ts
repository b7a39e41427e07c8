import { joined } from './bytes.ts';
import { ChangeLog } from './change-log.ts';
import { decodeMailbox, emptyMailbox, encodeMailbox, type Mailbox } from './mailbox.ts';
import { mailboxEndBytesMax, type Settings } from './settings.ts';
import { cut, StateBytes, type StatePart } from './state-bytes.ts';
import { changeBetween, fits, type StateChange, type StateUpdate } from './state-change.ts';

/** What one step changes of an agent's state. */
export interface StepChanges {
  /** Of the agent's own part. */
  own: StateChange | undefined;
  mailbox: Mailbox;
}

type StateSettings = Pick<Settings, 'statePartBytes' | 'stateChangesMax' | 'stateChangesBytesMax' | 'stateChunkBytes'>;

/**
 * The replicated state of an agent that runs here, and the changes that lately led to it: the agent's own checkpoint and,
 * behind it, its mailbox. Holders keep both as one row of bytes, so that neither is ever without the other.
 */
export class AgentState {
  readonly #settings: StateSettings;
  #all: StateBytes;
  /** Of these the agent's own. */
  #ownLength = 0;
  #mailbox = emptyMailbox;
  #mailboxBytes = encodeMailbox(emptyMailbox);
  #log: ChangeLog;
  /** What its runner told ahead of the next state or change, too much for one turn: it stands before what that inserts. */
  #ahead: StatePart[] = [];
  #aheadBytes = 0;

  constructor(settings: StateSettings) {
    this.#settings = settings;
    this.#all = StateBytes.of(this.#mailboxBytes, settings.statePartBytes);
    this.#log = this.#logSince(0);
  }

  /** What holders keep. */
  get all(): StateBytes {
    return this.#all;
  }

  /** The agent's own checkpoint, whenever it is asked for: what is here now does not change. As views of its parts. */
  own(): () => Uint8Array[] {
    const [all, length] = [this.#all, this.#ownLength];
    return () => [...all.views(0, length)];
  }

  get ownLength(): number {
    return this.#ownLength;
  }

  /** Takes bytes of the next state, or of what the next change inserts, that come ahead of it. Returns how many there are. */
  tellAhead(bytes: Uint8Array): number {
    this.#ahead.push(...cut(bytes, this.#settings.statePartBytes));
    this.#aheadBytes += bytes.byteLength;
    return this.#aheadBytes;
  }

  /** What was told ahead is of nothing that comes. */
  forgetAhead(): void {
    this.#ahead = [];
    this.#aheadBytes = 0;
  }

  get mailbox(): Mailbox {
    return this.#mailbox;
  }

  /** Begins with the first state of a new agent. */
  begin(own: Uint8Array): void {
    const rest = StateBytes.of(joined([own, this.#mailboxBytes]), this.#settings.statePartBytes);
    this.#ownLength = this.#aheadBytes + own.byteLength;
    this.#all = rest.insert(0, this.#ahead);
    this.#log = this.#logSince(0);
    this.forgetAhead();
  }

  /** Begins with what holders kept, as that of a sequence. Throws when it is no such thing. */
  takeOver(all: Uint8Array | StateBytes, sequence: number): void {
    const state = all instanceof StateBytes ? all : StateBytes.of(all, this.#settings.statePartBytes);
    // No more of it than may be the mailbox: the rest may be large.
    const end = state.slice(Math.max(0, state.length - mailboxEndBytesMax), state.length);
    const { length, mailbox } = decodeMailbox(end);
    this.#ownLength = state.length - end.byteLength + length;
    this.#mailbox = mailbox;
    this.#mailboxBytes = end.slice(length);
    this.#all = state;
    this.#log = this.#logSince(sequence);
  }

  #logSince(sequence: number): ChangeLog {
    const { stateChangesMax, stateChangesBytesMax } = this.#settings;
    return new ChangeLog(sequence, { changesMax: stateChangesMax, bytesMax: stateChangesBytesMax });
  }

  /** What a runner's word comes to: a change of the agent's own state; `wrong` when it is one of another. Of a refused task: none. */
  changeIn(update: StateUpdate, ok: boolean): StateChange | undefined | 'wrong' {
    if (!ok || update === undefined || update instanceof Uint8Array) this.forgetAhead();
    if (update instanceof Uint8Array) {
      return ok ? changeBetween(this.#all.slice(0, this.#ownLength), update) : undefined;
    }
    if (update === undefined) return undefined;
    return ok && fits(update, this.#ownLength, Number.POSITIVE_INFINITY) ? update : 'wrong';
  }

  /** Of the agent's own state. */
  lengthAfter(change: StateChange | undefined): number {
    if (change === undefined) return this.#ownLength;
    return this.#ownLength + this.#aheadBytes + change.inserted.byteLength - change.removed;
  }

  /** One step: a change of the agent's own state, of its mailbox, of both, or of neither. */
  apply(sequence: number, { own, mailbox }: StepChanges): void {
    if (own !== undefined) {
      this.#ownLength = this.lengthAfter(own);
      this.#splice(sequence, own);
      this.#takeAhead(sequence, own.offset);
    }
    if (mailbox === this.#mailbox) return;
    const bytes = encodeMailbox(mailbox);
    const moved = changeBetween(this.#mailboxBytes, bytes);
    this.#mailbox = mailbox;
    this.#mailboxBytes = bytes;
    if (moved !== undefined) this.#splice(sequence, { ...moved, offset: this.#ownLength + moved.offset });
  }

  #splice(sequence: number, part: StateChange): void {
    const change = { ...part, previousLength: this.#all.length };
    this.#all = this.#all.splice(change);
    this.#log.add(sequence, change);
  }

  /** A change this large is kept as none: holders fetch the parts that they lack. */
  #takeAhead(sequence: number, offset: number): void {
    if (this.#ahead.length === 0) return;
    this.#all = this.#all.insert(offset, this.#ahead);
    this.#log = this.#logSince(sequence);
    this.forgetAhead();
  }

  /** The changes after a sequence; undefined when they are no longer all kept. */
  changesAfter(sequence: number): StateChange[] | undefined {
    return this.#log.after(sequence);
  }
}
