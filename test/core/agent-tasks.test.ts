import { describe, expect, test } from 'vitest';
import { limits } from '../../node/core/settings.ts';
import { reasonBytes, toBytes } from '../../node/core/text.ts';
import { Stage } from './agent-tasks-stage.ts';

describe('to cancel', () => {
  function cancel(stage: Stage, task: string): { told: unknown } {
    const outcome: { told: unknown } = { told: undefined };
    stage.tasks.cancel(task, (cancelled) => {
      outcome.told = cancelled.ok ? cancelled.was : cancelled.error.code;
    });
    return outcome;
  }

  test('what waits answers it, and it has no effect when it is sent again', () => {
    const stage = new Stage();
    stage.submit('first');
    stage.submit('second', { key: 'k' });
    stage.submit('second', { key: 'k', origin: 'n2' });
    const outcome = cancel(stage, 'second');
    expect(outcome.told).toBeUndefined();
    stage.settle();
    expect(outcome.told).toBe('waiting');
    expect(stage.told).toEqual(['second taskCancelled', 'second taskCancelled']);
    stage.done();
    expect(stage.begun).toEqual(['first first']);
    // Asked a second time, as after a lost answer, it is the same.
    const again = cancel(stage, 'second');
    stage.settle();
    expect(again.told).toBe('cancelled');
  });

  test('what runs asks the code, which may give up', () => {
    const stage = new Stage();
    stage.submit('long');
    const outcome = cancel(stage, 'long');
    expect(stage.cancelled).toEqual(['long']);
    stage.tasks.onRan('long', false, reasonBytes('stopped half-way'));
    stage.settle();
    expect(outcome.told).toBe('running');
    expect(stage.told).toEqual(['long taskCancelled']);
  });

  test('what runs may come too late', () => {
    const stage = new Stage();
    stage.submit('quick');
    const outcome = cancel(stage, 'quick');
    stage.done();
    expect(outcome.told).toBe('taskOver');
    expect(stage.told).toEqual(['quick done']);
    const late = cancel(stage, 'quick');
    stage.settle();
    expect(late.told).toBe('taskOver');
  });

  test('what ends its instance meanwhile is not tried again', () => {
    const stage = new Stage();
    stage.submit('stuck');
    const outcome = cancel(stage, 'stuck');
    stage.fail();
    expect(outcome.told).toBe('running');
    expect(stage.told).toEqual(['stuck taskCancelled']);
    expect(stage.begun).toHaveLength(1);
  });

  test('what is about to begin keeps it from it', () => {
    const stage = new Stage([]);
    stage.submit('held');
    const outcome = cancel(stage, 'held');
    stage.settle();
    expect(outcome.told).toBe('waiting');
    expect(stage.begun).toEqual([]);
  });

  test('what nobody knows is told as such', () => {
    expect(cancel(new Stage(), 'what').told).toBe('taskUnknown');
  });
});

describe('what a task says before it is done', () => {
  test('is told to those who asked for it, in order', () => {
    const stage = new Stage();
    stage.submit('long', { origin: 'n2', progress: true });
    stage.submit('long', { origin: 'n3' });
    stage.tasks.onProgress('long', toBytes('1'));
    stage.tasks.onProgress('other', toBytes('no'));
    stage.tasks.onProgress('long', toBytes('2'));
    stage.done();
    stage.tasks.onProgress('long', toBytes('late'));
    expect(stage.said).toEqual([
      ['n2', 1, '1'],
      ['n2', 2, '2'],
    ]);
  });
});

describe('a full queue', () => {
  test('refuses, and says when there should be room', () => {
    const stage = new Stage();
    stage.submit('first');
    stage.context.nowMs = 40;
    stage.done();
    for (let i = 0; i < limits.agentQueueMax; i++) stage.submit(`t${i}`);
    stage.answers.length = 0;
    stage.submit('one too many');
    expect(stage.answers).toMatchObject([{ refusal: 'backlogFull', retryAfterMs: (limits.agentQueueMax / 2) * 40 }]);
  });
});

test('what was not answered is handed over at the end, cancels are told to ask again', () => {
  const stage = new Stage();
  stage.submit('running');
  stage.submit('waiting');
  let told = '';
  stage.tasks.cancel('running', (cancelled) => {
    told = cancelled.ok ? 'ok' : cancelled.error.code;
  });
  expect(stage.tasks.end().map(({ task }) => task)).toEqual(['running', 'waiting']);
  expect(told).toBe('agentNotReady');
});

test('results are forgotten when they are old, the newest never', () => {
  const stage = new Stage();
  for (const task of ['a', 'b', 'c']) {
    stage.submit(task);
    stage.done();
  }
  stage.tasks.tick(stage.sequence);
  stage.context.nowMs = limits.resultsAgeMsMax + 1;
  stage.tasks.tick(stage.sequence);
  expect(stage.tasks.resultsFrom).toBe(4);
  expect(stage.kept.map(({ task }) => task)).toEqual(['c']);
});

test('an instance that rests for a while and goes on does what it was at again, and what waits behind its key', () => {
  const stage = new Stage();
  stage.submit('running', { key: 'k' });
  stage.submit('behind', { key: 'k' });
  expect(stage.tasks.end().map(({ task }) => task)).toEqual(['running', 'behind']);
  expect(stage.tasks.length).toBe(0);
  // Whoever asked asks again.
  stage.submit('running', { key: 'k' });
  stage.submit('behind', { key: 'k' });
  stage.done();
  stage.done();
  expect(stage.begun.map((begun) => begun.split(' ')[0])).toEqual(['running', 'running', 'behind']);
  expect(stage.told).toEqual(['running done', 'behind done']);
});
