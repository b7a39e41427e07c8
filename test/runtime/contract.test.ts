import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createContainerRunner } from '../../node/runtime/container-runner.ts';
import type { StartOrder } from '../../node/runtime/line-runner.ts';
import { createProcessRunner } from '../../node/runtime/process-runner.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { createAgents } from './agents-kit.ts';
import { containerOf, engineSocket, nodeImage } from './container-image.ts';
import { deeds, processCents, processCounter, versions } from './process-agents.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

interface Limits {
  memoryMb?: number;
  startTimeoutMs?: number;
  taskTimeoutMs?: number;
  taskGraceMs?: number;
  tasksWaitingMax?: number;
  lineLengthMax?: number;
  linesPerSMax?: number;
}

interface Kit {
  create(directory: string, limits: Limits): RunnerStage;
  /** How an order names code: by a source, or by what runs it. */
  code(source: string, memoryMb: number): Pick<StartOrder, 'source' | 'interpreter' | 'container'>;
  /** A counter that does what its task says: `add`, `throw`, `exit`, `spin`, `wait`, `memory`, `print`, `large`. */
  counter: string;
  /** A newer version of it, that keeps its count in hundredths, takes counts over, and gives them back. */
  cents: string;
  /** Code that cannot start. */
  broken: string;
  /** Code that never comes to an end of its start. */
  slow: string;
}

const workerCounter = `
export default {
  init: (context) => ({ count: 0, name: context.agent, type: context.type, epoch: context.epoch }),
  async handle(state, task, { taskId, epoch, progress, signal }) {${deeds}    if (task.whichId) return { state, result: taskId };
    if (task.whichEpoch) return { state, result: epoch };
    for (const value of task.tell ?? []) progress(value);
    if (task.untilCancelled) await new Promise((_, give) => signal.addEventListener('abort', () => give(new Error('given up'))));

    if (task.large) return { state, result: 'x'.repeat(task.large) };
    if (task.lead) return { state, result: 1, ...task.lead };
    return { state, result: state.count };
  },
  merge(base, ours, theirs, { both, branch, agent }) {
    if (agent === undefined) throw new Error('it is told nothing');
    ours.count += theirs.count - base.count;
    if (theirs.count < 0) throw new Error('not like this');
    return { ...ours, merged: [branch, ...both] };
  },
};`;

const workerCents = `${versions}
export default {
  init: () => ({ cents: 0 }),
  handle(state, task) {
    state.cents += task.add;
    if (task.throw) throw new Error(task.throw);
    return { state, result: state.cents };
  },
  migrate: migrated,
  rollback: brokenOff,
};`;

const kits: Record<string, Kit> = {
  worker: {
    code: (source) => ({ source }),
    counter: workerCounter,
    cents: workerCents,
    broken: 'throw new Error("no desk")',
    slow: 'for (;;) {}',
    create: (directory, { memoryMb, ...limits }) =>
      new RunnerStage((events, log) =>
        createAgents({
          ...{ directory, events, log },
          limits: { sparesMax: 0, ...limits, ...(memoryMb !== undefined && { externalMbMax: memoryMb }) },
        }),
      ),
  },
  process: {
    code: (source) => ({ source, interpreter: 'node' }),
    counter: processCounter,
    cents: processCents,
    broken: 'throw new Error("no desk")',
    slow: 'for (;;) {}',
    create: (directory, { memoryMb, ...limits }) =>
      new RunnerStage((events, log) =>
        createProcessRunner({
          ...{ directory, events, log, interpreters: new Map([['node', process.execPath]]) },
          limits: { ...limits, ...(memoryMb !== undefined && { memoryMbMax: memoryMb }) },
        }),
      ),
  },
};

