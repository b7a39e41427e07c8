import { joined } from './bytes.ts';
import { ChangeLog } from './change-log.ts';
import { decodeMailbox, emptyMailbox, encodeMailbox, type Mailbox } from './mailbox.ts';
import type { Settings } from './settings.ts';
import { StateBytes } from './state-bytes.ts';
import { changeBetween, fits, type StateChange, type StateUpdate } from './state-change.ts';

/** What one step changes of an agent's state. */
export interface StepChanges {
  /** Of the agent's own part. */
  own: StateChange | undefined;
  mailbox: Mailbox;
}

type StateSettings = Pick<Settings, 'statePartBytes' | 'stateChangesMax' | 'stateChangesBytesMax'>;

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

  constructor(settings: StateSettings) {
    this.#settings = settings;
    this.#all = StateBytes.of(this.#mailboxBytes, settings.statePartBytes);
    this.#log = this.#logSince(0);
  }

  /** What holders keep. */
  get all(): StateBytes {
    return this.#all;
  }

  /** The agent's own checkpoint, whenever it is asked for: what is here now does not change. */
  own(): () => Uint8Array {
    const [all, length] = [this.#all, this.#ownLength];
    return () => all.bytes().subarray(0, length);
  }

  get mailbox(): Mailbox {
    return this.#mailbox;
  }

  /** Begins with the first state of a new agent. */
  begin(own: Uint8Array): void {
    this.#ownLength = own.byteLength;
    this.#all = StateBytes.of(joined([own, this.#mailboxBytes]), this.#settings.statePartBytes);
    this.#log = this.#logSince(0);
  }

  /** Begins with what holders kept, as that of a sequence. Throws when it is no such thing. */
  takeOver(all: Uint8Array | StateBytes, sequence: number): void {
    const bytes = all instanceof StateBytes ? all.bytes() : all;
    const { length, mailbox } = decodeMailbox(bytes);
    this.#ownLength = length;
    this.#mailbox = mailbox;
    this.#mailboxBytes = bytes.slice(length);
    this.#all = all instanceof StateBytes ? all : StateBytes.of(all, this.#settings.statePartBytes);
    this.#log = this.#logSince(sequence);
  }

  #logSince(sequence: number): ChangeLog {
    const { stateChangesMax, stateChangesBytesMax } = this.#settings;
    return new ChangeLog(sequence, { changesMax: stateChangesMax, bytesMax: stateChangesBytesMax });
  }

  /** What a runner's word comes to: a change of the agent's own state; `wrong` when it is one of another. Of a refused task: none. */
  changeIn(update: StateUpdate, ok: boolean): StateChange | undefined | 'wrong' {
    if (update instanceof Uint8Array) return ok ? changeBetween(this.own()(), update) : undefined;
    if (update === undefined) return undefined;
    return ok && fits(update, this.#ownLength, Number.POSITIVE_INFINITY) ? update : 'wrong';
  }

  /** Of the agent's own state. */
  lengthAfter(change: StateChange | undefined): number {
    return this.#ownLength + (change === undefined ? 0 : change.inserted.byteLength - change.removed);
  }

  /** One step: a change of the agent's own state, of its mailbox, of both, or of neither. */
  apply(sequence: number, { own, mailbox }: StepChanges): void {
    if (own !== undefined) {
      this.#splice(sequence, own);
      this.#ownLength = this.lengthAfter(own);
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

  /** The changes after a sequence; undefined when they are no longer all kept. */
  changesAfter(sequence: number): StateChange[] | undefined {
    return this.#log.after(sequence);
  }
}
