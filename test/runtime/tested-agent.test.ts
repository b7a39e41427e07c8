import { describe, expect, test } from 'vitest';
import { type AgentModule, defineAgent } from '../../node/runtime/agent.ts';
import { AgentCrashed, AgentFailed, TaskRefused, testAgent } from '../../node/runtime/tested-agent.ts';

type Task = { add: number; large?: number; until?: 'cancelled' | 'never'; tell?: unknown[] };

const counter = defineAgent<{ total: number; epochs: number[] }, Task, number | string>({
  init: ({ epoch }) => ({ total: 0, epochs: [epoch] }),
  async handle(state, { add, large = 0, until, tell = [] }, { signal, progress, epoch }) {
    state.total += add;
    if (!state.epochs.includes(epoch)) state.epochs.push(epoch);
    if (add < 0) throw new RangeError('add must not be below 0');
    for (const one of tell) progress(one);
    if (until !== undefined) {
      await new Promise<void>((done) => signal.addEventListener('abort', () => until === 'cancelled' && done()));
    }
    return { state, result: large > 0 ? 'x'.repeat(large) : state.total };
  },
});

/** Its state is a map, kept in bytes of its own. */
const map = (restore: AgentModule<Map<string, number>, string, number>['restore']) =>
  defineAgent<Map<string, number>, string, number>({
    init: () => new Map(),
    handle(state, name) {
      state.set(name, (state.get(name) ?? 0) + 1);
      return { state, result: state.size };
    },
    checkpoint: (state) => new TextEncoder().encode(JSON.stringify([...state])),
    ...(restore && { restore }),
  });

const entriesOf = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as [string, number][];

describe('an agent in memory', () => {
  test('answers a task with its result, its state, and what it told before', async () => {
    const agent = await testAgent(counter);
    expect(await agent.state()).toEqual({ total: 0, epochs: [1] });
    expect(await agent.task({ add: 2, tell: [1, { half: true }] })).toEqual({
      result: 2,
      state: { total: 2, epochs: [1] },
      progress: [1, { half: true }],
      send: [],
      timers: [],
    });
    expect(new TextDecoder().decode(agent.checkpoint)).toBe('{"total":2,"epochs":[1]}');
  });

  test('is told who it is, and goes on from a checkpoint that it is given', async () => {
    const checkpoint = new TextEncoder().encode('{"total":40,"epochs":[]}');
    const agent = await testAgent(counter, { checkpoint, agent: 'clicks', epoch: 9 });
    expect((await agent.task({ add: 2 })).state).toEqual({ total: 42, epochs: [9] });
  });

  test('takes one task at a time, in their order', async () => {
    const agent = await testAgent(counter);
    const results = await Promise.all([1, 2, 3].map((add) => agent.task({ add })));
    expect(results.map(({ result }) => result)).toEqual([1, 3, 6]);
  });

  test('refuses with the reason that the sender would be told, and has the state from before', async () => {
    const agent = await testAgent(counter);
    await agent.task({ add: 5 });
    const refused = agent.task({ add: -1 });
    await expect(refused).rejects.toThrow(TaskRefused);
    await expect(refused).rejects.toThrow('add must not be below 0');
    expect((await agent.task({ add: 1 })).result).toBe(6);
  });

  test('refuses what a node could not keep, and goes on without it', async () => {
    const agent = await testAgent(counter);
    await expect(agent.task({ add: 1, large: 64 * 1024 })).rejects.toThrow(/result is 65538 bytes/);
    await expect(agent.task({ add: 1, tell: ['x'.repeat(256 * 1024)] })).rejects.toThrow(/the task is 2\d+ bytes/);
    expect((await agent.task({ add: 1 })).result).toBe(1);
  });

  test('crashes in the middle of a task, which leaves nothing, and the tasks behind it find a new instance', async () => {
    const agent = await testAgent(counter);
    await agent.task({ add: 1 });
    const lost = agent.task({ add: 10, until: 'never' });
    const behind = agent.task({ add: 100 });
    await new Promise(setImmediate);
    const [outcome] = await Promise.allSettled([lost, agent.recover()]);
    expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(AgentCrashed) });
    expect((await behind).result).toBe(101);
  });

  test('starts in a new epoch when it is moved, after the tasks that it has', async () => {
    const agent = await testAgent(counter);
    const [first] = await Promise.all([agent.task({ add: 1 }), agent.move()]);
    expect(first.state.epochs).toEqual([1]);
    expect(agent.epoch).toBe(2);
    expect((await agent.task({ add: 1 })).state).toEqual({ total: 2, epochs: [1, 2] });
    await agent.recover();
    expect([agent.epoch, await agent.state()]).toEqual([2, { total: 2, epochs: [1, 2] }]);
  });

  test('hears that a task is not wanted any more', async () => {
    const agent = await testAgent(counter);
    const answer = agent.task({ add: 3, until: 'cancelled' });
    await Promise.resolve();
    agent.cancel();
    expect((await answer).result).toBe(3);
  });

  test('may keep its state in bytes of its own', async () => {
    const agent = await testAgent(map((bytes) => new Map(entriesOf(bytes))));
    await agent.task('a');
    await agent.task('a');
    await agent.recover();
    expect((await agent.task('b')).state).toEqual(
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    );
  });
});

