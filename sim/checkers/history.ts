import {
  checkLinearizable,
  type Limits,
  type Model,
  type Operation,
  statesAfter,
  type Verdict,
} from './linearizability.ts';

export interface HistoryLimits extends Limits {
  /** Operations that are kept per key. */
  operationsMax: number;
}

/** A verdict about one key, and what it is about. */
export interface Judgement<Input, Output> extends Verdict<Input, Output> {
  /** Operations that were recorded, those that were judged and forgotten among them. */
  operations: number;
  /** Why some were not recorded: the verdict covers those before. */
  stopped?: string;
}

export interface Recorded<Input, Output> {
  key: string;
  operation: Operation<Input, Output>;
}

interface Chapter<State, Input, Output> {
  operations: Map<number, Operation<Input, Output>>;
  /** Operations without an answer, whether somebody still waits for it or not. */
  open: number;
  /** Every state that what is forgotten can have left behind. */
  from: (State | undefined)[];
  forgotten: number;
  forgetAt: number;
  lastMs: number;
  stopped: string | undefined;
  /** Found when a piece was to be forgotten. */
  violation: Verdict<Input, Output> | undefined;
}

/** States that a forgotten piece may leave open. */
const statesLeftMax = 16;
/** Events of one moment are kept this far apart, in the order in which they were recorded. */
const apartMs = 1e-6;

/**
 * What clients asked and were answered while a world runs, by key: objects that have nothing to do with each other are
 * judged each alone, which is sound (Herlihy and Wing, "Linearizability", 1990, section 3.2: locality) and much cheaper.
 *
 * Bounded: when a key has many operations and none of them is in flight, they are judged and forgotten but for the states
 * that they can have left. With an answer outstanding for good there is no such moment; then recording of the key stops
 * at the limit, and the judgement says so.
 */
