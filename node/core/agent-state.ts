import { ChangeLog } from './change-log.ts';
import type { Settings } from './settings.ts';
import { StateBytes } from './state-bytes.ts';
import { changeBetween, fits, type StateChange, type StateUpdate } from './state-change.ts';

type StateSettings = Pick<Settings, 'statePartBytes' | 'stateChangesMax' | 'stateChangesBytesMax'>;

/** The state of an agent that runs here, and the changes that lately led to it. */
export class AgentState {
  readonly #settings: StateSettings;
  #now: StateBytes;
  #log: ChangeLog;

  constructor(settings: StateSettings) {
    this.#settings = settings;
    this.#now = StateBytes.of(new Uint8Array(0), settings.statePartBytes);
    this.#log = this.#logSince(0);
  }

  get now(): StateBytes {
    return this.#now;
  }

  /** Begins with a state that others know, or nobody yet, as that of a sequence. */
  begin(state: Uint8Array, sequence: number): void {
    this.#now = StateBytes.of(state, this.#settings.statePartBytes);
    this.#log = this.#logSince(sequence);
  }

  #logSince(sequence: number): ChangeLog {
    const { stateChangesMax, stateChangesBytesMax } = this.#settings;
    return new ChangeLog(sequence, { changesMax: stateChangesMax, bytesMax: stateChangesBytesMax });
  }

  /** What a runner's word comes to: a change of this state; `wrong` when it is one of another. Of a refused task: none. */
  changeIn(update: StateUpdate, ok: boolean): StateChange | undefined | 'wrong' {
    if (update instanceof Uint8Array) return ok ? changeBetween(this.#now.bytes(), update) : undefined;
    if (update === undefined) return undefined;
    return ok && fits(update, this.#now.length, Number.POSITIVE_INFINITY) ? update : 'wrong';
  }

  lengthAfter(change: StateChange | undefined): number {
    const { length } = this.#now;
    return change === undefined ? length : length - change.removed + change.inserted.byteLength;
  }

  apply(sequence: number, change: StateChange): void {
    this.#now = this.#now.splice(change);
    this.#log.add(sequence, change);
  }

  /** The changes after a sequence; undefined when they are no longer all kept. */
  changesAfter(sequence: number): StateChange[] | undefined {
    return this.#log.after(sequence);
  }
}
