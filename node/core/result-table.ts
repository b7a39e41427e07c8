import { type LetGo, type LetterAsk, LetterResults } from './letter-results.ts';
import type { TaskResult } from './message.ts';
import { ResultValues } from './result-values.ts';
import { limits } from './settings.ts';

/** What adding a result did to older ones. */
export interface Displaced {
  /** Forgotten altogether. */
  removed: TaskResult[];
  /** Still known as done, as they stand here: without their value. */
  stripped: TaskResult[];
}

/** Whether the task is over: done, refused, or cancelled. Else it was begun without an end, or is set aside. */
export const isOver = (result: TaskResult): boolean => result.tries === undefined && result.aside === undefined;

const nothing = new Uint8Array(0);

/**
 * What became of an agent's latest tasks, by task id: one sent again gets the same answer and takes effect once. The
 * latest `resultsMax` steps are known; of their values the latest `resultsBytesMax` bytes are kept. Tasks that are set
 * aside stay known beyond that, the latest `asideMax` of them, and what other agents gave until they have settled it. Every
 * holder drops the same ones.
 */
export class ResultTable {
  readonly #byTask = new Map<string, TaskResult>();
  /** Every step, oldest first, from `#head` on: reading the newest costs the same however many are known. */
  #ordered: TaskResult[] = [];
  #head = 0;
  readonly #values = new ResultValues(limits.resultsBytesMax);
  /** Those of letters apart: whoever waits for one may wait for long. */
  readonly #letterValues = new ResultValues(limits.letterResultsBytesMax);
  /** Tasks that other agents gave and have not settled. */
  readonly #letters = new LetterResults();
  /** Tasks that are set aside, oldest first. */
  readonly #aside = new Map<string, TaskResult>();
  #asideBytes = 0;

  constructor(results: Iterable<TaskResult> = []) {
    for (const result of results) this.add(result);
  }

  get(task: string): TaskResult | undefined {
    return this.#byTask.get(task);
  }

