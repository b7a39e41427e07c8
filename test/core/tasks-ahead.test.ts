import { describe, expect, test } from 'vitest';
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
    stage.tasks.onReturned();
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
