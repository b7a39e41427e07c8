import { joined } from './bytes.ts';
import { ChangeLog } from './change-log.ts';
import { decodeMailbox, emptyMailbox, encodeMailbox, firstVersion, type Mailbox } from './mailbox.ts';
import { mailboxEndBytesMax, type Settings } from './settings.ts';
import { cut, StateBytes, type StatePart } from './state-bytes.ts';
import { changeBetween, fits, type StateChange, type StateUpdate } from './state-change.ts';

/** What one step changes of an agent's state. */
export interface StepChanges {
  /** Of the agent's own part. */
  own: StateChange | undefined;
  mailbox: Mailbox;
  /** Of the code that wrote the agent's own part, where it is another one from here on. */
  version?: number | undefined;
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
  #version = firstVersion;
  /** What a version made of the agent's own part that another one wrote, until a step takes it up. */
  #turned: { own: Uint8Array; version: number } | undefined;
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

  /** How much was told ahead. */
  get aheadBytes(): number {
    return this.#aheadBytes;
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

  /** Of the code that wrote the agent's own part. */
  get version(): number {
    return this.#version;
  }

  /** The version that goes on from what another one wrote, and that no step tells of yet. */
  get turnedTo(): number | undefined {
    return this.#turned?.version;
  }

  /** A version of the code starts from this state, as another form of it or in its own. */
  startedAs(own: Uint8Array | undefined, version: number): void {
    const whole = own && this.#withAhead(own);
    this.#turned = whole === undefined || version === this.#version ? undefined : { own: whole, version };
  }

  /** What the next step changes so that it leads to the form of the version that was started. */
  turn(): Pick<StepChanges, 'own' | 'version'> {
    if (this.#turned === undefined) return { own: undefined };
    return { own: changeBetween(this.#ownBytes(), this.#turned.own), version: this.#turned.version };
  }

  /** Begins with the first state of a new agent, and the version that made it. */
  begin(own: Uint8Array, version = firstVersion): void {
    this.#version = version;
    this.#mailboxBytes = encodeMailbox(this.#mailbox, version);
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
    const { length, mailbox, version } = decodeMailbox(end);
    this.#version = version;
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
    if (update instanceof Uint8Array) return ok ? changeBetween(this.#ownBytes(), update) : undefined;
    if (this.#turned !== undefined) return this.#changeOfTurned(this.#turned.own, update, ok);
    if (update === undefined) return undefined;
    return ok && fits(update, this.#ownLength, Number.POSITIVE_INFINITY) ? update : 'wrong';
  }

  #changeOfTurned(turned: Uint8Array, update: StateChange | undefined, ok: boolean): StateChange | undefined | 'wrong' {
    if (!ok) return update === undefined ? undefined : 'wrong';
    if (update === undefined) return changeBetween(this.#ownBytes(), turned);
    if (!fits(update, turned.byteLength, Number.POSITIVE_INFINITY)) return 'wrong';
    const { offset, removed, inserted } = update;
    const after = [turned.subarray(0, offset), this.#withAhead(inserted), turned.subarray(offset + removed)];
    return changeBetween(this.#ownBytes(), joined(after));
  }

  #ownBytes(): Uint8Array {
    return this.#all.slice(0, this.#ownLength);
  }

  /** With what was told ahead of it, in one. */
  #withAhead(bytes: Uint8Array): Uint8Array {
    const whole = joined([...this.#ahead.map((part) => part.bytes), bytes]);
    this.forgetAhead();
    return whole;
  }

  /** Of the agent's own state. */
  lengthAfter(change: StateChange | undefined): number {
    if (change === undefined) return this.#ownLength;
    return this.#ownLength + this.#aheadBytes + change.inserted.byteLength - change.removed;
  }

  /** One step: a change of the agent's own state, of its mailbox, of both, or of neither. */
  apply(sequence: number, { own, mailbox, version = this.#version }: StepChanges): void {
    if (own !== undefined) {
      this.#ownLength = this.lengthAfter(own);
      this.#splice(sequence, own);
      this.#takeAhead(sequence, own.offset);
    }
    if (mailbox === this.#mailbox && version === this.#version) return;
    if (version !== this.#version) this.#turned = undefined;
    this.#version = version;
    const bytes = encodeMailbox(mailbox, version);
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
