import type { CounterState } from '../counter.ts';
import type { Model, Operation } from './linearizability.ts';

/** A task that counts its serial, or a read of the agent's state. */
export type CounterInput = { type: 'task'; serial: number } | { type: 'read' };
/** Of a task: the total after it, or that it failed: then it changed nothing and never will. Of a read: the state. */
export type CounterOutput = { type: 'task'; total: number } | { type: 'failed' } | ({ type: 'read' } & CounterState);
export type CounterOperation = Operation<CounterInput, CounterOutput>;

/** Positions, that is totals, between which a serial without an answer can have taken effect. */
interface Span {
  after: number;
  until: number;
}

/** What the answers of a history say about it as a whole. */
interface Answers {
  /** Serials that earlier pieces of the history counted, with the total after each. */
  earlier: ReadonlyMap<number, number>;
  /** The total after each acknowledged serial, and the other way round. */
  totals: Map<number, number>;
  owners: Map<number, number>;
  failed: Set<number>;
  spans: Map<number, Span>;
}

/** How far the counter has come. The acknowledged serials up to the total are in it; of the others, those listed. */
export interface CounterProgress {
  total: number;
  unanswered: ReadonlyMap<number, number>;
  answers: Answers;
}

/**
 * The simulator's counter agent: each serial takes effect at most once, however often it is sent, and is answered with
 * the total after it, always the same. A read answers with the total and what was counted.
 *
 * Totals are dense and unique, so the answers fix the place of every acknowledged serial beforehand, and the reads bound
 * those of the others; nothing is left to guess, and a history costs about as much as it is long.
 */
export const counterModel: Model<CounterProgress, CounterInput, CounterOutput> = {
  init: (history, from) => ({
    total: from?.total ?? 0,
    unanswered: new Map(),
    answers: answersOf(history, from === undefined ? new Map() : countedBy(from), from?.total ?? 0),
  }),

  step(state, input, output) {
    if (input.type === 'read') return output === undefined || isStateOf(state, output) ? state : undefined;
    const { serial } = input;
    const counted = totalOf(state, serial);
    if (output === undefined) return isNext(state, serial) ? count(state, serial) : state;
    if (output.type === 'failed') return counted === undefined ? state : undefined;
    if (output.type === 'read') return undefined;
    if (counted !== undefined) return counted === output.total ? state : undefined;
    const isOwner = output.total === state.total + 1 && state.answers.owners.get(output.total) === serial;
    return isOwner ? count(state, serial) : undefined;
  },

  // With what is placed so far, the total tells how many unanswered serials are in it; the search knows which.
  key: (state) => String(state.total),

  describe: (input, output) =>
    `${input.type === 'read' ? 'read' : `task ${input.serial}`} → ${output === undefined ? 'no answer' : show(output)}`,

  describeState: (state) => show(stateOf(state)),

  changesNothing: (input, output) => input.type === 'read' || output?.type === 'failed',

  /**
   * The owner of the next total; where it has none, the first of the serials that fit. Any will do: what one read shows
   * and no earlier one is interchangeable, since the read before it keeps the others out.
   */
  worthTrying(state, unanswered) {
    const fitting = unanswered.find(({ input }) => input.type === 'task' && isNext(state, input.serial));
    return fitting === undefined ? [] : [fitting];
  },
};

function answersOf(
  history: readonly CounterOperation[],
  earlier: ReadonlyMap<number, number>,
  startTotal: number,
): Answers {
  const answers: Answers = { earlier, totals: new Map(), owners: new Map(), failed: new Set(), spans: new Map() };
  const { totals, owners, failed, spans } = answers;
  const tasks = history.flatMap(({ input, output }) => (input.type === 'task' ? [{ ...input, output }] : []));
  for (const { serial, output } of tasks) if (output?.type === 'failed') failed.add(serial);
  for (const { serial, output } of tasks) {
    if (output?.type !== 'task') continue;
    const { total } = output;
    // Of answers that contradict each other only the first counts: no order explains the others.
    const isFree = !totals.has(serial) && !owners.has(total) && !earlier.has(serial) && !failed.has(serial);
    if (!isFree || !Number.isSafeInteger(total) || total <= startTotal) continue;
    totals.set(serial, total);
    owners.set(total, serial);
  }
  for (const { serial, output } of tasks) {
    if (output !== undefined || totals.has(serial)) continue;
    spans.set(serial, { after: startTotal, until: Number.POSITIVE_INFINITY });
  }
  for (const { input, output } of history) {
    if (input.type === 'read' && output?.type === 'read') narrow(spans, output);
  }
  return answers;
}

