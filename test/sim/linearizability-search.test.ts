import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CounterInput, type CounterOutput, counterModel } from '../../sim/checkers/counter-model.ts';
import { checkLinearizable, type Model, type Operation, type Verdict } from '../../sim/checkers/linearizability.ts';
import { type NamesInput, type NamesOutput, namesModel } from '../../sim/checkers/names-model.ts';
import { Random } from '../../sim/random.ts';
import {
  deploy,
  history,
  migrate,
  type RegisterOutput,
  read,
  register,
  registerModel,
  remove,
  shows,
  state,
  swap,
  task,
  total,
  write,
} from './histories.ts';
import {
  type Behaviour,
  counterPromise,
  expectProof,
  happen,
  type Plan,
  plans,
  registerPromise,
  someOrderFits,
} from './order-twin.ts';

const limits = { statesMax: 200_000 };
const never = Number.POSITIVE_INFINITY;

// ---- the search and its twin, which tries every order ----

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
const namesPromise: Behaviour<Name, NamesInput, NamesOutput> = (name, input, output) => {
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
