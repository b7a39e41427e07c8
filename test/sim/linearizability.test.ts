import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CounterInput, type CounterOutput, counterModel } from '../../sim/checkers/counter-model.ts';
import { checkLinearizable, type Model, type Operation, type Verdict } from '../../sim/checkers/linearizability.ts';
import { type NamesInput, type NamesOutput, namesModel, namesOutput } from '../../sim/checkers/names-model.ts';
import { Random } from '../../sim/random.ts';

const limits = { statesMax: 200_000 };
const never = Number.POSITIVE_INFINITY;

// ---- a register, as in the papers ----

type RegisterInput = { type: 'read' } | { type: 'write'; value: number } | { type: 'swap'; from: number; to: number };
type RegisterOutput = number | 'ok' | 'no';

function register(value: number, input: RegisterInput): [number, RegisterOutput] {
  if (input.type === 'read') return [value, value];
  if (input.type === 'write') return [input.value, 'ok'];
  return value === input.from ? [input.to, 'ok'] : [value, 'no'];
}

const registerModel: Model<number, RegisterInput, RegisterOutput> = {
  init: (_history, from) => from ?? 0,
  step(state, input, output) {
    const [after, answer] = register(state, input);
    return output === undefined || output === answer ? after : undefined;
  },
  key: String,
  describe: (input, output) => `${Object.values(input).join(' ')} → ${output ?? 'no answer'}`,
  changesNothing: (input, output) => input.type === 'read' || output === 'no',
};

/** Lines of `client called–returned`, with an input and an output. */
function history<Input, Output>(...lines: [string, number, number, Input, Output | undefined][]) {
  return lines.map(
    ([client, calledMs, returnedMs, input, output], index): Operation<Input, Output> => ({
      id: index + 1,
      client,
      input,
      output,
      calledMs,
      returnedMs,
    }),
  );
}

const read: RegisterInput = { type: 'read' };
const write = (value: number): RegisterInput => ({ type: 'write', value });
const swap = (from: number, to: number): RegisterInput => ({ type: 'swap', from, to });
const judgeRegister = (...lines: [string, number, number, RegisterInput, RegisterOutput | undefined][]) =>
  checkLinearizable(registerModel, history(...lines), limits);