/** A serial that a read shows was counted by then, one that it does not show was not. */
function narrow(spans: Map<number, Span>, { total, counts }: CounterState): void {
  for (const [serial, span] of spans) {
    if (counts[serial] === undefined) span.after = Math.max(span.after, total);
    else span.until = Math.min(span.until, total);
  }
}

/** Whether an unanswered serial can be the next one that is counted. */
function isNext(state: CounterProgress, serial: number): boolean {
  const { total, answers } = state;
  const owner = answers.owners.get(total + 1);
  if (owner !== undefined) return owner === serial;
  const span = answers.spans.get(serial);
  if (span === undefined || total < span.after || total >= span.until) return false;
  return totalOf(state, serial) === undefined && !answers.failed.has(serial);
}

/** The total after a serial, once it is counted. */
function totalOf({ total, unanswered, answers }: CounterProgress, serial: number): number | undefined {
  const owned = answers.totals.get(serial);
  if (owned !== undefined) return owned <= total ? owned : undefined;
  return answers.earlier.get(serial) ?? unanswered.get(serial);
}

function count(state: CounterProgress, serial: number): CounterProgress {
  const total = state.total + 1;
  if (state.answers.totals.has(serial)) return { ...state, total };
  return { ...state, total, unanswered: new Map(state.unanswered).set(serial, total) };
}

/** A counter that has come so far, with the total after each serial. */
export function progressOf(total: number, earlier: ReadonlyMap<number, number>): CounterProgress {
  return { total, unanswered: new Map(), answers: answersOf([], earlier, total) };
}

function countedBy({ total, unanswered, answers }: CounterProgress): Map<number, number> {
  const owned = [...answers.totals].filter(([, after]) => after <= total);
  return new Map([...answers.earlier, ...unanswered, ...owned]);
}

function stateOf(state: CounterProgress): CounterOutput {
  const counts = Object.fromEntries([...countedBy(state).keys()].map((serial) => [serial, 1]));
  return { type: 'read', total: state.total, counts };
}

/** The serials of each read that is in order: looked at again and again, and slow to take apart. */
const serialsOfReads = new WeakMap<CounterOutput & CounterState, number[] | 'wrong'>();

function serialsOf(read: CounterOutput & CounterState): number[] | 'wrong' {
  let serials = serialsOfReads.get(read);
  if (serials === undefined) {
    const counts = Object.entries(read.counts);
    const isRight = counts.length === read.total && counts.every(([, times]) => times === 1);
    serials = isRight ? counts.map(([serial]) => Number(serial)) : 'wrong';
    serialsOfReads.set(read, serials);
  }
  return serials;
}

/** Whether a read can answer that: exactly the serials that are counted, each once. */
function isStateOf(state: CounterProgress, output: CounterOutput): boolean {
  if (output.type !== 'read' || output.total !== state.total) return false;
  const serials = serialsOf(output);
  return serials !== 'wrong' && serials.every((serial) => totalOf(state, serial) !== undefined);
}

const serialsShownMax = 24;

function show(output: CounterOutput): string {
  if (output.type === 'failed') return 'failed';
  if (output.type === 'task') return `total ${output.total}`;
  const serials = Object.entries(output.counts).map(([serial, times]) =>
    times === 1 ? serial : `${serial} ×${times}`,
  );
  const omitted = serials.length - serialsShownMax;
  const shown = [...(omitted > 0 ? [`… ${omitted} more`] : []), ...serials.slice(-serialsShownMax)];
  return `total ${output.total} of serials ${shown.join(', ') || 'none'}`;
}
