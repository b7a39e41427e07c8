/** One operation as its client saw it. */
export interface Operation<Input, Output> {
  readonly id: number;
  readonly client: string;
  readonly input: Input;
  /** Undefined: nobody knows. It took effect at any moment after the call, or never. */
  readonly output: Output | undefined;
  readonly calledMs: number;
  /** Without an output not looked at: that a client gave up says nothing about when the effect comes. */
  readonly returnedMs: number;
}

/** What a service promises, as a machine that takes one operation at a time. Pure: no state is changed in place. */
export interface Model<State, Input, Output> {
  /**
   * The state in which a history begins: `from`, which an earlier piece of it left behind, else that of a new service.
   * A model may look at the whole history to know beforehand which steps cannot lead to its answers.
   */
  init(history: readonly Operation<Input, Output>[], from?: State): State;
  /** The state after it, or undefined where that answer is impossible. Without output: what it does if it comes now. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /**
   * Cheap text that differs for states which this history can tell apart, where one set of answered operations leads to
   * both and the unanswered ones behind the one are among those behind the other.
   */
  key(state: State): string;
  describe(input: Input, output: Output | undefined): string;
  describeState?(state: State): string;
  /** With that answer, or without any, it leaves every state as it is: no choice has to be made for it. */
  changesNothing?(input: Input, output: Output | undefined): boolean;
  /**
   * Of the unanswered operations that could come next, those worth trying, best first. Leaving one out is sound if a
   * listed one, or none, serves at least as well wherever it would.
   */
  worthTrying?(state: State, unanswered: readonly Operation<Input, Output>[]): readonly Operation<Input, Output>[];
  /** An operation that takes effect in several steps, as these, each with the same times. */
  split?(operation: Operation<Input, Output>): readonly Operation<Input, Output>[];
}

export interface Limits {
  /** Configurations (what is placed, and the state after it) that are looked at before giving up. */
  statesMax: number;
}

export interface Verdict<Input, Output> {
  verdict: 'linearizable' | 'violation' | 'undecided';
  /** Configurations that were looked at. */
  states: number;
  /** When linearizable: an order that explains every answer, with the unanswered operations that it needs. */
  order?: readonly Operation<Input, Output>[];
  /** Otherwise: for people, what does not fit. */
  evidence?: string;
}

/** An operation placed next, by its number in the search, and what that leads to. */
interface Step<State> {
  index: number;
  state: State;
  key: string;
}

interface Frame<State> extends Step<State> {
  steps: Step<State>[];
  next: number;
  /** The unanswered operations are among the steps, or need not be. */
  isOpened: boolean;
}

/** Sets of used unanswered operations kept per configuration to compare others with; lines of each kind in evidence. */
const setsComparedMax = 64;
const linesShownMax = 20;

const isAnswered = <Input, Output>({ output }: Operation<Input, Output>): boolean => output !== undefined;
const answerMs = (operation: Operation<unknown, unknown>): number =>
  isAnswered(operation) ? operation.returnedMs : Number.POSITIVE_INFINITY;

/** A set of small numbers that is cheap to change and to write down. */
class Bits {
  readonly words: Uint32Array;

  constructor(size: number) {
    this.words = new Uint32Array(Math.ceil(size / 32));
  }

  flip(index: number): void {
    this.words[index >>> 5] = (this.words[index >>> 5] ?? 0) ^ (1 << (index & 31));
  }

