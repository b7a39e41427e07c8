import { joined } from './bytes.ts';
import { ChangeLog } from './change-log.ts';
import { decodeMailbox, emptyMailbox, encodeMailbox, firstVersion, type Mailbox } from './mailbox.ts';
import type { Settings } from './settings.ts';
import { StateBytes } from './state-bytes.ts';
import { changeBetween, fits, type StateChange, type StateUpdate } from './state-change.ts';

/** What one step changes of an agent's state. */
export interface StepChanges {
  /** Of the agent's own part. */
  own: StateChange | undefined;
  mailbox: Mailbox;
  /** Of the code that wrote the agent's own part, where it is another one from here on. */
  version?: number | undefined;
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
  #version = firstVersion;
  /** What a version made of the agent's own part that another one wrote, until a step takes it up. */
  #turned: { own: Uint8Array; version: number } | undefined;
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
    this.#turned = own === undefined || version === this.#version ? undefined : { own, version };
  }

  /** What the next step changes so that it leads to the form of the version that was started. */
  turn(): Pick<StepChanges, 'own' | 'version'> {
    if (this.#turned === undefined) return { own: undefined };
    return { own: changeBetween(this.own()(), this.#turned.own), version: this.#turned.version };
  }

  /** Begins with the first state of a new agent, and the version that made it. */
  begin(own: Uint8Array, version = firstVersion): void {
    this.#version = version;
    this.#mailboxBytes = encodeMailbox(this.#mailbox, version);
    this.#ownLength = own.byteLength;
    this.#all = StateBytes.of(joined([own, this.#mailboxBytes]), this.#settings.statePartBytes);
    this.#log = this.#logSince(0);
  }

  /** Begins with what holders kept, as that of a sequence. Throws when it is no such thing. */
  takeOver(all: Uint8Array | StateBytes, sequence: number): void {
    const bytes = all instanceof StateBytes ? all.bytes() : all;
    const { length, mailbox, version } = decodeMailbox(bytes);
    this.#version = version;
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
    if (this.#turned !== undefined) return this.#changeOfTurned(this.#turned.own, update, ok);
    if (update === undefined) return undefined;
    return ok && fits(update, this.#ownLength, Number.POSITIVE_INFINITY) ? update : 'wrong';
  }

  #changeOfTurned(turned: Uint8Array, update: StateChange | undefined, ok: boolean): StateChange | undefined | 'wrong' {
    if (!ok) return update === undefined ? undefined : 'wrong';
    if (update === undefined) return changeBetween(this.own()(), turned);
    if (!fits(update, turned.byteLength, Number.POSITIVE_INFINITY)) return 'wrong';
    const { offset, removed, inserted } = update;
    return changeBetween(
      this.own()(),
      joined([turned.subarray(0, offset), inserted, turned.subarray(offset + removed)]),
    );
  }

  /** Of the agent's own state. */
  lengthAfter(change: StateChange | undefined): number {
    return this.#ownLength + (change === undefined ? 0 : change.inserted.byteLength - change.removed);
  }

  /** One step: a change of the agent's own state, of its mailbox, of both, or of neither. */
  apply(sequence: number, { own, mailbox, version = this.#version }: StepChanges): void {
    if (own !== undefined) {
      this.#splice(sequence, own);
      this.#ownLength = this.lengthAfter(own);
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

  /** The changes after a sequence; undefined when they are no longer all kept. */
  changesAfter(sequence: number): StateChange[] | undefined {
    return this.#log.after(sequence);
  }
}