describe('a register', () => {
  test('an empty history, and one without answers, is linearizable', () => {
    expect(judgeRegister().verdict).toBe('linearizable');
    expect(judgeRegister(['a', 0, never, write(1), undefined]).verdict).toBe('linearizable');
  });

  test('concurrent writes may take effect in both orders', () => {
    for (const value of [1, 2]) {
      const verdict = judgeRegister(
        ['a', 0, 10, write(1), 'ok'],
        ['b', 0, 10, write(2), 'ok'],
        ['a', 11, 12, read, value],
      );
      expect(verdict.verdict).toBe('linearizable');
      expect(verdict.order?.map(({ input }) => input)[1]).toEqual(write(value));
    }
  });

  test('a read during a write may see it or not, and one of the two that does not see it comes first', () => {
    const during = (first: number, second: number) =>
      judgeRegister(['a', 0, 100, write(1), 'ok'], ['b', 10, 20, read, first], ['b', 30, 40, read, second]).verdict;
    expect(during(0, 0)).toBe('linearizable');
    expect(during(0, 1)).toBe('linearizable');
    expect(during(1, 1)).toBe('linearizable');
    expect(during(1, 0)).toBe('violation');
  });

  test('a stale read is a violation, told with what was in the way', () => {
    const { verdict, evidence } = judgeRegister(
      ['a', 0, 1, write(1), 'ok'],
      ['a', 2, 3, write(2), 'ok'],
      ['b', 4, 5, read, 1],
      ['c', 6, 7, write(3), 'ok'],
    );
    expect(verdict).toBe('violation');
    expect(evidence?.split('\n')).toEqual([
      'no order of the operations explains the first 3 of 4 answers; the longest that fits:',
      '  1. a write 1 → ok (called 0.000 ms, answered 1.000 ms)',
      '  2. a write 2 → ok (called 2.000 ms, answered 3.000 ms)',
      'after it the state is: 2; not placed:',
      '  b read → 1 (called 4.000 ms, answered 5.000 ms): impossible in that state',
    ]);
  });

  test('a lost update is a violation: both swaps cannot have found the same value', () => {
    const lost = judgeRegister(['a', 0, 9, swap(0, 1), 'ok'], ['b', 0, 9, swap(0, 2), 'ok']);
    expect(lost.verdict).toBe('violation');
    expect(judgeRegister(['a', 0, 9, swap(0, 1), 'ok'], ['b', 0, 9, swap(0, 2), 'no']).verdict).toBe('linearizable');
  });

  test('a write without an answer takes effect at any later moment, once, or never', () => {
    const after = (...values: number[]) => {
      const reads = values.map((value, at): [string, number, number, RegisterInput, RegisterOutput] => {
        return ['b', 10 * at + 10, 10 * at + 15, read, value];
      });
      return judgeRegister(['a', 0, 5, write(1), undefined], ...reads).verdict;
    };
    expect(after(0, 0, 0)).toBe('linearizable');
    expect(after(0, 0, 1)).toBe('linearizable');
    expect(after(1, 1, 1)).toBe('linearizable');
    expect(after(0, 1, 0)).toBe('violation');
  });

  test('an effect before its call is a violation, though the call was never answered', () => {
    expect(judgeRegister(['a', 0, 5, read, 1], ['b', 6, never, write(1), undefined]).verdict).toBe('violation');
    expect(judgeRegister(['a', 0, 5, read, 1], ['b', 5, never, write(1), undefined]).verdict).toBe('linearizable');
  });

  test('many writes without an answer do not make it slow', () => {
    const lost = Array.from({ length: 300 }, (_, at): [string, number, number, RegisterInput, undefined] => {
      return ['a', at, never, write(at + 1), undefined];
    });
    const seen = (...values: number[]) =>
      judgeRegister(
        ...lost,
        ...values.map((value, at): [string, number, number, RegisterInput, RegisterOutput] => {
          return ['b', 1_000 + 10 * at, 1_005 + 10 * at, read, value];
        }),
      );
    expect(seen(7, 7, 250, 3)).toMatchObject({ verdict: 'linearizable' });
    const twice = seen(7, 250, 7, 3);
    expect(twice.verdict).toBe('violation');
    expect(twice.states).toBeLessThan(1_000);
  });

  test('what cannot be searched within the limit is undecided, never a violation', () => {
    const writes = Array.from({ length: 12 }, (_, at): [string, number, number, RegisterInput, RegisterOutput] => {
      return [`c${at}`, 0, 100, write(at), 'ok'];
    });
    const impossible = history(...writes, ['r', 101, 102, read, 99]);
    expect(checkLinearizable(registerModel, impossible, { statesMax: 50 })).toMatchObject({
      verdict: 'undecided',
      states: 50,
    });
    expect(checkLinearizable(registerModel, impossible, limits).verdict).toBe('violation');
  });

  test('an operation that was answered before it was called is refused', () => {
    expect(() => judgeRegister(['a', 5, 4, read, 0])).toThrow(RangeError);
    expect(() => judgeRegister(['a', Number.NaN, 4, read, 0])).toThrow(RangeError);
  });
});

// ---- the counter agent ----

const task = (serial: number): CounterInput => ({ type: 'task', serial });
const state: CounterInput = { type: 'read' };
const total = (value: number): CounterOutput => ({ type: 'task', total: value });
const failed: CounterOutput = { type: 'failed' };
const shows = (...serials: number[]): CounterOutput => ({
  type: 'read',
  total: serials.length,
  counts: Object.fromEntries(serials.map((serial) => [serial, serials.filter((other) => other === serial).length])),
});
const judgeCounter = (...lines: [string, number, number, CounterInput, CounterOutput | undefined][]) =>
  checkLinearizable(counterModel, history(...lines), limits);