test('shows what it sends and which timers it sets', async () => {
  const sender = defineAgent<null, string, null>({
    init: () => null,
    handle: (state, to) => ({
      ...{ state, result: null, send: [{ to, task: { credit: 5 } }] },
      timers: [{ name: 'close', afterMs: 60_000, task: { close: true } }],
    }),
  });
  const agent = await testAgent(sender);
  const { send, timers } = await agent.task('ledger');
  expect(send).toEqual([{ to: 'ledger', task: { credit: 5 } }]);
  expect(timers).toEqual([{ name: 'close', afterMs: 60_000, task: { close: true } }]);
  await expect(agent.task('no name!')).rejects.toThrow(TaskRefused);
});

describe('an agent whose code is upgraded', () => {
  const total = defineAgent<{ total: number }, { add: number }, number>({
    init: () => ({ total: 0 }),
    handle: ({ total: before }, { add }) => ({ state: { total: before + add }, result: before + add }),
  });
  interface Cents {
    cents: number;
  }
  const cents = (more: Partial<AgentModule<Cents, { add: number }, number>>) =>
    defineAgent<Cents, { add: number }, number>({
      init: () => ({ cents: 0 }),
      handle: (state, { add }) => ({ state: { cents: state.cents + add * 100 }, result: state.cents / 100 + add }),
      migrate: ({ total: before }: { total: number }) => ({ cents: before * 100 }),
      ...more,
    });

  test('goes on from what the version before kept, in a new epoch, and could go back', async () => {
    const before = await testAgent(total);
    await before.task({ add: 4 });
    const seen: unknown[] = [];
    const after = await before.upgrade(
      cents({
        rollback(state, versions) {
          seen.push(state, versions);
          return { total: state.cents / 100 };
        },
      }),
    );
    expect([await after.state(), after.epoch]).toEqual([{ cents: 400 }, 2]);
    expect(seen).toEqual([{ cents: 400 }, { from: 2, to: 1 }]);
    expect((await after.task({ add: 1 })).result).toBe(5);
    await after.recover();
    expect(await after.state()).toEqual({ cents: 500 });
  });

  test('tells its author what would end a rollout', async () => {
    const before = await testAgent(total);
    const throwing = (): never => {
      throw new Error('not that');
    };
    await expect(before.upgrade(cents({ migrate: throwing }))).rejects.toThrow(
      'its state cannot be migrated: not that',
    );
    await expect(before.upgrade(cents({ rollback: throwing }))).rejects.toThrow('there is no way back: not that');
    await expect(before.upgrade(cents({ rollback: () => () => {} }))).rejects.toThrow(
      /no way back: .* is not plain JSON/,
    );
    // It goes on with the version that it has.
    expect((await before.task({ add: 1 })).result).toBe(1);
  });

  test('is given bytes where it keeps bytes', async () => {
    const before = await testAgent(map((bytes) => new Map(entriesOf(bytes))));
    await before.task('a');
    const after = await before.upgrade(
      defineAgent<{ names: string[] }, string, number>({
        init: () => ({ names: [] }),
        handle: (state) => ({ state, result: state.names.length }),
        checkpoint: (state) => new TextEncoder().encode(state.names.join()),
        restore: (bytes) => ({ names: new TextDecoder().decode(bytes).split(',') }),
        migrate: (bytes: Uint8Array) => ({ names: entriesOf(bytes).map(([name]) => name) }),
        rollback: ({ names }) => new TextEncoder().encode(JSON.stringify(names.map((name) => [name, 1]))),
      }),
    );
    expect(await after.state()).toEqual({ names: ['a'] });
  });
});

describe('what an author has to know', () => {
  test('is that the checkpoint forgets something', async () => {
    const agent = await testAgent(map((bytes) => new Map(entriesOf(bytes).slice(0, 1))));
    await agent.task('a');
    const failed = agent.task('b');
    await expect(failed).rejects.toThrow(AgentFailed);
    await expect(failed).rejects.toThrow(/restored.*another one: .*\["b",1\].* became .*\["a",1\]/);
  });

  test('is that it cannot start, or cannot be restored', async () => {
    const noDesk = { ...counter, init: () => Promise.reject(new Error('no desk')) };
    await expect(testAgent(noDesk)).rejects.toThrow('init failed: no desk');
    const lost = map(() => {
      throw new Error('what was it');
    });
    await expect(testAgent(lost)).rejects.toThrow('its state cannot be restored: what was it');
  });
});
