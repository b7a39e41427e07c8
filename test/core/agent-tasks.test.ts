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

describe('a letter of another agent', () => {
  const [first, second] = ['~m:b:7-1-0-0', '~m:b:7-2-0-0'] as const;

  test('that waits twice is done once, also when its sender settles it meanwhile', () => {
    const stage = new Stage();
    stage.ready = false;
    // Its sender moved: two nodes ask for it.
    stage.submit(first, { settledBelow: 1 });
    stage.submit(first, { settledBelow: 1, origin: 'n2', priority: 3 });
    stage.ready = true;
    stage.tasks.pump();
    stage.submit(second, { settledBelow: 2, priority: 4 });
    stage.done();
    stage.done();
    expect(stage.begun.map((begun) => begun.slice(0, first.length))).toEqual([first, second]);
    expect(stage.told).toEqual([`${first} done`, `${second} done`, `${first} resultDropped`]);
    // The second try of one that is settled by now.
    stage.submit(first, { settledBelow: 1, origin: 'n3' });
    stage.settle();
    expect(stage.begun).toHaveLength(2);
  });

  test('that came late, and is settled, is answered as done without a result', () => {
    const stage = new Stage();
    stage.submit(second, { settledBelow: 2 });
    stage.done();
    stage.submit(first, { settledBelow: 0 });
    stage.settle();
    expect(stage.told).toEqual([`${second} done`, `${first} resultDropped`]);
    expect(stage.begun).toHaveLength(1);
  });

  test('has to wait where too many of its sender are not settled', () => {
    const stage = new Stage();
    for (let step = 2; step < limits.letterResultsOfSenderMax + 2; step++) {
      stage.submit(`~m:b:7-${step}-0-0`, { settledBelow: 1 });
      stage.done();
    }
    stage.answers.length = 0;
    stage.submit('~m:b:7-900-0-0', { settledBelow: 1 });
    stage.submit('~m:c:8-900-0-0', { settledBelow: 1 });
    stage.done();
    expect(stage.told).toEqual(['~m:b:7-900-0-0 backlogFull', '~m:c:8-900-0-0 done']);
  });

  test('that is known is answered, however many of its sender are not settled', () => {
    const stage = new Stage();
    // Its sender is of a version that says nothing of its earlier ones, and of another one later.
    stage.submit('~m:b:7-900-0-0');
    stage.done();
    for (let step = 2; step < limits.letterResultsOfSenderMax + 2; step++) {
      stage.submit(`~m:b:7-${step}-0-0`, { settledBelow: 1 });
      stage.done();
    }
    stage.answers.length = 0;
    stage.submit('~m:b:7-900-0-0', { settledBelow: 1, origin: 'n3' });
    stage.settle();
    expect(stage.told).toEqual(['~m:b:7-900-0-0 done']);
  });
});