describe('the counter agent', () => {
  test('the same serial again answers the same total and takes effect once', () => {
    const again = (value: number) =>
      judgeCounter(
        ['a', 0, 1, task(1), total(1)],
        ['b', 2, 3, task(2), total(2)],
        ['a', 4, 5, task(1), total(value)],
        ['b', 6, 7, state, shows(1, 2)],
      ).verdict;
    expect(again(1)).toBe('linearizable');
    expect(again(3)).toBe('violation');
  });

  test('an effect that is doubled after a timeout is a violation', () => {
    const { verdict, evidence } = judgeCounter(
      ['a', 0, never, task(1), undefined],
      ['a', 5, 9, task(1), total(1)],
      ['b', 20, 21, state, { type: 'read', total: 2, counts: { 1: 2 } }],
    );
    expect(verdict).toBe('violation');
    expect(evidence).toContain('b read → total 2 of serials 1 ×2 (called 20.000 ms, answered 21.000 ms): impossible');
    const twice: CounterOutput = { type: 'read', total: 2, counts: { 1: 2, 2: 1 } };
    const both = [['a', 0, 1, task(1), total(1)] as const, ['a', 2, 3, task(2), total(2)] as const];
    expect(judgeCounter(...both.map((line) => [...line] as never), ['b', 4, 5, state, twice]).verdict).toBe(
      'violation',
    );
  });

  test('a lost update is a violation: two serials with one total, or a total that skips one', () => {
    expect(judgeCounter(['a', 0, 9, task(1), total(1)], ['b', 0, 9, task(2), total(1)]).verdict).toBe('violation');
    expect(judgeCounter(['a', 0, 1, task(1), total(1)], ['b', 2, 3, task(2), total(3)]).verdict).toBe('violation');
  });

  test('totals that go backwards in time are a violation', () => {
    expect(judgeCounter(['a', 0, 1, task(1), total(2)], ['b', 2, 3, task(2), total(1)]).verdict).toBe('violation');
    expect(judgeCounter(['a', 0, 2, task(1), total(2)], ['b', 1, 3, task(2), total(1)]).verdict).toBe('linearizable');
  });

  test('a task without an answer fills the gap that another total leaves, wherever reads allow it', () => {
    const gap = (...seen: number[]) =>
      judgeCounter(
        ['a', 0, never, task(1), undefined],
        ['b', 0, never, task(2), undefined],
        ['c', 10, 11, state, shows()],
        ['c', 20, 21, task(3), total(2)],
        ['c', 30, 31, state, shows(...seen)],
      ).verdict;
    expect(gap(1, 3)).toBe('linearizable');
    expect(gap(2, 3)).toBe('linearizable');
    expect(gap(1, 2, 3)).toBe('linearizable');
    expect(gap(3)).toBe('violation');
    expect(gap(3, 4)).toBe('violation');
  });

  test('a failed task never took effect, and never will', () => {
    const read = (...seen: number[]) =>
      judgeCounter(
        ['a', 0, never, task(1), undefined],
        ['a', 5, 9, task(1), failed],
        ['b', 10, 11, state, shows(...seen)],
      ).verdict;
    expect(read()).toBe('linearizable');
    expect(read(1)).toBe('violation');
    expect(judgeCounter(['a', 0, 1, task(1), failed], ['a', 2, 3, task(1), total(1)]).verdict).toBe('violation');
    expect(judgeCounter(['a', 0, 1, task(1), total(1)], ['a', 2, 3, task(1), failed]).verdict).toBe('violation');
  });
});

// ---- names of agents ----

const deploy = (request: string): NamesInput => ({ type: 'deploy', request });
const remove: NamesInput = { type: 'delete' };
const migrate: NamesInput = { type: 'migrate' };
const judgeNames = (...lines: [string, number, number, NamesInput, NamesOutput | undefined][]) =>
  checkLinearizable(namesModel, history(...lines), limits).verdict;

