import { describe, expect, test } from 'vitest';
import { limits } from '../../node/core/settings.ts';
import { toBytes } from '../../node/core/text.ts';
import { Stage, text } from './agent-tasks-stage.ts';

describe('a task that ends what runs it', () => {
  test('is tried again, each try made durable before it begins, and set aside in the end', () => {
    const stage = new Stage();
    stage.submit('poison');
    stage.submit('good');
    expect(stage.begun).toEqual(['poison poison']);
    stage.tasks.onFailed('it crashed');
    stage.tasks.pump();
    // The next try waits until a majority knows of the first one.
    expect(stage.begun).toHaveLength(1);
    stage.settle();
    expect(stage.begun).toHaveLength(2);
    stage.fail();
    expect(stage.begun).toHaveLength(3);
    stage.fail('it crashed once more');
    expect(stage.told).toEqual(['poison taskSetAside']);
    expect(JSON.parse(text(stage.answers[0]?.value ?? toBytes('')))).toEqual({
      reason: 'it crashed once more',
      tries: 3,
    });
    // The one behind it goes on.
    expect(stage.begun.at(-1)).toBe('good good');
    stage.done();
    expect(stage.told).toEqual(['poison taskSetAside', 'good done']);
    expect(stage.tasks.view().setAside).toEqual([
      { task: 'poison', tries: 3, reason: 'it crashed once more', bytes: 6 },
    ]);
  });

  test('by the fault of another agent is tried again as if nothing had been, also when it was begun with care', () => {
    const stage = new Stage();
    stage.submit('unlucky');
    stage.tasks.onFailed('it crashed');
    stage.tasks.pump();
    stage.settle();
    for (let i = 0; i < 3 * limits.taskFailuresMax; i++) {
      stage.tasks.onFailed('another broke the thread', true);
      stage.tasks.pump();
      stage.settle();
    }
    expect(stage.told).toEqual([]);
    expect(stage.tasks.results.get('unlucky')?.tries).toBe(2);
    stage.fail();
    stage.fail();
    expect(stage.told).toEqual(['unlucky taskSetAside']);
  });

  test('and whole hosts with it is found out by those that follow', () => {
    let stage = new Stage();
    stage.submit('poison');
    let hosts = 1;
    while (stage.begun.length > 0) {
      // The host dies here; what a majority had is all that is left.
      stage = new Stage(stage.kept);
      hosts += 1;
      stage.submit('poison');
      stage.settle();
    }
    // The first one begins without care; of the next each counts one more.
    expect(hosts).toBe(limits.taskTriesMax + 2);
    expect(stage.told).toEqual(['poison taskSetAside']);
  });

  test('is told as set aside when it is sent again, and by the next host, too', () => {
    const stage = new Stage();
    stage.submit('poison');
    for (let i = 0; i < limits.taskFailuresMax; i++) stage.fail();
    stage.submit('poison');
    stage.settle();
    expect(stage.told).toEqual(['poison taskSetAside', 'poison taskSetAside']);
    const next = new Stage(stage.kept);
    next.submit('poison');
    next.settle();
    expect(next.told).toEqual(['poison taskSetAside']);
    expect(next.begun).toEqual([]);
  });

  test('stays set aside beyond all other results', () => {
    const stage = new Stage();
    stage.submit('poison');
    for (let i = 0; i < limits.taskFailuresMax; i++) stage.fail();
    for (let i = 0; i < limits.resultsMax + 10; i++) {
      stage.submit(`t${i}`);
      stage.done();
    }
    expect(new Stage(stage.kept).tasks.view().setAside).toHaveLength(1);
    expect(stage.kept).toHaveLength(limits.resultsMax + 1);
  });
});

describe('a task that is set aside', () => {
  function withPoison(): Stage {
    const stage = new Stage();
    stage.submit('poison', { payload: toBytes('{"n":1}') });
    for (let i = 0; i < limits.taskFailuresMax; i++) stage.fail();
    stage.answers.length = 0;
    stage.begun.length = 0;
    return stage;
  }

  test('is tried once more with its payload when an operator asks for it', () => {
    const stage = new Stage(withPoison().kept);
    stage.submit('poison', { payload: toBytes(''), retry: 'wish' });
    stage.settle();
    expect(stage.begun).toEqual(['poison {"n":1}']);
    stage.done('42');
    expect(stage.told).toEqual(['poison done']);
    expect(stage.tasks.view().setAside).toEqual([]);
    stage.submit('poison');
    stage.settle();
    expect(text(stage.answers[1]?.value ?? toBytes(''))).toBe('42');
  });

  test('is set aside again when that fails, and is never tried by itself', () => {
    const stage = withPoison();
    stage.submit('poison', { retry: 'wish' });
    stage.settle();
    stage.fail('still broken');
    expect(stage.told).toEqual(['poison taskSetAside']);
    expect(stage.tasks.view().setAside).toMatchObject([{ task: 'poison', reason: 'still broken' }]);
    stage.settle();
    expect(stage.begun).toHaveLength(1);
    expect(new Stage(stage.kept).tasks.view().setAside).toMatchObject([{ reason: 'still broken', bytes: 7 }]);
  });

  test('is dropped for good by a cancel', () => {
    const stage = withPoison();
    let told: unknown;
    stage.tasks.cancel('poison', (cancelled) => {
      told = cancelled;
    });
    expect(told).toBeUndefined();
    stage.settle();
    expect(told).toEqual({ ok: true, was: 'setAside' });
    expect(new Stage(stage.kept).tasks.view().setAside).toEqual([]);
    stage.submit('poison');
    stage.settle();
    expect(stage.told).toEqual(['poison taskCancelled']);
  });

  test('makes way for later ones when there are too many, and is over then', () => {
    const stage = new Stage();
    for (let i = 0; i <= limits.asideMax; i++) {
      stage.submit(`p${i}`);
      for (let tries = 0; tries < limits.taskFailuresMax; tries++) stage.fail();
    }
    expect(stage.tasks.view().setAside).toHaveLength(limits.asideMax);
    const told = stage.context.out.take().flatMap((effect) => (effect.type === 'report' ? [effect.report] : []));
    expect(told.filter(({ kind }) => kind === 'taskSetAside')).toHaveLength(limits.asideMax + 1);
    const displaced = told.filter(({ kind }) => kind === 'setAsideDisplaced');
    expect(displaced.map(({ details }) => details)).toEqual([
      { agent: 'a', task: 'p0', by: `p${limits.asideMax}`, reason: 'it crashed' },
    ]);
    stage.answers.length = 0;
    stage.submit('p0');
    stage.settle();
    expect(stage.told).toEqual(['p0 taskCancelled']);
  });

  test('that nobody knows cannot be tried again', () => {
    const stage = new Stage();
    stage.submit('what', { retry: 'wish' });
    expect(stage.told).toEqual(['what taskUnknown']);
  });
});