  has(index: number): boolean {
    return (((this.words[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;
  }

  /** Short, since operations are placed nearly in their order: all ones before the text begins, all zeros behind it. */
  text(): string {
    const low = this.words.findIndex((word) => word !== 0xffffffff);
    const high = this.words.findLastIndex((word) => word !== 0);
    return `${low}:${this.words.subarray(Math.max(0, low), high + 1).join('.')}`;
  }
}

/** The configurations that were looked at. One that used up more unanswered operations than another is no better. */
class Seen {
  readonly #sets = new Map<string, Uint32Array[]>();
  readonly #others = new Set<string>();

  /** Adds a configuration; false when it promises nothing that an earlier one does not. */
  add(name: string, { words }: Bits): boolean {
    const sets = this.#sets.get(name) ?? [];
    const exact = sets.length < setsComparedMax ? undefined : `${name}|${words.join('.')}`;
    const isBetter = (set: Uint32Array): boolean => set.every((word, at) => (word & ~(words[at] ?? 0)) === 0);
    if (sets.some(isBetter) || (exact !== undefined && this.#others.has(exact))) return false;
    if (exact !== undefined) this.#others.add(exact);
    else if (sets.push(words.slice()) === 1) this.#sets.set(name, sets);
    return true;
  }
}

/**
 * The answered operations that are not placed yet, by call: the doubly linked list of Lowe's paper, without entries for
 * the answers, since the earliest answer among those called so far bounds what may come next.
 */
class Unplaced {
  readonly #operations: readonly Operation<unknown, unknown>[];
  readonly #next: number[];
  readonly #previous: number[];

  constructor(operations: readonly Operation<unknown, unknown>[]) {
    const { length } = operations;
    this.#operations = operations;
    // The entry behind the last one is the head; the rest are in a ring with it.
    this.#next = Array.from({ length: length + 1 }, (_, index) => (index + 1) % (length + 1));
    this.#previous = Array.from({ length: length + 1 }, (_, index) => (index + length) % (length + 1));
  }

  /** Those that were called before any of them was answered, or just then, and when that was. */
  front(): { called: number[]; untilMs: number } {
    const { length } = this.#operations;
    const called: number[] = [];
    let untilMs = Number.POSITIVE_INFINITY;
    for (let index = this.#next[length] ?? length; index < length; index = this.#next[index] ?? length) {
      const { calledMs, returnedMs } = this.#operations[index] as Operation<unknown, unknown>;
      if (calledMs > untilMs) break;
      untilMs = Math.min(untilMs, returnedMs);
      called.push(index);
    }
    return { called, untilMs };
  }

  lift(index: number): void {
    this.#join(this.#previous[index] ?? 0, this.#next[index] ?? 0);
  }

  /** Undoes the last lift that is not undone. */
  unlift(index: number): void {
    const next = this.#next[index] ?? 0;
    this.#join(this.#previous[index] ?? 0, index);
    this.#join(index, next);
  }

  #join(a: number, b: number): void {
    this.#next[a] = b;
    this.#previous[b] = a;
  }
}

/**
 * Looks for an order of the operations that respects time and explains every answer: the depth-first search of Wing and
 * Gong ("Testing and verifying concurrent objects", 1993) with the memory of configurations of Lowe ("Testing for
 * linearizability", 2017). Unanswered operations are tried last, and only where they change something.
 */
class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  /** First the answered ones, then the others, both by call. */
  readonly #operations: Operation<Input, Output>[];
  readonly #answered: number;
  readonly #unplaced: Unplaced;
  readonly #placed: Bits;
  readonly #used: Bits;
  readonly #seen = new Seen();
  readonly #frames: Frame<State>[] = [];
  #left: number;
  states = 0;
  /** States in which a complete order can end, by key. */
  readonly finals = new Map<string, State>();
  /** The order that explains the most answers, as far as the search has turned back, and the state after it. */
  deepest: { answers: number; order: Operation<Input, Output>[]; state: State };

  constructor(model: Model<State, Input, Output>, history: readonly Operation<Input, Output>[], from?: State) {
    this.#model = model;
    const byCall = history.toSorted((a, b) => a.calledMs - b.calledMs);
    const answered = byCall.filter(isAnswered);
    // What nobody was told, and changes nothing, is as if it had not been asked.
    const open = byCall.filter((operation) => !isAnswered(operation) && !this.#changesNothing(operation));
    this.#operations = [...answered, ...open];
    this.#answered = answered.length;
    this.#left = this.#answered;
    this.#unplaced = new Unplaced(answered);
    this.#placed = new Bits(this.#answered);
    this.#used = new Bits(open.length);
    const state = model.init(byCall, from);
    this.deepest = { answers: -1, order: [], state };
    this.#push({ index: -1, state, key: model.key(state) });
  }

  /** Until that many final states are found (true), or there are no more (false), or the limit is reached (undefined). */
  run(statesMax: number, finalsWanted: number): boolean | undefined {
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      if (this.#left === 0) this.finals.set(frame.key, frame.state);
      if (this.finals.size >= finalsWanted) return true;
      const step = this.#left === 0 ? undefined : this.#nextStep(frame);
      if (step === undefined) this.#turnBack(frame);
      else if (this.states < statesMax) this.#take(step);
      else return undefined;
    }
    return false;
  }

  /** What is placed, up to the last answer. */
  order(): { order: Operation<Input, Output>[]; state: State } {
    const end = this.#frames.findLastIndex(({ index }) => index < this.#answered);
    const frames = this.#frames.slice(0, end + 1);
    const { state } = frames.at(-1) as Frame<State>;
    return { order: frames.slice(1).map(({ index }) => this.#operation(index)), state };
  }

  #changesNothing({ input, output }: Operation<Input, Output>): boolean {
    return this.#model.changesNothing?.(input, output) === true;
  }

  #operation(index: number): Operation<Input, Output> {
    return this.#operations[index] as Operation<Input, Output>;
  }

  #push(step: Step<State>): void {
    this.states += 1;
    const steps = this.#unplaced.front().called.flatMap((index) => this.#step(step.state, index) ?? []);
    const free = steps.find(({ index }) => this.#changesNothing(this.#operation(index)));
    const isOpened = free !== undefined;
    this.#frames.push({ ...step, steps: isOpened ? [free] : steps, next: 0, isOpened });
  }

  #nextStep(frame: Frame<State>): Step<State> | undefined {
    if (frame.next === frame.steps.length && !frame.isOpened) {
      frame.isOpened = true;
      frame.steps.push(...this.#openSteps(frame));
    }
    frame.next += 1;
    return frame.steps[frame.next - 1];
  }

  #step(state: State, index: number): Step<State> | undefined {
    const { input, output } = this.#operation(index);
    const after = this.#model.step(state, input, output);
    return after === undefined ? undefined : { index, state: after, key: this.#model.key(after) };
  }

  #openSteps({ state, key, index: taken }: Frame<State>): Step<State>[] {
    const { untilMs } = this.#unplaced.front();
    const called = new Map<Operation<Input, Output>, number>();
    for (let index = this.#answered; index < this.#operations.length; index++) {
      const operation = this.#operation(index);
      if (operation.calledMs > untilMs) break;
      if (!this.#used.has(index - this.#answered)) called.set(operation, index);
    }
    const worth = this.#model.worthTrying?.(state, [...called.keys()]) ?? called.keys();
    // What another unanswered operation would overwrite is not worth doing before it.
    const before = taken >= this.#answered ? this.#frames.at(-2) : undefined;
    return [...worth].flatMap((operation) => {
      const index = called.get(operation) ?? -1;
      const step = this.#step(state, index);
      if (step === undefined || step.key === key) return [];
      return before !== undefined && this.#step(before.state, index)?.key === step.key ? [] : [step];
    });
  }

  #take(step: Step<State>): void {
    this.#flip(step.index);
    if (!this.#seen.add(`${this.#placed.text()}|${step.key}`, this.#used)) return this.#flip(step.index);
    if (step.index < this.#answered) {
      this.#unplaced.lift(step.index);
      this.#left -= 1;
    }
    this.#push(step);
  }

  #turnBack({ index }: Frame<State>): void {
    const answers = this.#answered - this.#left;
    if (answers > this.deepest.answers) this.deepest = { answers, ...this.order() };
    this.#frames.pop();
    if (index < 0) return;
    this.#flip(index);
    if (index >= this.#answered) return;
    this.#unplaced.unlift(index);
    this.#left += 1;
  }

  #flip(index: number): void {
    if (index < this.#answered) this.#placed.flip(index);
    else this.#used.flip(index - this.#answered);
  }
}

/**
 * Whether the operations of one key can have taken effect one after the other, each at a moment between its call and its
 * answer, as the model says. `undecided` when that takes more than the limit allows: an alarm is never false.
 */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  limits: Limits,
  from?: State,
): Verdict<Input, Output> {
  const history = prepare(model, operations);
  const search = new Search(model, history, from);
  const found = search.run(limits.statesMax, 1);
  const { states } = search;
  if (found === true) return { verdict: 'linearizable', states, order: search.order().order };
  if (found === false) return { verdict: 'violation', states, evidence: explain(search, model, history, limits, from) };
  return { verdict: 'undecided', states, evidence: `${states} configurations were looked at, there are more` };
}

/**
 * Every state that a linearizable history can have left behind, to begin its next piece with. Undefined when that is not
 * known within the limits, when there are more than `finalsMax`, or when something unanswered may still change it.
 */
export function statesAfter<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  limits: Limits & { finalsMax: number },
  from?: State,
): State[] | undefined {
  if (!operations.every(isAnswered)) return undefined;
  const search = new Search(model, prepare(model, operations), from);
  return search.run(limits.statesMax, limits.finalsMax + 1) === false ? [...search.finals.values()] : undefined;
}

function prepare<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): Operation<Input, Output>[] {
  for (const { id, calledMs, returnedMs, output } of operations) {
    if (Number.isFinite(calledMs) && (output === undefined || returnedMs >= calledMs)) continue;
    throw new RangeError(`operation ${id} was called at ${calledMs} ms and answered at ${returnedMs} ms`);
  }
  return operations.flatMap((operation) => model.split?.(operation) ?? [operation]);
}

/** What was known when that many answers had come. */
function prefixOf<Input, Output>(history: readonly Operation<Input, Output>[], answers: number) {
  const known = history.filter(isAnswered).toSorted((a, b) => answerMs(a) - answerMs(b));
  known.length = answers;
  const untilMs = known.at(-1)?.returnedMs ?? Number.NEGATIVE_INFINITY;
  const answered = new Set(known);
  const called = history.filter(({ calledMs }) => calledMs <= untilMs);
  return called.map((operation) => (answered.has(operation) ? operation : { ...operation, output: undefined }));
}

/** The shortest prefix that fits no order, the longest order in it, and what that leaves out. */
function explain<State, Input, Output>(
  failed: Search<State, Input, Output>,
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  { statesMax }: Limits,
  from?: State,
): string {
  const total = history.filter(isAnswered).length;
  let [search, prefix, answers] = [failed, [...history], total];
  const leftOut = () => {
    const placed = new Set(search.deepest.order);
    return prefix.filter((operation) => isAnswered(operation) && !placed.has(operation));
  };
  // All answers before the first one that could not be explained were, so the shortest prefix is no shorter. It is found
  // by halving, since every longer one has no order either.
  const stuckMs = Math.min(...leftOut().map(answerMs));
  let fitting = history.filter((operation) => answerMs(operation) < stuckMs).length;
  for (let middle = fitting + 1; answers - fitting > 1; middle = (fitting + answers) >>> 1) {
    const shorter = prefixOf(history, middle);
    const attempt = new Search(model, shorter, from);
    if (attempt.run(statesMax, 1) === false) [search, prefix, answers] = [attempt, shorter, middle];
    else fitting = middle;
  }
  const { order, state } = search.deepest;
  const left = leftOut().toSorted((a, b) => answerMs(a) - answerMs(b));
  const open = prefix.length - order.length - left.length;
  const show = (operation: Operation<Input, Output>): string => {
    const { client, input, output, calledMs, returnedMs } = operation;
    const answeredAt = output === undefined ? 'not answered' : `answered ${returnedMs.toFixed(3)} ms`;
    return `${client} ${model.describe(input, output)} (called ${calledMs.toFixed(3)} ms, ${answeredAt})`;
  };
  const isNext = ({ calledMs }: Operation<Input, Output>): boolean => left.every((one) => calledMs <= answerMs(one));
  const why = (one: Operation<Input, Output>): string => (isNext(one) ? 'impossible in that state' : 'called later');
  return [
    `no order of the operations explains the first ${answers} of ${total} answers; the longest that fits:`,
    ...order.map((operation, at) => `  ${at + 1}. ${show(operation)}`).slice(-linesShownMax),
    `after it the state is: ${model.describeState?.(state) ?? model.key(state)}; not placed:`,
    ...left.slice(0, linesShownMax).map((operation) => `  ${show(operation)}: ${why(operation)}`),
    ...(open === 0 ? [] : [`  and ${open} without an answer, none of which helps`]),
  ].join('\n');
}