describe('names of agents', () => {
  test('of two deploys under one name one makes the agent', () => {
    const both = (a: NamesOutput, b: NamesOutput) =>
      judgeNames(['a', 0, 9, deploy('r'), a], ['b', 0, 9, deploy('s'), b]);
    expect(both('ok', 'agentExists')).toBe('linearizable');
    expect(both('agentExists', 'ok')).toBe('linearizable');
    expect(both('ok', 'ok')).toBe('violation');
    expect(both('agentExists', 'agentExists')).toBe('violation');
  });

  test('a deploy that is sent again under its request answers ok and makes nothing', () => {
    const after = (outcome: NamesOutput) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 2, 3, remove, 'ok'],
        ['a', 4, 5, deploy('r'), 'ok'],
        ['b', 6, 7, migrate, outcome],
      );
    expect(after('agentUnknown')).toBe('linearizable');
    expect(after('ok')).toBe('violation');
  });

  test('a name is free when its deletion is answered, and not before that is settled', () => {
    const during = (calledMs: number, outcome: NamesOutput) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 10, 20, remove, 'ok'],
        ['c', 12, 13, migrate, 'agentUnknown'],
        ['a', calledMs, calledMs + 1, deploy('s'), outcome],
      );
    expect(during(15, 'agentExists')).toBe('linearizable');
    expect(during(15, 'ok')).toBe('linearizable');
    expect(during(21, 'ok')).toBe('linearizable');
    expect(during(21, 'agentExists')).toBe('violation');
  });

  test('a deletion without an answer may take effect late, and end later still', () => {
    const after = (...outcomes: [NamesInput, NamesOutput][]) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 2, never, remove, undefined],
        ...outcomes.map(([input, output], at): [string, number, number, NamesInput, NamesOutput] => {
          return ['c', 10 + 2 * at, 11 + 2 * at, input, output];
        }),
      );
    const ending: [NamesInput, NamesOutput][] = [
      [migrate, 'ok'],
      [migrate, 'agentUnknown'],
      [deploy('s'), 'agentExists'],
    ];
    expect(after(...ending, [deploy('t'), 'ok'], [migrate, 'ok'])).toBe('linearizable');
    expect(after(...ending, [migrate, 'ok'])).toBe('violation');
    expect(after([migrate, 'agentUnknown'], [deploy('s'), 'ok'], [migrate, 'agentUnknown'])).toBe('violation');
  });

  test('a deletion that is asked for again takes effect once, and spares a later agent of that name', () => {
    const again = (outcome: NamesOutput) =>
      judgeNames(
        ['a', 0, 1, deploy('r'), 'ok'],
        ['b', 10, 90, remove, 'ok'],
        ['c', 20, 30, deploy('s'), 'ok'],
        ['c', 40, 50, migrate, outcome],
      );
    expect(again('ok')).toBe('linearizable');
    expect(again('agentUnknown')).toBe('violation');
  });

  test('a deletion of what is not there may answer ok, since a first try may have deleted it', () => {
    expect(judgeNames(['a', 0, 1, remove, 'ok'], ['a', 2, 3, remove, 'agentUnknown'])).toBe('linearizable');
    expect(judgeNames(['a', 0, 1, deploy('r'), 'ok'], ['b', 2, 3, remove, 'agentUnknown'])).toBe('violation');
  });

  test('a refusal for other reasons says nothing about the name, and changed nothing', () => {
    const refused = judgeNames(
      ['a', 0, 1, deploy('r'), 'refused'],
      ['a', 2, 3, migrate, 'agentUnknown'],
      ['a', 4, 5, deploy('r'), 'ok'],
      ['a', 6, 7, migrate, 'refused'],
    );
    expect(refused).toBe('linearizable');
    expect(judgeNames(['a', 0, 1, deploy('r'), 'refused'], ['a', 2, 3, migrate, 'ok'])).toBe('violation');
  });

  test('an answer that leaves it open whether it took effect is taken as unknown', () => {
    const error = (code: string) =>
      namesOutput({ ok: false, error: { code: code as never, message: '', details: {} } });
    expect(['agentExists', 'agentUnknown', 'nodeUnknown'].map(error)).toEqual([
      'agentExists',
      'agentUnknown',
      'refused',
    ]);
    expect(['deadlineExceeded', 'leaderUnknown', 'backlogFull', 'internal'].map(error)).toEqual(
      Array(4).fill(undefined),
    );
    expect(namesOutput({ ok: true, result: { agent: 'x' } })).toBe('ok');
    expect(namesOutput(undefined)).toBe(undefined);
  });
});

// ---- the search and its twin, which tries every order ----

/** What a service may answer, without any cleverness; undefined where it may not. */
type Promise<State, Input, Output> = (state: State, input: Input, output: Output | undefined) => State | undefined;

