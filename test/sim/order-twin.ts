import fc from 'fast-check';
import { expect } from 'vitest';
import { type CounterInput, type CounterOutput } from '../../sim/checkers/counter-model.ts';
import { type Operation, type Verdict } from '../../sim/checkers/linearizability.ts';
import { type RegisterInput, type RegisterOutput, register, shows, total } from './histories.ts';

const never = Number.POSITIVE_INFINITY;

/** What a service may answer, without any cleverness; undefined where it may not. */
export type Behaviour<State, Input, Output> = (
  state: State,
  input: Input,
  output: Output | undefined,
) => State | undefined;

/** Tries every order that respects time, every unanswered operation at every place and nowhere. */
export function someOrderFits<State, Input, Output>(
  promise: Behaviour<State, Input, Output>,
  before: State,
  left: readonly Operation<Input, Output>[],
): boolean {
  const answered = left.filter(({ output }) => output !== undefined);
  if (answered.length === 0) return true;
  const untilMs = Math.min(...answered.map(({ returnedMs }) => returnedMs));
  return left.some((operation) => {
    if (operation.calledMs > untilMs) return false;
    const after = promise(before, operation.input, operation.output);
    const rest = left.filter((other) => other !== operation);
    return after !== undefined && someOrderFits(promise, after, rest);
  });
}

/** Every answered operation is in it, each is possible after the ones before it, and none precedes an earlier answer. */
export function expectProof<State, Input, Output>(
  promise: Behaviour<State, Input, Output>,
  begin: State,
  operations: readonly Operation<Input, Output>[],
  { order = [] }: Verdict<Input, Output>,
): void {
  const answered = operations.filter(({ output }) => output !== undefined);
  expect(order.filter(({ output }) => output !== undefined).length).toBe(answered.length);
  expect(new Set(order).size).toBe(order.length);
  let now: State | undefined = begin;
  let latestCallMs = Number.NEGATIVE_INFINITY;
  for (const { input, output, calledMs, returnedMs } of order) {
    latestCallMs = Math.max(latestCallMs, calledMs);
    if (output !== undefined) expect(returnedMs).toBeGreaterThanOrEqual(latestCallMs);
    now = now === undefined ? undefined : promise(now, input, output);
    expect(now).toBeDefined();
  }
}

/** The counter as an agent would be: what was answered is remembered and answered again. */
export const counterPromise: Behaviour<readonly number[], CounterInput, CounterOutput> = (counted, input, output) => {
  if (input.type === 'read') return output === undefined || isSame(output, shows(...counted)) ? counted : undefined;
  const at = counted.indexOf(input.serial);
  if (output?.type === 'failed') return undefined;
  if (output !== undefined && !isSame(output, total(at < 0 ? counted.length + 1 : at + 1))) return undefined;
  return at < 0 ? [...counted, input.serial] : counted;
};

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export const registerPromise: Behaviour<number, RegisterInput, RegisterOutput> = (value, input, output) => {
  const [after, answer] = register(value, input);
  return output === undefined || output === answer ? after : undefined;
};

export interface Plan<Input> {
  input: Input;
  atMs: number;
  beforeMs: number;
  afterMs: number;
  /** Of the answer: it comes, it is lost, or it is lost with the effect. */
  fate: 'answered' | 'lost' | 'never';
  change: number;
}

/** Operations that took effect one after the other, and an interval around each. */
export function plans<Input>(input: fc.Arbitrary<Input>, lengthMax: number, spanMs = 6): fc.Arbitrary<Plan<Input>[]> {
  const fate = fc.constantFrom(
    'answered' as const,
    'answered' as const,
    'answered' as const,
    'lost' as const,
    'never' as const,
  );
  const plan = fc.record({
    input,
    atMs: fc.nat({ max: 3 * lengthMax }),
    beforeMs: fc.nat({ max: spanMs }),
    afterMs: fc.nat({ max: spanMs }),
    fate,
    change: fc.nat({ max: 20 }),
  });
  return fc.array(plan, { minLength: 1, maxLength: lengthMax }).map((list) => list.toSorted((a, b) => a.atMs - b.atMs));
}

/** Lets them happen and writes down what clients see; `answer` may lie. */
export function happen<State, Input, Output>(
  list: readonly Plan<Input>[],
  begin: State,
  run: (state: State, input: Input) => [State, Output],
  answer: (output: Output, change: number) => Output = (output) => output,
): Operation<Input, Output>[] {
  let now = begin;
  return list.map(({ input, atMs, beforeMs, afterMs, fate, change }, index) => {
    const [after, output] = run(now, input);
    if (fate !== 'never') now = after;
    const times = { calledMs: atMs - beforeMs, returnedMs: fate === 'answered' ? atMs + afterMs : never };
    return {
      id: index + 1,
      client: `c${index}`,
      input,
      output: fate === 'answered' ? answer(output, change) : undefined,
      ...times,
    };
  });
}