describe('after an instance took over', () => {
  test('the first tasks are begun with care, then each at once', () => {
    const stage = new Stage([]);
    for (let i = 0; i < 20; i++) {
      stage.submit(`t${i}`);
      stage.settle();
      stage.done();
    }
    const careful = stage.steps.filter(({ tries }) => tries !== undefined).map(({ task }) => task);
    expect(careful).toEqual(Array.from({ length: 16 }, (_, i) => `t${i}`));
    expect(stage.told).toHaveLength(20);
  });

  test('one whose time ran out while its try became durable does not count as begun', () => {
    const stage = new Stage([]);
    stage.submit('slow');
    stage.context.nowMs = 1_001;
    stage.settle();
    expect(stage.begun).toEqual([]);
    expect(stage.steps.at(-1)).toMatchObject({ task: 'slow', tries: 0 });
    stage.submit('slow', { deadlineMs: 5_000 });
    stage.settle();
    expect(stage.steps.at(-1)).toMatchObject({ task: 'slow', tries: 1 });
    expect(stage.begun).toEqual(['slow slow']);
  });
});

describe('an instance that its own node ends, because its epoch does', () => {
  /** The next one on the same node gets what the one before did not answer. */
  function nextOf(stage: Stage): Stage {
    const next = new Stage(stage.kept);
    for (const task of stage.tasks.end()) next.tasks.submit(task);
    return next;
  }

  test('takes nothing from the tries of a task that was about to begin, or had begun', () => {
    let stage = new Stage([]);
    stage.submit('innocent');
    for (let i = 0; i < 2 * limits.taskTriesMax; i++) {
      // Every other time the try was durable, and it had begun.
      if (i % 2 === 0) stage.settle();
      stage = nextOf(stage);
    }
    stage.settle();
    expect(stage.kept.at(-1)).toMatchObject({ task: 'innocent', tries: 1 });
    stage.done();
    expect(stage.told).toEqual(['innocent done']);
  });

  test('leaves a wish for another try as it was', () => {
    const before = new Stage();
    before.submit('poison');
    for (let i = 0; i < limits.taskFailuresMax; i++) before.fail();
    before.submit('poison', { retry: 'wish' });
    const stage = nextOf(before);
    stage.settle();
    expect(stage.begun).toEqual(['poison poison']);
    stage.done();
    expect(stage.told).toEqual(['poison done']);
  });
});

describe('what a review found', () => {
  test('another try is made once for each wish, whichever hosts die with it', () => {
    let stage = new Stage();
    stage.submit('poison');
    for (let i = 0; i < limits.taskFailuresMax; i++) stage.fail();
    let begun = 0;
    for (let host = 0; host < 5; host++) {
      stage = new Stage(stage.kept);
      stage.submit('poison', { retry: 'wish' });
      expect(stage.begun).toEqual([]);
      stage.settle();
      begun += stage.begun.length;
    }
    expect(begun).toBe(1);
    expect(stage.told).toEqual(['poison taskSetAside']);
    stage.submit('poison', { retry: 'another wish' });
    stage.settle();
    expect(stage.begun).toEqual(['poison poison']);
    stage.done('7');
    expect(stage.told).toEqual(['poison taskSetAside', 'poison done']);
  });

  test('what is done is not called refused because much waits', () => {
    const stage = new Stage();
    stage.submit('first');
    stage.done();
    for (let i = 0; i < limits.agentQueueMax; i++) stage.submit(`t${i}`);
    stage.answers.length = 0;
    stage.submit('first', { origin: 'n2' });
    stage.settle();
    expect(stage.told).toEqual(['first done']);
  });

  test('what the agent took back is not begun', () => {
    const stage = new Stage();
    stage.submit('first');
    stage.submit('unwanted');
    stage.submit('second');
    stage.done();
    expect(stage.begun).toEqual(['first first', 'second second']);
  });
});