/** Tries every order that respects time, every unanswered operation at every place and nowhere. */
function someOrderFits<State, Input, Output>(
  promise: Promise<State, Input, Output>,
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
function expectProof<State, Input, Output>(
  promise: Promise<State, Input, Output>,
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
const counterPromise: Promise<readonly number[], CounterInput, CounterOutput> = (counted, input, output) => {
  if (input.type === 'read') return output === undefined || isSame(output, shows(...counted)) ? counted : undefined;
  const at = counted.indexOf(input.serial);
  if (output?.type === 'failed') return undefined;
  if (output !== undefined && !isSame(output, total(at < 0 ? counted.length + 1 : at + 1))) return undefined;
  return at < 0 ? [...counted, input.serial] : counted;
};

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const registerPromise: Promise<number, RegisterInput, RegisterOutput> = (value, input, output) => {
  const [after, answer] = register(value, input);
  return output === undefined || output === answer ? after : undefined;
};

interface Plan<Input> {
  input: Input;
  atMs: number;
  beforeMs: number;
  afterMs: number;
  /** Of the answer: it comes, it is lost, or it is lost with the effect. */
  fate: 'answered' | 'lost' | 'never';
  change: number;
}

/** Operations that took effect one after the other, and an interval around each. */
function plans<Input>(input: fc.Arbitrary<Input>, lengthMax: number, spanMs = 6): fc.Arbitrary<Plan<Input>[]> {
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
function happen<State, Input, Output>(
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

const registerInputs = fc.oneof(
  fc.constant(read),
  fc.integer({ min: 0, max: 3 }).map(write),
  fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })).map(([from, to]) => swap(from, to)),
);
const counterInputs = fc.oneof(
  fc.constant(state),
  fc.integer({ min: 1, max: 6 }).map(task),
  fc.integer({ min: 1, max: 6 }).map(task),
);

function runCounter(counted: readonly number[], input: CounterInput): [readonly number[], CounterOutput] {
  if (input.type === 'read') return [counted, shows(...counted)];
  const after = counted.includes(input.serial) ? counted : [...counted, input.serial];
  return [after, total(after.indexOf(input.serial) + 1)];
}

const lieRegister = (output: RegisterOutput, change: number): RegisterOutput => {
  if (change > 3) return output;
  return typeof output === 'number' ? change : change === 0 && output === 'ok' ? 'no' : output;
};

function lieCounter(output: CounterOutput, change: number): CounterOutput {
  if (change > 3 || output.type === 'failed') return output;
  if (output.type === 'task') return total(output.total + (change % 2 === 0 ? 1 : -1));
  const serials = Object.keys(output.counts).map(Number);
  if (change === 0) return shows(...serials.slice(1));
  return change === 1 ? { ...output, total: output.total + 1 } : shows(...new Set([...serials, change]));
}

type Tally = Record<Verdict<unknown, unknown>['verdict'], number>;
const newTally = (): Tally => ({ linearizable: 0, violation: 0, undecided: 0 });

/** A comparison that only ever sees one verdict says little. */
function expectBoth({ linearizable, violation, undecided }: Tally, timesMin: number): void {
  expect(Math.min(linearizable, violation)).toBeGreaterThan(timesMin);
  expect(undecided).toBe(0);
}

/** The same promise without what makes it quick. */
function plain<State, Input, Output>(model: Model<State, Input, Output>): Model<State, Input, Output> {
  const { init, step, key, describe: words } = model;
  return { init, step, key, describe: words, ...(model.split === undefined ? {} : { split: model.split }) };
}

describe('the search', () => {
  test('what happened one after the other is always linearizable, whatever the intervals', () => {
    fc.assert(
      fc.property(plans(registerInputs, 40, 12), plans(counterInputs, 40, 12), (ofRegister, ofCounter) => {
        const writes = happen(ofRegister, 0, register);
        const writesVerdict = checkLinearizable(registerModel, writes, limits);
        expect(writesVerdict.verdict).toBe('linearizable');
        expectProof(registerPromise, 0, writes, writesVerdict);
        const tasks = happen(ofCounter, [], runCounter);
        const tasksVerdict = checkLinearizable(counterModel, tasks, limits);
        expect(tasksVerdict.verdict).toBe('linearizable');
        expectProof(counterPromise, [], tasks, tasksVerdict);
      }),
      { numRuns: 500 },
    );
  });

  test('finds for a register what trying every order finds', () => {
    const tally = newTally();
    fc.assert(
      fc.property(plans(registerInputs, 7), (list) => {
        const operations = happen(list, 0, register, lieRegister);
        const verdict = checkLinearizable(registerModel, operations, limits);
        expect(verdict.verdict === 'linearizable').toBe(someOrderFits(registerPromise, 0, operations));
        if (verdict.verdict === 'linearizable') expectProof(registerPromise, 0, operations, verdict);
        tally[verdict.verdict] += 1;
      }),
      { numRuns: 4_000 },
    );
    expectBoth(tally, 200);
  });

  test('finds for the counter what trying every order finds', () => {
    const tally = newTally();
    fc.assert(
      fc.property(plans(counterInputs, 7), (list) => {
        const operations = happen<readonly number[], CounterInput, CounterOutput>(list, [], runCounter, lieCounter);
        const verdict = checkLinearizable(counterModel, operations, limits);
        expect(verdict.verdict === 'linearizable').toBe(someOrderFits(counterPromise, [], operations));
        if (verdict.verdict === 'linearizable') expectProof(counterPromise, [], operations, verdict);
        tally[verdict.verdict] += 1;
      }),
      { numRuns: 4_000 },
    );
    expectBoth(tally, 200);
  });

  test('finds for names what trying every order of the halves finds', () => {
    const tally = newTally();
    const inputs = fc.oneof(fc.constantFrom('r', 's', 't').map(deploy), fc.constant(remove), fc.constant(migrate));
    const outputs = fc.constantFrom<(NamesOutput | undefined)[]>('ok', 'ok', 'agentExists', 'agentUnknown', undefined);
    const seen = fc.record({ input: inputs, output: outputs, atMs: fc.nat({ max: 30 }), tookMs: fc.nat({ max: 12 }) });
    fc.assert(
      fc.property(fc.array(seen, { minLength: 1, maxLength: 5 }), (list) => {
        const operations = history<NamesInput, NamesOutput>(
          ...list.map(
            ({ input, output, atMs, tookMs }): [string, number, number, NamesInput, NamesOutput | undefined] => {
              return ['c', atMs, atMs + tookMs, input, output];
            },
          ),
        );
        const verdict = checkLinearizable(namesModel, operations, limits);
        const halves = operations.flatMap((operation) => namesModel.split?.(operation) ?? [operation]);
        expect(verdict.verdict === 'linearizable').toBe(someOrderFits(namesPromise, nothing, halves));
        tally[verdict.verdict] += 1;
      }),
      { numRuns: 4_000 },
    );
    expectBoth(tally, 200);
  });

  test('finds in longer histories the same with and without what makes it quick', () => {
    const tally = newTally();
    fc.assert(
      fc.property(plans(registerInputs, 14, 4), plans(counterInputs, 12, 4), (ofRegister, ofCounter) => {
        const writes = happen(ofRegister, 0, register, lieRegister);
        const quick = checkLinearizable(registerModel, writes, limits);
        expect(quick.verdict).toBe(checkLinearizable(plain(registerModel), writes, limits).verdict);
        const tasks = happen<readonly number[], CounterInput, CounterOutput>(ofCounter, [], runCounter, lieCounter);
        const counted = checkLinearizable(counterModel, tasks, limits);
        expect(counted.verdict).toBe(checkLinearizable(plain(counterModel), tasks, limits).verdict);
        tally[quick.verdict] += 1;
        tally[counted.verdict] += 1;
      }),
      { numRuns: 1_500 },
    );
    expectBoth(tally, 100);
  });
});

// ---- names, as trying every order and as a cluster of their own ----

interface Name {
  phase: 'free' | 'present' | 'ending';
  requests: readonly string[];
  begun: readonly number[];
}
const nothing: Name = { phase: 'free', requests: [], begun: [] };

/** The rules of `apply`, one by one. */
const namesPromise: Promise<Name, NamesInput, NamesOutput> = (name, input, output) => {
  const { phase, requests, begun } = name;
  const unanswered = output === undefined;
  if (input.type === 'deploy') {
    if (requests.includes(input.request)) return unanswered || output === 'ok' ? name : undefined;
    if (phase !== 'free') return unanswered || output === 'agentExists' ? name : undefined;
    if (!unanswered && output !== 'ok') return undefined;
    return { ...name, phase: 'present', requests: [...requests, input.request] };
  }
  if (input.type === 'migrate') {
    const answer = phase === 'present' ? 'ok' : 'agentUnknown';
    return unanswered || output === answer ? name : undefined;
  }
  if (input.type === 'delete') {
    if (output === 'agentUnknown') return phase === 'present' ? undefined : name;
    if (!unanswered && output !== 'ok') return undefined;
    const begins = unanswered ? begun : [...begun, input.deletion ?? 0];
    return { ...name, phase: phase === 'present' ? 'ending' : phase, begun: begins };
  }
  if (!unanswered && !begun.includes(input.deletion)) return undefined;
  return { ...name, phase: phase === 'ending' ? 'free' : phase };
};

describe('names in a cluster', () => {
  test('what a cluster that ends agents some time after their deletion answers is linearizable', () => {
    let states = 0;
    for (let seed = 1; seed <= 500; seed++) {
      const operations = clusterOfNames(new Random(`names ${seed}`));
      const verdict = checkLinearizable(namesModel, operations, limits);
      expect(verdict.verdict, `seed ${seed}: ${verdict.evidence}`).toBe('linearizable');
      states += verdict.states;
    }
    console.log(`500 histories of 36 operations on one name: ${states} states`);
  });

  test('one wrong answer among many is judged the same with and without what makes it quick', () => {
    const tally = newTally();
    for (let seed = 1; seed <= 300; seed++) {
      const operations = clusterOfNames(new Random(`names ${seed}`));
      const at = operations.findLastIndex(({ output }) => output !== undefined && output !== 'ok');
      if (at < 0) continue;
      const wrong = operations.with(at, { ...(operations[at] as Operation<NamesInput, NamesOutput>), output: 'ok' });
      const { verdict } = checkLinearizable(namesModel, wrong, limits);
      tally[verdict] += 1;
      const slow = checkLinearizable(plain(namesModel), wrong, { statesMax: 20_000 }).verdict;
      if (slow !== 'undecided') expect(verdict, `seed ${seed}`).toBe(slow);
    }
    expectBoth(tally, 20);
  });
});

/**
 * Clients of one name, each asking one thing after the other, and a log that applies what they ask in its order. What is
 * asked again because the first try or its answer was lost takes effect once.
 */
function clusterOfNames(random: Random): Operation<NamesInput, NamesOutput>[] {
  const operations: Operation<NamesInput, NamesOutput>[] = [];
  const requests = new Set<string>();
  const deletions = new Set<number>();
  let phase: Name['phase'] = 'free';
  let waiting: ((output: NamesOutput) => void)[] = [];
  const planned: { atMs: number; run: (atMs: number) => void }[] = [];
  const at = (atMs: number, run: (atMs: number) => void) => planned.push({ atMs, run });
  const ended = (): void => {
    phase = 'free';
    for (const tell of waiting) tell('ok');
    waiting = [];
  };
  const remove = (atMs: number, id: number, isRetry: boolean, done: (output: NamesOutput) => void): void => {
    if (phase === 'free' || (phase === 'present' && deletions.has(id))) return done(isRetry ? 'ok' : 'agentUnknown');
    waiting.push(done);
    if (phase === 'ending') return;
    deletions.add(id);
    phase = 'ending';
    at(atMs + random.between(1, 30), ended);
  };
  const apply = (input: NamesInput): NamesOutput => {
    if (input.type !== 'deploy') return phase === 'present' ? 'ok' : 'agentUnknown';
    if (!requests.has(input.request) && phase !== 'free') return 'agentExists';
    if (!requests.has(input.request)) phase = 'present';
    requests.add(input.request);
    return 'ok';
  };
  const ask = (client: string, left: number) => (calledMs: number) => {
    if (left === 0) return;
    const id = operations.length;
    const input = random.pick([
      deploy(random.pick(['r', 's', 't', 'u', 'v', 'w'])),
      { type: 'delete' },
      migrate,
    ] as const);
    operations.push({ id, client, input, output: undefined, calledMs, returnedMs: never });
    let isOver = false;
    const finish = (atMs: number, output: NamesOutput | undefined): void => {
      if (isOver) return;
      isOver = true;
      if (output !== undefined) operations[id] = { id, client, input, output, calledMs, returnedMs: atMs };
      at(atMs + random.between(1, 20), ask(client, left - 1));
    };
    const attempt = (atMs: number, isRetry: boolean, isAnswerLost: boolean): void => {
      const done = (output: NamesOutput): void => {
        const tell = (toldMs: number): void => finish(toldMs, output);
        if (!isAnswerLost) at(Math.max(atMs, latestMs) + random.between(0, 10), tell);
      };
      if (input.type === 'delete') remove(atMs, id, isRetry, done);
      else done(apply(input));
    };
    const luck = random.pick(['once', 'once', 'once', 'asked again', 'answer lost', 'never']);
    const isRetry = luck === 'asked again';
    if (isRetry && random.chance(0.7)) at(calledMs + random.between(0, 20), (atMs) => attempt(atMs, false, true));
    if (luck !== 'never') {
      const arrivalMs = calledMs + (isRetry ? random.between(20, 80) : random.between(0, 20));
      at(arrivalMs, (atMs) => attempt(atMs, isRetry, luck === 'answer lost'));
    }
    at(calledMs + 150, (atMs) => finish(atMs, undefined));
  };
  let latestMs = 0;
  for (const client of ['a', 'b', 'c']) at(random.between(0, 20), ask(client, 12));
  for (let next = takeFirst(planned); next !== undefined; next = takeFirst(planned)) {
    latestMs = next.atMs;
    next.run(next.atMs);
  }
  return operations;
}

function takeFirst<T extends { atMs: number }>(planned: T[]): T | undefined {
  const first = planned.reduce<T | undefined>((a, b) => (a === undefined || b.atMs < a.atMs ? b : a), undefined);
  if (first !== undefined) planned.splice(planned.indexOf(first), 1);
  return first;
}

// ---- how long it takes ----

/** Clients of a counter, some of whose answers are lost with or without the effect. */
function busyCounter(count: number, clients: number, lostChance: number): Operation<CounterInput, CounterOutput>[] {
  const random = new Random(`busy ${count} ${clients} ${lostChance}`);
  const freeMs = Array.from({ length: clients }, () => 0);
  const list = Array.from({ length: count }, (_, index) => {
    const client = index % clients;
    const calledMs = (freeMs[client] ?? 0) + random.between(1, 50);
    const atMs = calledMs + random.between(1, 30);
    const returnedMs = atMs + random.between(1, 30);
    freeMs[client] = returnedMs;
    const input = random.chance(0.1) ? state : task(index + 1);
    const fate = random.pick<Plan<CounterInput>['fate']>(random.chance(lostChance) ? ['lost', 'never'] : ['answered']);
    return { input, atMs, beforeMs: atMs - calledMs, afterMs: returnedMs - atMs, fate };
  });
  const inOrder = list.toSorted((a, b) => a.atMs - b.atMs);
  const counts: Record<string, number> = {};
  let done = 0;
  return inOrder.map(({ input, atMs, beforeMs, afterMs, fate }, index) => {
    let output: CounterOutput = { type: 'read', total: done, counts: { ...counts } };
    if (input.type === 'task' && fate !== 'never') {
      counts[input.serial] = 1;
      done += 1;
      output = total(done);
    }
    const answer = fate === 'answered' ? output : undefined;
    const client = `client-${(index % clients) + 1}`;
    return { id: index, client, input, output: answer, calledMs: atMs - beforeMs, returnedMs: atMs + afterMs };
  });
}

describe('the time that a verdict takes', () => {
  test.each([
    [2_000, 16, 0],
    [2_000, 16, 0.05],
    [2_000, 64, 0.2],
    [10_000, 16, 0.01],
  ])('%d operations of %d clients, a share of %d without an answer', (count, clients, lostChance) => {
    const operations = busyCounter(count, clients, lostChance);
    const timed = <T>(run: () => T): [T, string] => {
      const beganMs = performance.now();
      const result = run();
      return [result, `${(performance.now() - beganMs).toFixed(0)} ms`];
    };
    const [good, goodTook] = timed(() => checkLinearizable(counterModel, operations, limits));
    expect(good.verdict).toBe('linearizable');
    const at = operations.findLastIndex(({ output }) => output?.type === 'task');
    const last = operations[at] as Operation<CounterInput, CounterOutput>;
    const lost = operations.with(at, { ...last, output: total(count) });
    const [bad, badTook] = timed(() => checkLinearizable(counterModel, lost, limits));
    expect(bad.verdict).toBe('violation');
    const states = `${good.states} and ${bad.states} states`;
    console.log(
      `${count} operations, ${clients} clients, ${lostChance} lost: ${goodTook}; violation ${badTook}; ${states}`,
    );
  });
});
