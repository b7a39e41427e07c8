import { describe, expect, test } from 'vitest';
import { AgentTasks } from '../../node/core/agent-tasks.ts';
import type { Context } from '../../node/core/context.ts';
import type { MessageOf, TaskResult } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { limits } from '../../node/core/settings.ts';
import type { QueuedTask } from '../../node/core/task-queue.ts';
import { reasonBytes, toBytes } from '../../node/core/text.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** An agent's tasks, with the instance that does them played by the test. */
class Stage {
  readonly tasks: AgentTasks;
  readonly context = { self: 'n1', nowMs: 0, wallMs: 0, out: new Outbox() } as unknown as Context;
  readonly begun: string[] = [];
  readonly cancelled: string[] = [];
  readonly answers: MessageOf<'taskAnswer'>[] = [];
  readonly said: [string, number, string][] = [];
  readonly steps: TaskResult[] = [];
  durable: number;
  sequence: number;
  ready = true;

  /** `kept`: what the holders kept of an instance before. */
  constructor(kept?: readonly TaskResult[]) {
    this.sequence = kept?.at(-1)?.sequence ?? 0;
    this.durable = this.sequence;
    this.tasks = new AgentTasks(this.context, 'a', {
      isReady: () => this.ready,
      run: ({ task, payload }) => void this.begun.push(`${task} ${text(payload)}`),
      cancel: ({ task }) => void this.cancelled.push(task),
      record: (step) => {
        const result = { ...step, sequence: ++this.sequence, valueDropped: false };
        this.tasks.results.add(result);
        this.steps.push(result);
        return result;
      },
      durableSequence: () => this.durable,
      confirm: (done) => done(),
      isWanted: (task) => task !== 'unwanted',
      answer: (_task, answer) => void this.answers.push(answer),
      progress: ({ origin }, number, value) => void this.said.push([origin, number, text(value)]),
    });
    if (kept !== undefined) this.tasks.restore(kept, false);
  }

  submit(task: string, given: Partial<QueuedTask> = {}): void {
    const base = { task, payload: toBytes(task), deadlineMs: 1_000, origin: 'n1', priority: 5, key: '' };
    this.tasks.submit({ ...base, retry: '', progress: false, ...given });
  }

  /** A majority has everything. */
  settle(): void {
    this.durable = this.sequence;
    this.tasks.acknowledge(this.durable);
    this.tasks.pump();
  }

  done(value = '1'): void {
    this.tasks.onRan(true, toBytes(value));
    this.tasks.pump();
    this.settle();
  }

  /** What ran the task is gone, and another takes its place. */
  fail(reason = 'it crashed'): void {
    this.tasks.onFailed(reason);
    this.tasks.pump();
    this.settle();
  }

  get told(): string[] {
    return this.answers.map(({ task, ok, refusal }) => `${task} ${ok ? 'done' : refusal || 'refused'}`);
  }

  /** What a holder has, for the host that comes next. */
  get kept(): TaskResult[] {
    return this.tasks.results.all();
  }
}

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
    stage.tasks.onRan(false, reasonBytes('stopped half-way'));
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
