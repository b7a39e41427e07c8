import type { Write } from './effect.ts';
import { keys } from './records.ts';
import type { Settings } from './settings.ts';
import { partOf, StateBytes, type StatePart } from './state-bytes.ts';
import type { StateChange } from './state-change.ts';
import { StateParts, StateStep } from './wire/messages.ts';

/** What is to be written, and with it or after it what is to go from the disk, as nothing names it any more. */
export interface Replaced {
  writes: Write[];
  stale: Iterable<string>;
}

/** A large state as a disk has it. */
export interface StoredParts {
  /** Number and bytes of each, in their order. */
  parts: { part: number; bytes: Uint8Array }[];
  /** What happened since, oldest first. */
  steps: { sequence: number; changes: StateChange[] }[];
}

type StateSettings = Pick<Settings, 'statePartBytes' | 'stateInlineBytes' | 'stateChangesMax' | 'stateChangesBytesMax'>;

const nothing = new Uint8Array(0);

/**
 * An agent's state in memory and what of it is on disk. A small one is written whole with every step, in its holder's
 * record. Of a large one the parts are on disk and behind them the changes since, a record for each step; when those
 * are too many they are taken in: the parts that they touched are written anew, and the changes go.
 */
export class StoredState {
  readonly #agent: string;
  readonly #settings: StateSettings;
  #state: StateBytes;
  /** The parts on disk, by their numbers there. */
  #numbers = new Map<StatePart, number>();
  #next = 1;
  /** Parts on disk that belong to no step yet, but will to one that is on its way here. */
  readonly #staged = new Map<StatePart, number>();
  #steps: number[] = [];
  #changes = 0;
  #changeBytes = 0;

  constructor(agent: string, settings: StateSettings, state: Uint8Array = nothing) {
    this.#agent = agent;
    this.#settings = settings;
    this.#state = StateBytes.of(state, settings.statePartBytes);
  }

  /** As it was when its last step was written. */
  static restored(agent: string, settings: StateSettings, { parts, steps }: StoredParts): StoredState {
    const stored = new StoredState(agent, settings);
    // A part that stands at several places is one record, for as long as it stands at any of them.
    const byNumber = new Map<number, StatePart>();
    const all = parts.map(({ part, bytes }) => {
      const known = byNumber.get(part) ?? partOf(bytes);
      byNumber.set(part, known);
      return known;
    });
    stored.#state = StateBytes.ofParts(all, settings.statePartBytes);
    for (const [number, part] of byNumber) stored.#numbers.set(part, number);
    stored.#next = parts.reduce((highest, { part }) => Math.max(highest, part), 0) + 1;
    for (const { sequence, changes } of steps) {
      for (const change of changes) stored.#state = stored.#state.splice(change);
      stored.#count(sequence, changes);
    }
    return stored;
  }

  get state(): StateBytes {
    return this.#state;
  }

  /** What the holder's record has of it. */
  inline(): Uint8Array {
    return this.#numbers.size === 0 ? this.#state.bytes() : nothing;
  }

  get #isInline(): boolean {
    return this.#state.length <= this.#settings.stateInlineBytes;
  }

  /** Takes another state in its place. */
  replace(state: StateBytes): Replaced {
    this.#state = state;
    if (this.#isInline) return this.remove();
    const { writes, stale } = this.#fold();
    return { writes, stale: both(stale, this.unstage()) };
  }

  /** Takes the state that a step's changes led to. */
  extend(state: StateBytes, sequence: number, changes: StateChange[]): Write[] {
    const { stateChangesMax, stateChangesBytesMax } = this.#settings;
    this.#state = state;
    if (this.#isInline) return atOnce(this.#removeParts());
    if (changes.length === 0) return [];
    const bytes = bytesOf(changes);
    const isFull = this.#changes + changes.length > stateChangesMax || this.#changeBytes + bytes > stateChangesBytesMax;
    if (this.#numbers.size === 0 || isFull) return atOnce(this.#fold());
    this.#count(sequence, changes);
    return [{ key: keys.stateStep(this.#agent, sequence), value: StateStep.encode({ changes }) }];
  }

  // ---- parts that come before their step ----

  /** Puts parts on the disk that a step which is on its way here will have. */
  stage(parts: readonly StatePart[]): Write[] {
    return parts.map((part) => {
      const number = this.#next;
      this.#next += 1;
      this.#staged.set(part, number);
      return { key: keys.statePart(this.#agent, number), value: part.bytes };
    });
  }

  stagedParts(): StatePart[] {
    return [...this.#staged.keys()];
  }

  isOnDisk(part: StatePart): boolean {
    return this.#numbers.has(part) || this.#staged.has(part);
  }

  /** Forgets those that are not to be kept. Returns what is to go from the disk. */
  unstage(isKept: (part: StatePart) => boolean = () => false): Iterable<string> {
    const gone: number[] = [];
    for (const [part, number] of this.#staged) {
      if (isKept(part)) continue;
      this.#staged.delete(part);
      gone.push(number);
    }
    return this.#partKeys(gone);
  }

  *#partKeys(numbers: readonly number[]): Iterable<string> {
    for (const number of numbers) yield keys.statePart(this.#agent, number);
  }

  #count(sequence: number, changes: readonly StateChange[]): void {
    this.#steps.push(sequence);
    this.#changes += changes.length;
    this.#changeBytes += bytesOf(changes);
  }

  /** Brings the parts on disk up to the state: what is there already stays. */
  #fold(): Replaced {
    const agent = this.#agent;
    const writes = this.#forgetSteps();
    const numbers = new Map<StatePart, number>();
    const list: number[] = [];
    for (const part of this.#state.parts) {
      let number = numbers.get(part) ?? this.#numbers.get(part) ?? this.#staged.get(part);
      if (number === undefined) {
        number = this.#next;
        this.#next += 1;
        writes.push({ key: keys.statePart(agent, number), value: part.bytes });
      }
      numbers.set(part, number);
      // A part may stand at several places.
      list.push(number);
    }
    const gone: number[] = [];
    for (const [part, number] of this.#numbers) if (!numbers.has(part)) gone.push(number);
    this.#numbers = numbers;
    for (const part of numbers.keys()) this.#staged.delete(part);
    writes.push({ key: keys.state(agent), value: StateParts.encode({ parts: list }) });
    return { writes, stale: this.#partKeys(gone) };
  }

  #forgetSteps(): Write[] {
    const writes = this.#steps.map((sequence) => ({ key: keys.stateStep(this.#agent, sequence), value: undefined }));
    this.#steps = [];
    this.#changes = 0;
    this.#changeBytes = 0;
    return writes;
  }

  /** What takes parts and changes off the disk. */
  remove(): Replaced {
    const { writes, stale } = this.#removeParts();
    return { writes, stale: both(this.unstage(), stale) };
  }

  #removeParts(): Replaced {
    if (this.#numbers.size === 0) return { writes: [], stale: [] };
    const writes: Write[] = this.#forgetSteps();
    const gone = [...this.#numbers.values()];
    this.#numbers.clear();
    writes.push({ key: keys.state(this.#agent), value: undefined });
    return { writes, stale: this.#partKeys(gone) };
  }
}

function* both(some: Iterable<string>, others: Iterable<string>): Iterable<string> {
  yield* some;
  yield* others;
}

function atOnce({ writes, stale }: Replaced): Write[] {
  for (const key of stale) writes.push({ key, value: undefined });
  return writes;
}

const bytesOf = (changes: readonly StateChange[]): number =>
  changes.reduce((sum, { inserted }) => sum + inserted.byteLength, 0);