  /** What is known of a task that came. What its sender called settled is done, whatever became of it. */
  known(ask: LetterAsk): TaskResult | undefined {
    this.#letters.hear(ask);
    const known = this.#byTask.get(ask.task);
    if (known !== undefined || !this.#letters.isSettled(ask.task)) return known;
    return { task: ask.task, sequence: this.#newest?.sequence ?? 0, ok: true, value: nothing, valueDropped: true };
  }

  /** Whether its sender has so many others here that are not settled that this one has to wait. */
  isFullFor(task: string): boolean {
    return this.#letters.isFullFor(task);
  }

  /** The result of the next step as it is to be kept. */
  marked(result: TaskResult): TaskResult {
    return this.#letters.marked(result);
  }

  /** Of whose letters something is kept. */
  senders(): string[] {
    return this.#letters.senders();
  }

  /** Tasks that are set aside, oldest first. */
  aside(): TaskResult[] {
    return [...this.#aside.values()];
  }

  /** Adds the newest step. */
  add(result: TaskResult): Displaced {
    const displaced: Displaced = { removed: [], stripped: [] };
    // Only what is set aside is known beyond the steps that follow each other.
    if (this.#newest !== undefined && result.sequence !== this.#newest.sequence + 1) this.#forgetSteps(displaced);
    this.#takeBack(result.task, displaced);
    this.#byTask.set(result.task, result);
    this.#ordered.push(result);
    this.#valuesFor(result).add(result);
    for (const gone of this.#letters.add(result)) this.#letGoLetter(gone, displaced);
    if (result.aside !== undefined) this.#setAside(result, displaced);
    while (this.#ordered.length - this.#head > limits.resultsMax) this.#removeOldest(displaced);
    for (const oldest of this.#valuesFor(result).dropOldest()) {
      this.#replace(oldest, { ...oldest, value: nothing, valueDropped: true }, displaced);
    }
    // What went with the same step is not written anew.
    if (displaced.removed.length === 0) return displaced;
    displaced.stripped = displaced.stripped.filter((each) => !displaced.removed.includes(each));
    return displaced;
  }

  /** Forgets the steps below a sequence, but never the newest one. */
  forgetBelow(sequence: number): TaskResult[] {
    const displaced: Displaced = { removed: [], stripped: [] };
    while (this.#ordered.length - this.#head > 1 && (this.#oldest as TaskResult).sequence < sequence) {
      this.#removeOldest(displaced);
    }
    return displaced.removed;
  }

  get #oldest(): TaskResult | undefined {
    return this.#ordered[this.#head];
  }

  get #newest(): TaskResult | undefined {
    return this.#ordered.at(-1);
  }

  #forgetSteps(displaced: Displaced): void {
    while (this.#ordered.length > this.#head) this.#removeOldest(displaced);
  }

  #removeOldest(displaced: Displaced): void {
    const oldest = this.#oldest as TaskResult;
    this.#head += 1;
    if (this.#head > limits.resultsMax) {
      this.#ordered = this.#ordered.slice(this.#head);
      this.#head = 0;
    }
    if (this.#isKept(oldest)) return;
    this.#remove(oldest, displaced);
  }

  /** Whatever came after it. */
  #isKept(result: TaskResult): boolean {
    return this.#aside.get(result.task) === result || this.#letters.keeps(result);
  }

  #remove(result: TaskResult, displaced: Displaced): void {
    displaced.removed.push(result);
    if (this.#byTask.get(result.task) === result) this.#byTask.delete(result.task);
    this.#valuesFor(result).drop(result);
  }

  #valuesFor({ settledBelow }: TaskResult): ResultValues {
    return settledBelow === undefined ? this.#values : this.#letterValues;
  }

  /** A result is not kept for the sake of its sender any more. */
  #letGoLetter({ result, isOver }: LetGo, displaced: Displaced): void {
    if (this.#isKept(result)) return;
    if (result.sequence < (this.#oldest?.sequence ?? 0)) {
      if (!displaced.removed.includes(result)) this.#remove(result, displaced);
    } else if (isOver && this.#byTask.get(result.task) === result) this.#byTask.delete(result.task);
  }

  /** How many are older: sequences follow each other without a gap. */
  #placeOf(sequence: number): number {
    return sequence - (this.#oldest as TaskResult).sequence;
  }

  /** The same step from now on stands there as `after`. */
  #replace(before: TaskResult, after: TaskResult, displaced: Displaced): void {
    const place = this.#placeOf(before.sequence);
    if (place < 0 && !this.#letters.keeps(before)) {
      displaced.removed.push(before);
      if (this.#byTask.get(before.task) === before) this.#byTask.delete(before.task);
      return;
    }
    this.#letters.replace(before, after);
    if (this.#byTask.get(before.task) === before) this.#byTask.set(before.task, after);
    if (place >= 0) this.#ordered[this.#head + place] = after;
    displaced.stripped.push(after);
  }

  // ---- set aside ----

  #setAside(result: TaskResult, displaced: Displaced): void {
    this.#aside.set(result.task, result);
    this.#asideBytes += result.aside?.payload.byteLength ?? 0;
    for (const oldest of this.#aside.values()) {
      if (this.#aside.size <= limits.asideMax && this.#asideBytes <= limits.asideBytesMax) break;
      if (oldest === result) break;
      this.#letGo(oldest);
      // It is over now: done, and for good without an effect.
      const { aside: _, ...rest } = oldest;
      this.#replace(oldest, { ...rest, cancelled: true }, displaced);
    }
  }

  /** A task that was set aside has a newer step: the older one need not be kept for its sake. */
  #takeBack(task: string, displaced: Displaced): void {
    const older = this.#aside.get(task);
    if (older === undefined) return;
    this.#letGo(older);
    if (this.#oldest === undefined || older.sequence < this.#oldest.sequence) displaced.removed.push(older);
    else
      this.#replace(
        older,
        { task, sequence: older.sequence, ok: false, value: nothing, valueDropped: false, tries: 0 },
        displaced,
      );
  }

  #letGo(result: TaskResult): void {
    this.#aside.delete(result.task);
    this.#asideBytes -= result.aside?.payload.byteLength ?? 0;
  }

  /** Oldest first. */
  all(): TaskResult[] {
    const from = this.#oldest?.sequence ?? Number.POSITIVE_INFINITY;
    const kept = new Set([...this.#aside.values(), ...this.#letters.values()]);
    const older = [...kept].filter(({ sequence }) => sequence < from).sort((a, b) => a.sequence - b.sequence);
    return [...older, ...this.#ordered.slice(this.#head)];
  }

  /** The steps after a sequence; undefined when some of them are dropped already. */
  after(sequence: number): TaskResult[] | undefined {
    const oldest = this.#oldest;
    if (oldest === undefined || oldest.sequence > sequence + 1) return undefined;
    return this.#ordered.slice(this.#head + this.#placeOf(sequence + 1));
  }
}
