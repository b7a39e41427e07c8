import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProcessRunner } from '../../node/runtime/process-runner.ts';
import { processCounter } from './process-agents.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

let directory: string;
let stage: RunnerStage;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lines-'));
  const interpreters = new Map([['node', process.execPath]]);
  stage = new RunnerStage((events, log) => createProcessRunner({ directory, interpreters, events, log }));
  const order = { agent: 'a', agentType: 'counter', epoch: 1, source: processCounter, interpreter: 'node' };
  stage.runner.start({ ...order, state: undefined });
  await stage.first('started');
});

afterEach(async () => {
  await stage.runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

const told = (): unknown[] => stage.happened.flatMap((one) => (one.kind === 'progress' ? [one.value] : []));

describe('what a task tells before it is done', () => {
  test('is passed on in its order, with the task that it is of', async () => {
    await stage.run('a', 't', { tell: [1, null, { done: 0.5 }], add: 1 });
    expect(stage.happened.slice(1)).toMatchObject([
      { kind: 'progress', agent: 'a', epoch: 1, task: 't', value: 1 },
      { kind: 'progress', value: null },
      { kind: 'progress', value: { done: 0.5 } },
      { kind: 'ran', ok: true, value: 1 },
    ]);
  });

  test('is dropped when it is of another task, or comes after the answer', async () => {
    await stage.run('a', 't1', { tell: [1], tellOf: 'other', tellLate: true, add: 1 });
    expect(await stage.run('a', 't2', { tell: [2], add: 1 })).toMatchObject({ value: 2 });
    expect(told()).toEqual([2]);
  });

  test('is dropped above 64 KiB', async () => {
    await stage.run('a', 't1', { tellLarge: 65_534 });
    await stage.run('a', 't2', { tellLarge: 65_535 });
    expect(told()).toEqual(['x'.repeat(65_534)]);
  });

  test('is dropped above 100 times a second, and a flood of it ends the agent', async () => {
    await stage.run('a', 't1', { tellTimes: 1_000 });
    // A second may end while the task tells.
    expect(told().length).toBeGreaterThanOrEqual(100);
    expect(told().length).toBeLessThanOrEqual(200);
    expect(told().slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    stage.runner.run('a', 1, 't2', bytes({ tellTimes: 200_000 }));
    expect((await stage.failure('a')).reason).toMatch(/more than 5000 times within a second/);
  });

  test.each([
    ['with an id', '{"jsonrpc":"2.0","id":1,"method":"progress","params":{"task":"t","value":1}}'],
    ['without a value', '{"jsonrpc":"2.0","method":"progress","params":{"task":"t"}}'],
    ['of no task', '{"jsonrpc":"2.0","method":"progress","params":{"value":1}}'],
    ['of another method', '{"jsonrpc":"2.0","method":"done","params":{"task":"t","value":1}}'],
  ])('ends the agent when it comes %s', async (_, raw) => {
    stage.runner.run('a', 1, 't', bytes({ raw: `${raw}\n` }));
    expect((await stage.failure('a')).reason).toMatch(/nobody asked for/);
    expect(told()).toEqual([]);
  });

  test('is dropped when it is nested too deep to be written, and the task goes on', async () => {
    const value = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
    const raw = `{"jsonrpc":"2.0","method":"progress","params":{"task":"t","value":${value}}}\n`;
    expect(await stage.run('a', 't', { raw, add: 3 })).toMatchObject({ ok: true, value: 3 });
    expect(told()).toEqual([]);
  });
});

describe('a task that is cancelled', () => {
  test('hears of it while it runs', async () => {
    stage.runner.run('a', 1, 't', bytes({ untilCancelled: true, tell: [1] }));
    await stage.first('progress');
    stage.runner.cancel('a', 1, 't');
    expect(await stage.first('ran')).toMatchObject({ ok: false, value: { reason: 'given up: t' } });
    expect(await stage.run('a', 'next', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  test('hears of it as soon as it runs', async () => {
    stage.runner.run('a', 1, 't1', bytes({ untilCancelled: true, tell: [1] }));
    stage.runner.run('a', 1, 't2', bytes({ untilCancelled: true }));
    stage.runner.cancel('a', 1, 't2');
    await stage.first('progress');
    expect(stage.happened.some(({ kind }) => kind === 'ran')).toBe(false);
    stage.runner.cancel('a', 1, 't1');
    const second = await stage.first('ran', ({ task }) => task === 't2');
    expect(second).toMatchObject({ ok: false, value: { reason: 'given up: t2' } });
  });

  test('is not mixed up with one that has been answered, or is not known', async () => {
    await stage.run('a', 't1', { add: 1 });
    for (const [agent, epoch, task] of [
      ['a', 1, 't1'],
      ['a', 2, 't2'],
      ['b', 1, 't2'],
    ] as const) {
      stage.runner.cancel(agent, epoch, task);
    }
    expect(await stage.run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 2 });
  });
});
