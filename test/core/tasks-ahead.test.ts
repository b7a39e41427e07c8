import { describe, expect, test } from 'vitest';
import type { QueuedTask } from '../../node/core/task-queue.ts';
import { Stage } from './agent-tasks-stage.ts';

/** An agent of which one task was done, which took `tookMs`. */
function stageOf(tookMs = 1): Stage {
  const stage = new Stage();
  stage.submit('first');
  stage.context.nowMs += tookMs;
  stage.done();
  stage.begun.length = 0;
  stage.answers.length = 0;
  return stage;
}

function submit(stage: Stage, ...tasks: string[]): void {
  for (const task of tasks) stage.submit(task);
}

/** Another host turns out to have taken over while the next step is recorded. Returns what was given up then. */
function deposeAtNextStep(stage: Stage): QueuedTask[] {
  const given: QueuedTask[] = [];
  stage.recorded = () => {
    stage.recorded = () => {};
    stage.ready = false;
    given.push(...stage.tasks.end());
  };
  return given;
}

/** Who heard that it is to be asked for elsewhere. */
const refused = (stage: Stage, given: readonly QueuedTask[]): string[] =>
  [...given, ...stage.answers.filter(({ refusal }) => refusal === 'agentNotReady')].map(({ task }) => task).sort();

const names = (stage: Stage): string[] => stage.begun.map((begun) => begun.split(' ')[0] ?? '');
const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${at}`);

describe('tasks that are given to the code ahead', () => {
  test('are short ones, as many as take five milliseconds together', () => {
    const stage = stageOf(1);
    submit(stage, ...ids(20));
    expect(names(stage)).toEqual(ids(6));
    expect(stage.tasks.view()).toMatchObject({ running: { task: 't0' }, waiting: 19 });
    const slow = stageOf(6);
    submit(slow, ...ids(3));
    expect(names(slow)).toEqual(['t0']);
  });

  test('are no more than 16 beside the first, however short they are', () => {
    const stage = stageOf(0.01);
    submit(stage, ...ids(40));
    expect(names(stage)).toEqual(ids(17));
  });

  test('are answered in turn, and others are given then', () => {
    const stage = stageOf(1);
    submit(stage, ...ids(8));
    for (let done = 1; done <= 3; done++) {
      stage.context.nowMs += 1;
      stage.done();
      expect(names(stage)).toHaveLength(Math.min(8, 6 + done));
    }
    expect(stage.told).toEqual(['t0 done', 't1 done', 't2 done']);
  });

  test('are none of those that stand alone, and none beside them', () => {
    const stage = stageOf();
    submit(stage, 'a', 'alone', 'b');
    expect(names(stage)).toEqual(['a']);
    stage.done();
    expect(names(stage)).toEqual(['a', 'alone']);
    stage.done();
    expect(names(stage)).toEqual(['a', 'alone', 'b']);
  });

  test('do not begin twice what two nodes ask', () => {
    const stage = stageOf();
    stage.submit('a');
    stage.submit('a', { origin: 'n2' });
    stage.submit('b');
    expect(names(stage)).toEqual(['a']);
    stage.done();
    expect(names(stage)).toEqual(['a', 'b']);
    expect(stage.told).toEqual(['a done', 'a done']);
  });

  test('keep the order of their key', () => {
    const stage = stageOf();
    for (const task of ['a', 'b']) stage.submit(task, { key: 'k' });
    stage.submit('other');
    expect(names(stage)).toEqual(['a', 'other']);
  });

  test('are innocent when the first one ends what ran it', () => {
    const stage = stageOf();
    submit(stage, 'bad', 'b', 'c');
    stage.fail();
    // The try that failed, and that it is about to begin once more.
    expect(stage.kept.flatMap(({ task, tries }) => (tries === undefined ? [] : [`${task} ${tries}`]))).toEqual([
      'bad 1',
      'bad 2',
    ]);
    // One at a time as long as it is not known whether that one ends it again; the others need no care.
    expect(names(stage)).toEqual(['bad', 'b', 'c', 'bad']);
    stage.done();
    expect(names(stage).slice(4)).toEqual(['b', 'c']);
    stage.done();
    stage.done();
    expect(stage.told).toEqual(['bad done', 'b done', 'c done']);
  });

  test('are asked back once when the first one takes long, and begin anew in their order', () => {
    const stage = stageOf();
    submit(stage, 'slow', 'b', 'c');
    stage.context.nowMs += 49;
    stage.tasks.look();
    expect(stage.recalls).toBe(0);
    stage.context.nowMs += 1;
    stage.tasks.look();
    stage.tasks.look();
    expect(stage.recalls).toBe(1);
    stage.submit('urgent', { priority: 9 });
    stage.tasks.onReturned(['b', 'c']);
    expect(stage.tasks.view()).toMatchObject({ running: { task: 'slow' }, waiting: 3 });
    expect(names(stage)).toEqual(['slow', 'b', 'c']);
    for (let i = 0; i < 4; i++) stage.done();
    expect(stage.told).toEqual(['slow done', 'urgent done', 'b done', 'c done']);
  });

  test('may have been begun when they are asked back', () => {
    const stage = stageOf();
    submit(stage, 'slow', 'b', 'c');
    stage.context.nowMs += 60;
    stage.tasks.look();
    stage.done();
    stage.tasks.onReturned(['c']);
    stage.done();
    stage.done();
    expect(stage.told).toEqual(['slow done', 'b done', 'c done']);
  });

  test('are cancelled once they have come back', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b');
    let was = '';
    stage.tasks.cancel('b', (cancelled) => void (was = cancelled.ok ? cancelled.was : cancelled.error.code));
    expect(stage.recalls).toBe(1);
    expect(stage.cancelled).toEqual([]);
    stage.tasks.onReturned(['b']);
    stage.settle();
    expect(was).toBe('waiting');
    expect(stage.told).toEqual(['b taskCancelled']);
  });

  test('are cancelled as what runs is when they were begun before they came back', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b');
    let was = '';
    stage.tasks.cancel('b', (cancelled) => void (was = cancelled.ok ? cancelled.was : cancelled.error.code));
    stage.done();
    expect(stage.cancelled).toEqual(['b']);
    stage.tasks.onReturned([]);
    stage.tasks.onRan('b', false, new Uint8Array(0));
    stage.settle();
    expect(was).toBe('running');
    expect(stage.told).toEqual(['a done', 'b taskCancelled']);
  });

  test('are dropped when they come back after their deadline', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b');
    stage.context.nowMs = 1_100;
    stage.tasks.onReturned(['b']);
    stage.done();
    expect(stage.tasks.length).toBe(0);
    expect(stage.told).toEqual(['a done']);
  });

  test('are all begun again when what ran them was stopped', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b', 'c');
    stage.tasks.onRan('a', false, new Uint8Array(0));
    stage.ready = false;
    stage.tasks.onStopped();
    stage.ready = true;
    stage.tasks.pump();
    expect(names(stage)).toEqual(['a', 'b', 'c', 'b', 'c']);
  });

  test('go to the next host with what waits, without a mark', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b', ...ids(10));
    expect(stage.tasks.end()).toHaveLength(12);
    expect(stage.tasks.length).toBe(0);
    const next = new Stage(stage.kept);
    submit(next, 'a', 'b');
    next.settle();
    // With care: what ended the host may be among them.
    expect(names(next)).toEqual(['a']);
  });
});

describe('tasks that are given back', () => {
  test('make way for one that is more urgent when those before it take longer than was thought', () => {
    const stage = stageOf(0.2);
    submit(stage, ...ids(40));
    expect(names(stage)).toHaveLength(17);
    stage.submit('urgent', { priority: 9 });
    expect(stage.recalls).toBe(0);
    stage.context.nowMs += 49;
    stage.tasks.look();
    expect(stage.recalls).toBe(1);
    stage.done();
    // The code was at the next one when it was asked.
    stage.tasks.onReturned(ids(17).slice(2));
    stage.done();
    expect(stage.tasks.view()).toMatchObject({ running: { task: 'urgent' } });
  });

  test('make way also for one that was given behind them', () => {
    const stage = stageOf(1);
    submit(stage, 'a', 'b');
    stage.submit('urgent', { priority: 9 });
    expect(names(stage)).toEqual(['a', 'b', 'urgent']);
    stage.context.nowMs += 5;
    stage.tasks.look();
    expect(stage.recalls).toBe(0);
    stage.context.nowMs += 1;
    stage.submit('more');
    expect(stage.recalls).toBe(1);
    stage.tasks.onReturned(['b', 'urgent']);
    expect(names(stage).slice(3)).toEqual(['urgent', 'b', 'more']);
  });

  test('are not asked back for what is less urgent', () => {
    const stage = stageOf(1);
    stage.submit('a');
    stage.submit('b', { priority: 7 });
    for (const task of ids(5)) stage.submit(task, { priority: 3 });
    stage.context.nowMs += 40;
    stage.tasks.look();
    expect(stage.recalls).toBe(0);
  });

  test('are waited for: none is given before they have come, though the code has gone on', () => {
    const stage = stageOf(1);
    submit(stage, 'a', 'b', 'c');
    stage.submit('c9', { priority: 9 });
    for (const task of ids(8)) stage.submit(task, { priority: 1 });
    stage.tasks.cancel('b', () => {});
    const before = stage.begun.length;
    stage.context.nowMs += 1;
    stage.done();
    expect(stage.begun).toHaveLength(before);
    stage.tasks.onReturned(['b', 'c', 'c9', 't0', 't1']);
    expect(names(stage).slice(before)).toEqual(['c9', 'c', ...ids(4)]);
    stage.settle();
    expect(stage.told).toEqual(['a done', 'b taskCancelled']);
  });

  test('may be none, and others are given again then, behind one that does not take long', () => {
    const stage = stageOf(1);
    submit(stage, 'a', 'b');
    stage.tasks.cancel('b', () => {});
    stage.done();
    stage.done();
    stage.submit('c');
    stage.submit('d');
    expect(names(stage)).toEqual(['a', 'b', 'c']);
    stage.tasks.onReturned([]);
    expect(names(stage)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('never come when what ran them was stopped, and others are given all the same', () => {
    const stage = stageOf(1);
    submit(stage, 'a', 'b');
    stage.tasks.cancel('b', () => {});
    stage.done();
    stage.done();
    stage.tasks.onStopped();
    submit(stage, 'c', 'd');
    expect(names(stage)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('have the code told of the wish to cancel the one behind them, which it is at by then', () => {
    const stage = stageOf();
    stage.submit('a');
    stage.submit('late', { deadlineMs: 5 });
    stage.submit('c');
    stage.tasks.cancel('c', () => {});
    stage.context.nowMs = 6;
    stage.tasks.onRan('a', true, new Uint8Array(0));
    stage.tasks.onReturned(['late']);
    expect(stage.cancelled).toEqual(['c']);
    stage.tasks.onReturned([]);
    expect(stage.cancelled).toEqual(['c']);
  });

  test('leave the one behind them the time from then on', () => {
    const stage = stageOf();
    stage.submit('late', { deadlineMs: 5 });
    submit(stage, 'b', 'c');
    stage.context.nowMs += 60;
    stage.tasks.onReturned(['late']);
    expect(stage.tasks.view().running).toEqual({ task: 'b', forMs: 0 });
    stage.tasks.look();
    expect(stage.recalls).toBe(0);
  });
});

describe('whoever asked an instance that is deposed while it records a step', () => {
  test('of a cancelled task is told so, with all who asked for what came back', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b', 'c', 'd');
    const wishes: string[] = [];
    for (const task of ['b', 'd']) {
      stage.tasks.cancel(task, (cancelled) => wishes.push(cancelled.ok ? cancelled.was : cancelled.error.code));
    }
    const given = deposeAtNextStep(stage);
    stage.tasks.onReturned(['b', 'c', 'd']);
    expect(refused(stage, given)).toEqual(['a', 'b', 'c', 'd']);
    expect(wishes).toEqual(['agentNotReady', 'agentNotReady']);
    expect(stage.tasks.length).toBe(0);
  });

  test.each([
    ['of a try that failed', false],
    ['of a failed one that was to be cancelled', true],
  ])('%s is told so, with all who stood behind it', (_, isCancelled) => {
    const stage = stageOf();
    submit(stage, 'a', 'b', 'c');
    const wishes: string[] = [];
    if (isCancelled) stage.tasks.cancel('a', (one) => wishes.push(one.ok ? one.was : one.error.code));
    const given = deposeAtNextStep(stage);
    stage.tasks.onFailed('it crashed');
    expect(refused(stage, given)).toEqual(['a', 'b', 'c']);
    expect(wishes).toEqual(isCancelled ? ['agentNotReady'] : []);
    expect(stage.tasks.length).toBe(0);
  });

  test('of what a task did is told so', () => {
    const stage = stageOf();
    submit(stage, 'a', 'b');
    const given = deposeAtNextStep(stage);
    stage.tasks.onRan('a', true, new Uint8Array(0));
    expect(refused(stage, given)).toEqual(['a', 'b']);
  });

  test('of a careful begin is told so', () => {
    const stage = new Stage([]);
    const given = deposeAtNextStep(stage);
    stage.submit('a');
    expect(refused(stage, given)).toEqual(['a']);
    expect(stage.tasks.length).toBe(0);
  });
});

test('a step that leads to the next begin at once has no task held in place of another', () => {
  const stage = new Stage([]);
  stage.ready = false;
  submit(stage, 'a', 'b', 'c');
  stage.ready = true;
  stage.recorded = () => stage.tasks.pump();
  stage.tasks.pump();
  for (let i = 0; i < 3; i++) {
    stage.settle();
    stage.done();
  }
  expect(stage.told).toEqual(['a done', 'b done', 'c done']);
});