/** What every runtime keeps to. */
function contract({ create, code, counter, cents, broken, slow }: Kit): void {
  let directory: string;
  let stage: RunnerStage;
  let memoryMb = 256;
  const begin = (limits: Limits = {}): void => {
    memoryMb = limits.memoryMb ?? 256;
    stage = create(directory, limits);
  };
  const order = (agent: string, epoch: number, source: string, state?: Uint8Array): void =>
    stage.runner.start({ agent, agentType: 'counter', epoch, ...code(source, memoryMb), state });
  const start = (agent: string, epoch = 1, source = counter, state?: Uint8Array) => {
    order(agent, epoch, source, state);
    return stage.first('started', (one) => one.agent === agent && one.epoch === epoch);
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'runtime-'));
    begin();
  });

  afterEach(async () => {
    await stage.runner.stopAll();
    await rm(directory, { recursive: true, force: true });
  });

  test('starts an agent from nothing, tells it who it is, and gives each result with the state that it led to', async () => {
    expect(await start('a', 7)).toMatchObject({ state: '{"count":0,"name":"a","type":"counter","epoch":7}' });
    expect(await stage.run('a', 't1', { add: 2 }, 7)).toMatchObject({ ok: true, value: 2 });
    const second = await stage.run('a', 't2', { add: 3 }, 7);
    expect(second).toMatchObject({ ok: true, value: 5 });
    expect(JSON.parse(second.state)).toMatchObject({ count: 5 });
  });

  test('goes on in another epoch: what it is told comes of that, and the code knows from its next task on', async () => {
    await start('a', 7);
    expect(await stage.run('a', 't1', { add: 2 }, 7)).toMatchObject({ epoch: 7, value: 2 });
    stage.runner.renew('a', 7, 9);
    expect(await stage.run('a', 't2', { whichEpoch: true }, 9)).toMatchObject({ epoch: 9, value: 9 });
    const next = await stage.run('a', 't3', { add: 3 }, 9);
    expect(next).toMatchObject({ epoch: 9, value: 5 });
    // It was started once.
    expect(JSON.parse(next.state)).toMatchObject({ count: 5, epoch: 7 });
    expect(stage.happened.filter(({ kind }) => kind === 'started')).toHaveLength(1);
    stage.runner.stop('a', 7);
    expect(await stage.run('a', 't4', { add: 1 }, 9)).toMatchObject({ epoch: 9, value: 6 });
  });

  test('goes on in another epoch in the middle of a task, and has the state before a refused one back', async () => {
    await start('a', 7);
    stage.runner.run('a', 7, 't1', bytes({ add: 2 }));
    stage.runner.renew('a', 7, 9);
    expect(await stage.first('ran', ({ task }) => task === 't1')).toMatchObject({ epoch: 9, value: 2 });
    expect(await stage.run('a', 't2', { add: 5, throw: 'no' }, 9)).toMatchObject({ epoch: 9, ok: false });
    expect(await stage.run('a', 't3', { add: 1 }, 9)).toMatchObject({ epoch: 9, value: 3 });
  });

  test('says nothing of another epoch where nothing runs', async () => {
    stage.runner.renew('nobody', 1, 2);
    expect(await start('a', 1)).toMatchObject({ epoch: 1 });
    stage.runner.renew('a', 3, 4);
    expect(await stage.run('a', 't1', { whichEpoch: true }, 1)).toMatchObject({ epoch: 1, value: 1 });
    expect(stage.happened.filter(({ kind }) => kind === 'failed')).toEqual([]);
  });

  test('gives those tasks back that it has not begun, and goes on without them', async () => {
    await start('a');
    stage.runner.run('a', 1, 'long', bytes({ untilCancelled: true, tell: [1] }));
    await stage.first('progress');
    for (const task of ['t1', 't2']) stage.runner.run('a', 1, task, bytes({ add: 1 }));
    stage.runner.recall('a', 1);
    expect(await stage.first('returned')).toMatchObject({ agent: 'a', epoch: 1, tasks: ['t1', 't2'] });
    stage.runner.cancel('a', 1, 'long');
    await stage.first('ran', ({ task }) => task === 'long');
    expect(await stage.run('a', 't3', { add: 1 })).toMatchObject({ ok: true, value: 1 });
    expect(stage.happened.some((one) => one.kind === 'ran' && one.task === 't1')).toBe(false);
  });

  test('gives a task back when it could begin it only after its deadline', async () => {
    await start('a');
    stage.runner.run('a', 1, 'long', bytes({ untilCancelled: true, tell: [1] }));
    await stage.first('progress');
    stage.runner.run('a', 1, 'late', bytes({ add: 1 }), { deadlineMs: performance.now() });
    stage.runner.run('a', 1, 't1', bytes({ add: 2 }), { deadlineMs: performance.now() + 60_000 });
    stage.runner.cancel('a', 1, 'long');
    expect(await stage.first('ran', ({ task }) => task === 't1')).toMatchObject({ ok: true, value: 2 });
    expect(await stage.first('returned')).toMatchObject({ tasks: ['late'] });
  });

  test('hands on what a task leads to beside the state, as the code gave it', async () => {
    await start('a');
    const lead = { send: [{ to: 'b', task: { add: 1 } }], timers: [{ name: 'soon', afterMs: 5, task: 2 }] };
    expect(await stage.run('a', 't1', { lead })).toMatchObject({ ok: true, outputs: lead });
    expect(await stage.run('a', 't2', { add: 1 })).not.toHaveProperty('outputs');
  });

  test('tells each task its id', async () => {
    await start('a');
    expect(await stage.run('a', 'order-7', { whichId: true })).toMatchObject({ ok: true, value: 'order-7' });
  });

  test('starts an agent from a state', async () => {
    expect(await start('a', 2, counter, bytes({ count: 40 }))).toMatchObject({ state: '{"count":40}' });
    expect(await stage.run('a', 't', { add: 2 }, 2)).toMatchObject({ value: 42 });
  });

  test('runs tasks one after the other in their order, those given before the start among them', async () => {
    order('a', 1, counter);
    for (let at = 1; at <= 20; at++) stage.runner.run('a', 1, `t${at}`, bytes({ add: at }));
    await stage.first('ran', (one) => one.task === 't20');
    const ran = stage.happened.filter((one) => one.kind === 'ran');
    expect(ran.map((one) => one.task)).toEqual(Array.from({ length: 20 }, (_none, at) => `t${at + 1}`));
    expect(ran.at(-1)?.value).toBe(210);
  });

  test('leaves the state as it was before a task that the agent refused after half of its work', async () => {
    const { state } = await start('a');
    const refused = await stage.run('a', 't1', { add: 5, throw: 'not today' });
    expect(refused).toMatchObject({ ok: false, value: { reason: 'not today' }, state });
    expect(await stage.run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  const merging = (base: number, theirs: number) => ({
    ...{ branch: 'b1', both: ['t1'], base: bytes({ count: base }), theirs: bytes({ count: theirs }) },
  });

  test('takes a branch in by what its code makes of both states, and goes on from there', async () => {
    await start('a');
    await stage.run('a', 't1', { add: 5 });
    const { ok, state } = await stage.merge('a', 'merge-1', merging(2, 9));
    expect([ok, JSON.parse(state)]).toMatchObject([true, { count: 12, merged: ['b1', 't1'] }]);
    expect(await stage.run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 13 });
  });

  test('refuses a branch that its merge throws at, or that it has no merge for, and stays as it was', async () => {
    await start('a');
    await stage.run('a', 't1', { add: 5 });
    const thrown = await stage.merge('a', 'merge-1', merging(2, -9));
    expect(thrown).toMatchObject({ ok: false, value: { reason: 'not like this' } });
    expect(await stage.run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 6 });
    await start('b', 1, counter.replace('merge(', 'other('));
    const none = await stage.merge('b', 'merge-1', merging(2, 9));
    expect(none).toMatchObject({ ok: false, value: { reason: 'its code has no merge function' } });
    expect(await stage.run('b', 't1', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  test('tells code that runs as a branch that it is the agent, in the epoch that the branch began from', async () => {
    const told = { agent: 'a', epoch: 4 };
    stage.runner.start({
      ...{ agent: 'a~b1', agentType: 'counter', epoch: 2 ** 40, ...code(counter, memoryMb), state: undefined, told },
    });
    const started = await stage.first('started', ({ agent }) => agent === 'a~b1');
    expect(started).toMatchObject({ epoch: 2 ** 40, state: '{"count":0,"name":"a","type":"counter","epoch":4}' });
    expect(await stage.run('a~b1', 't1', { add: 2 }, 2 ** 40)).toMatchObject({ ok: true, value: 2 });
  });

  test('refuses a task that is not JSON, and goes on', async () => {
    await start('a');
    stage.runner.run('a', 1, 't', Buffer.from('{'));
    expect(await stage.first('ran')).toMatchObject({ ok: false, value: { reason: expect.stringMatching(/JSON/) } });
    expect(await stage.run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  test('hands on a result of a megabyte, for the node to refuse', async () => {
    await start('a');
    const { value } = await stage.run('a', 't', { large: 1_000_000 });
    expect(value).toHaveLength(1_000_000);
  });

  test('says why code cannot start, and when it takes longer than it may', async () => {
    order('a', 1, broken);
    expect((await stage.failure('a')).reason).not.toBe('');
    await stage.runner.stopAll();
    begin({ startTimeoutMs: 400 });
    order('b', 1, slow);
    expect((await stage.failure('b')).reason).toMatch(/did not start within 400 ms/);
  });

  /** Starts a version from a state that another one wrote. */
  const turn = (agent: string, source: string, state: object, from: number, to: number, newer?: string) => {
    const change = { from, to, newer: newer === undefined ? undefined : code(newer, memoryMb) };
    const run = code(source, memoryMb);
    stage.runner.start({ agent, agentType: 'counter', epoch: 1, ...run, state: bytes(state), change });
    return stage.first('started', (one) => one.agent === agent);
  };

  test('has a newer version take over what an older one wrote, and goes on from there', async () => {
    const { state } = await turn('a', cents, { count: 4 }, 1, 3);
    expect(JSON.parse(state)).toEqual({ cents: 400, by: '1-3' });
    stage.happened.length = 0;
    expect(await stage.run('a', 't1', { add: 1, throw: 'no' })).toMatchObject({ ok: false });
    expect(await stage.run('a', 't2', { add: 5 })).toMatchObject({ ok: true, value: 405 });
  });

  test('has the newer version say what the older one would have kept, and starts that', async () => {
    const { state } = await turn('a', counter, { cents: 500 }, 3, 2, cents);
    expect(JSON.parse(state)).toEqual({ count: 5, back: '3-2' });
    expect(await stage.run('a', 't1', { add: 1 })).toMatchObject({ ok: true, value: 6 });
  });

  test('says why a state cannot be taken over, or has no way back', async () => {
    turn('a', cents, { count: 1, name: 'odd' }, 1, 2).catch(() => {});
    expect((await stage.failure('a')).reason).toBe('its state cannot be migrated: not that one');
    turn('b', counter, { cents: 1 }, 2, 1, cents).catch(() => {});
    expect((await stage.failure('b')).reason).toBe('there is no way back: 1 is no count');
    turn('c', counter, { cents: 1 }, 2, 1).catch(() => {});
    expect((await stage.failure('c')).reason).toBe('there is no way back: version 2 is not kept any more');
  });

  test('gives a version without the means for it the state as it is', async () => {
    expect((await turn('a', counter, { count: 4 }, 1, 2)).state).toBe('{"count":4}');
    expect((await turn('b', counter, { count: 4 }, 2, 1, counter)).state).toBe('{"count":4}');
  });

  test('says that a state cannot be restored', async () => {
    order('a', 1, counter, Buffer.from('{'));
    expect((await stage.failure('a')).reason).toMatch(/cannot be restored/);
  });

  test.each([
    ['spins', { spin: true }, /did not answer task t within 2000 ms/],
    ['waits for what never comes', { wait: true }, /did not answer task t within 2000 ms/],
    ['ends', { exit: 3 }, /ended with code 3/],
    ['needs too much memory', { memory: true }, /more than the 128 MB/],
  ])('bears an agent that %s, and starts it again', async (_name, payload, why) => {
    begin({ taskTimeoutMs: 'memory' in payload ? 15_000 : 2_000, memoryMb: 128 });
    await Promise.all([start('good'), start('bad')]);
    stage.runner.run('bad', 1, 't', bytes(payload));
    expect((await stage.failure('bad')).reason).toMatch(why);
    expect(await stage.run('good', 't', { add: 1 })).toMatchObject({ ok: true, value: 1 });
    stage.runner.run('bad', 1, 'late', bytes({ add: 1 }));
    await start('bad', 2);
    expect(await stage.run('bad', 't', { add: 1 }, 2)).toMatchObject({ ok: true, value: 1 });
    expect(stage.happened.filter((one) => one.kind === 'failed')).toHaveLength(1);
  });

  const runUntil = (task: string, payload: object, ms: number): void =>
    stage.runner.run('a', 1, task, bytes(payload), { deadlineMs: performance.now() + ms });

  test('lets a task with a later deadline take longer than others may, and no other', async () => {
    begin({ taskTimeoutMs: 500 });
    await start('a');
    runUntil('slow', { add: 2, ms: 1_500 }, 60_000);
    expect(await stage.first('ran')).toMatchObject({ task: 'slow', ok: true, value: 2 });
    runUntil('~letter', { add: 1, ms: 20_000 }, 60_000);
    expect((await stage.failure('a')).reason).toBe('it did not answer task ~letter within 500 ms');
  });

  test('asks a task to give up at its later deadline', async () => {
    begin({ taskTimeoutMs: 200 });
    await start('a');
    runUntil('t', { add: 1, untilCancelled: true }, 700);
    const { ok, value } = await stage.first('ran');
    expect([ok, value]).toMatchObject([false, { reason: expect.stringMatching(/given up/) }]);
    expect(await stage.run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  test('ends what does not give up after its deadline, and says why', async () => {
    begin({ taskTimeoutMs: 200, taskGraceMs: 300 });
    await start('a');
    runUntil('t', { wait: true }, 700);
    const why =
      /^it did not answer task t within \d+ ms, its deadline, nor, when it was asked to give up, within 300 ms$/;
    expect((await stage.failure('a')).reason).toMatch(why);
    await start('a', 2);
    expect(await stage.run('a', 't2', { add: 1 }, 2)).toMatchObject({ ok: true, value: 1 });
  });

  test('passes on what agents print, in whole lines, cut and counted', async () => {
    begin({ lineLengthMax: 10, linesPerSMax: 3 });
    await start('a');
    await stage.run('a', 't1', { print: 'one\nhal' });
    await stage.run('a', 't2', { print: `f\n${'x'.repeat(50)}\nfour\nfive\n` });
    stage.runner.run('a', 1, 't3', bytes({ exit: 0 }));
    await stage.first('printed', (one) => one.line.startsWith('(2 lines'));
    const lines = stage.happened.flatMap((one) => (one.kind === 'printed' ? [one.line] : []));
    expect(lines.slice(0, 3)).toEqual(['one', 'half', 'x'.repeat(10)]);
  });

  test('lets only so many tasks wait', async () => {
    begin({ tasksWaitingMax: 3 });
    await start('a');
    for (let at = 0; at < 6; at++) stage.runner.run('a', 1, `t${at}`, bytes({ wait: true }));
    expect((await stage.failure('a')).reason).toMatch(/more than 3 tasks wait/);
  });

  test('runs two epochs beside each other, and is silent about one that was stopped', async () => {
    await start('a', 1);
    await start('a', 2);
    await stage.run('a', 't', { add: 10 }, 2);
    stage.runner.run('a', 1, 'never', bytes({ spin: true }));
    stage.runner.stop('a', 1);
    stage.runner.run('a', 1, 'after', bytes({ add: 1 }));
    expect(await stage.run('a', 'next', { add: 1 }, 2)).toMatchObject({ value: 11 });
    await stage.runner.stopAll();
    expect(stage.happened.map(({ kind }) => kind)).toEqual(['started', 'started', 'ran', 'ran']);
  });
}

describe.each(Object.entries(kits))('the runtime %s', (_, kit) => {
  contract(kit);
});

describeWithDocker('the runtime container', () => {
  let image = '';
  /** A runner removes what it does not know of its node's. */
  let nodes = 0;
  beforeAll(async () => {
    image = await nodeImage();
  });
  contract({
    ...{ counter: processCounter, cents: processCents, broken: 'throw new Error("no desk")', slow: 'for (;;) {}' },
    code: (source, memoryMb) => ({ source: '', container: { ...containerOf(image, source), memoryMb } }),
    create: (directory, { memoryMb: _memoryMb, ...limits }) =>
      new RunnerStage((events, log) =>
        createContainerRunner({
          directory,
          node: `contract-${process.pid}-${++nodes}`,
          socketPath: engineSocket,
          images: [image],
          events,
          log,
          limits,
        }),
      ),
  });
});