export class History<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #limits: HistoryLimits;
  readonly #chapters = new Map<string, Chapter<State, Input, Output>>();
  readonly #open = new Map<number, Recorded<Input, Output>>();
  #count = 0;

  constructor(model: Model<State, Input, Output>, limits: HistoryLimits) {
    this.#model = model;
    this.#limits = limits;
  }

  get keys(): string[] {
    return [...this.#chapters.keys()];
  }

  /** A client asks; the id is for its answer. To be called in the order in which things happen. */
  called(key: string, client: string, input: Input, atMs: number): number {
    const id = ++this.#count;
    const chapter = this.#chapter(key);
    this.#makeRoom(chapter, atMs);
    if (chapter.stopped !== undefined) return id;
    const calledMs = stamp(chapter, atMs);
    const operation = { id, client, input, output: undefined, calledMs, returnedMs: Number.POSITIVE_INFINITY };
    chapter.operations.set(id, operation);
    chapter.open += 1;
    this.#open.set(id, { key, operation });
    return id;
  }

  /** Its answer. One that comes when nobody waits for it any more is ignored. */
  returned(id: number, output: Output, atMs: number): void {
    const recorded = this.#open.get(id);
    if (recorded === undefined) return;
    const chapter = this.#chapter(recorded.key);
    // What came after the end of the recording may have led to this answer.
    if (chapter.stopped !== undefined) return;
    this.#open.delete(id);
    chapter.open -= 1;
    chapter.operations.set(id, { ...recorded.operation, output, returnedMs: stamp(chapter, atMs) });
  }

  /** Nobody waits for its answer any more: it may take effect later, or never. */
  unknown(id: number): void {
    const recorded = this.#open.get(id);
    if (recorded === undefined) return;
    this.#open.delete(id);
    const chapter = this.#chapter(recorded.key);
    if (chapter.stopped !== undefined || !this.#model.changesNothing?.(recorded.operation.input, undefined)) return;
    chapter.operations.delete(id);
    chapter.open -= 1;
  }

  /** What waits for an answer under an id. */
  waiting(id: number): Recorded<Input, Output> | undefined {
    return this.#open.get(id);
  }

  /**
   * An object went back to an earlier state, as everybody was told. What is not in that, `isIn`, may take effect once more, or
   * never. Without a state nothing is judged any more.
   */
  goBack(key: string, from: State | undefined, isIn: (input: Input) => boolean): void {
    const chapter = this.#chapter(key);
    if (chapter.stopped !== undefined) return;
    const verdict = this.#judge(chapter);
    if (verdict.verdict === 'violation') chapter.violation ??= verdict;
    for (const [id, operation] of chapter.operations) {
      const isOpen = operation.output === undefined;
      if (this.#model.changesNothing?.(operation.input, undefined) || (!isOpen && isIn(operation.input))) {
        chapter.operations.delete(id);
        this.#open.delete(id);
        if (isOpen) chapter.open -= 1;
      } else if (!isOpen) {
        chapter.operations.set(id, { ...operation, output: undefined, returnedMs: Number.POSITIVE_INFINITY });
        chapter.open += 1;
      }
    }
    if (from === undefined) chapter.stopped = 'it went back to a state that nobody knows';
    else chapter.from = [from];
  }

  /** What is kept of a key. */
  operations(key: string): Operation<Input, Output>[] {
    return [...(this.#chapters.get(key)?.operations.values() ?? [])];
  }

  check(key: string): Judgement<Input, Output> {
    const chapter = this.#chapters.get(key) ?? this.#begin();
    const verdict = chapter.violation ?? this.#judge(chapter);
    const operations = chapter.forgotten + chapter.operations.size;
    return { ...verdict, operations, ...(chapter.stopped === undefined ? {} : { stopped: chapter.stopped }) };
  }

  /** Linearizable from any of the states that it may begin with. */
  #judge({ operations, from }: Chapter<State, Input, Output>): Verdict<Input, Output> {
    const list = [...operations.values()];
    let worst: Verdict<Input, Output> | undefined;
    for (const state of from) {
      const verdict = checkLinearizable(this.#model, list, this.#limits, state);
      if (verdict.verdict === 'linearizable') return verdict;
      if (worst === undefined || verdict.verdict === 'undecided') worst = verdict;
    }
    return worst ?? { verdict: 'undecided', states: 0, evidence: 'there is no state to begin with' };
  }

  #makeRoom(chapter: Chapter<State, Input, Output>, atMs: number): void {
    const { size } = chapter.operations;
    if (chapter.stopped !== undefined || size < chapter.forgetAt) return;
    if (chapter.open === 0) this.#forget(chapter);
    if (chapter.violation !== undefined) chapter.stopped = `what came before ${atMs.toFixed(3)} ms is a violation`;
    else if (chapter.operations.size >= this.#limits.operationsMax) {
      const why = chapter.open > 0 ? 'some are without an answer' : 'too much is possible after them';
      chapter.stopped = `recorded until ${atMs.toFixed(3)} ms: there are ${size} operations, and ${why}`;
    }
  }

  /** Nothing is in flight: what is recorded can be judged for good, and only the states that it can have left matter. */
  #forget(chapter: Chapter<State, Input, Output>): void {
    const list = [...chapter.operations.values()];
    const limits = { statesMax: this.#limits.statesMax, finalsMax: statesLeftMax };
    const left = new Map<string, State>();
    for (const from of chapter.from) {
      const states = statesAfter(this.#model, list, limits, from);
      for (const state of states ?? []) left.set(this.#model.key(state), state);
      if (states === undefined || left.size > statesLeftMax) {
        // The next try comes when there is no other choice.
        chapter.forgetAt = this.#limits.operationsMax;
        return;
      }
    }
    if (left.size === 0) chapter.violation = this.#judge(chapter);
    else {
      chapter.from = [...left.values()];
      chapter.forgotten += chapter.operations.size;
      chapter.operations.clear();
      chapter.forgetAt = this.#limits.operationsMax / 2;
    }
  }

  #chapter(key: string): Chapter<State, Input, Output> {
    const chapter = this.#chapters.get(key) ?? this.#begin();
    this.#chapters.set(key, chapter);
    return chapter;
  }

  #begin(): Chapter<State, Input, Output> {
    return {
      operations: new Map(),
      open: 0,
      from: [undefined],
      forgotten: 0,
      // Early, since moments with nothing in flight are rare.
      forgetAt: this.#limits.operationsMax / 2,
      lastMs: Number.NEGATIVE_INFINITY,
      stopped: undefined,
      violation: undefined,
    };
  }
}

/** A world takes one step at a time, so what is recorded first came first, though it be at the same moment. */
function stamp(chapter: { lastMs: number }, atMs: number): number {
  chapter.lastMs = Math.max(atMs, chapter.lastMs + apartMs);
  return chapter.lastMs;
}
