import { describe, expect, test } from 'vitest';
import { type Address, noOutputs } from '../../node/core/agent-outputs.ts';
import { AgentState } from '../../node/core/agent-state.ts';
import { joined } from '../../node/core/bytes.ts';
import type { Context } from '../../node/core/context.ts';
import type { EffectOf } from '../../node/core/effect.ts';
import { errors, toErrorBody } from '../../node/core/errors.ts';
import { dropsToldMax } from '../../node/core/letter-drops.ts';
import { Mail, senderOf } from '../../node/core/mail.ts';
import { decodeMailbox, emptyMailbox, encodeMailbox, type Mailbox } from '../../node/core/mailbox.ts';
import type { Outcome, TaskOperation } from '../../node/core/operation.ts';
import { defaultSettings, limits } from '../../node/core/settings.ts';
import { toBytes } from '../../node/core/text.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

type Report = EffectOf<'report'>['report'];

/** The mail of an agent on one host; the test plays the agent's steps and the rest of the cluster. */
class Host {
  readonly told: Report[] = [];
  readonly context = {
    ...{ self: 'n1', nowMs: 0, wallMs: 1_000_000, settings: defaultSettings },
    out: { report: (report: Report) => void this.told.push(report) },
  } as unknown as Context;
  readonly mail: Mail;
  mailbox: Mailbox;
  sequence: number;
  readonly asked: { operation: TaskOperation; done: (outcome: Outcome<'task'>) => void }[] = [];
  readonly given: [string, unknown][] = [];
  settled = 0;

  constructor(mailbox: Mailbox = emptyMailbox, sequence = 0, agent = 'a') {
    this.mailbox = mailbox;
    this.sequence = sequence;
    this.mail = new Mail(this.context, agent, `${agent}:7`, {
      resolve: (to: Address) =>
        typeof to === 'string' ? [to] : 'topic' in to && to.topic !== 'nothing' ? ['x', 'y'] : [],
      ask: (operation, done) => void this.asked.push({ operation, done }),
      submit: ({ task, payload }) => void this.given.push([task, JSON.parse(text(payload))]),
      mailbox: () => this.mailbox,
      sequence: () => this.sequence,
      settle: () => {
        this.settled += 1;
        this.step('');
      },
    });
  }

  /** A task ends in a step; returns why it could not. */
  step(task: string, outputs: Partial<typeof noOutputs> = {}): string | undefined {
    const after = this.mail.after(this.sequence + 1, task, { ...noOutputs, ...outputs });
    if (typeof after === 'string') return after;
    this.sequence += 1;
    this.mailbox = after;
    return undefined;
  }

  answer(place: number, outcome: Outcome<'task'>): void {
    this.asked[place]?.done(outcome);
    this.mail.pump(this.sequence);
  }
}

const done = (value: unknown): Outcome<'task'> => ({
  ok: true,
  result: { agent: 'b', task: 't', value: toBytes(JSON.stringify(value)) },
});
const failed = (error: Error): Outcome<'task'> => ({ ok: false, error: toErrorBody(error) });

describe('the name of a sender', () => {
  test('is another one for each part of a branch, and for an agent that an operator let go on', () => {
    const branch = { agent: 'a', id: 'b1', base: { epoch: 3, sequence: 4 }, from: undefined };
    const names = [
      senderOf({ agent: 'a', created: 7, epoch: 9 }),
      senderOf({ agent: 'a', created: 7, epoch: 12 }),
      senderOf({ agent: 'a', created: 7, epoch: 15, wentOnAt: 14 }),
      senderOf({ agent: 'a~b1', created: 7, epoch: 4_096, branch }),
      senderOf({ agent: 'a~b1', created: 7, epoch: 8_200, branch }),
    ];
    expect(names).toEqual(['a:7', 'a:7', 'a:7.14', 'a:b1:7.4096', 'a:b1:7.8200']);
  });
});

describe('a task for another agent', () => {
  test('leaves when the step that it was sent with is durable, once, and is forgotten when it is done', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: 'b', task: { n: 1 } }] });
    host.mail.pump(0);
    expect(host.asked).toHaveLength(0);
    host.mail.pump(1);
    host.mail.pump(1);
    expect(host.asked.map(({ operation }) => operation)).toMatchObject([
      { agent: 'b', task: '~m:a:7-1-0-0', key: 'a', priority: 5 },
    ]);
    host.answer(0, done(1));
    expect(host.settled).toBe(1);
    expect(host.mailbox).toBe(emptyMailbox);
  });

  test('tells from which step on others to the same agent have not settled', () => {
    const host = new Host();
    const send = (to: string, key: string): unknown => host.step('t', { send: [{ to, key, task: 1 }] });
    send('b', 'k1');
    host.mail.pump(1);
    send('b', 'k2');
    send('c', 'k1');
    host.mail.pump(3);
    const marks = () => host.asked.map(({ operation }) => [operation.agent, operation.task, operation.settledBelow]);
    expect(marks()).toEqual([
      ['b', '~m:a:7-1-0-0', 1],
      ['b', '~m:a:7-2-0-0', 1],
      ['c', '~m:a:7-3-0-0', 3],
    ]);
    host.answer(0, done(1));
    send('b', 'k3');
    host.mail.pump(host.sequence);
    expect(host.mailbox.letters.map(({ id }) => id)).toEqual(['~m:a:7-2-0-0', '~m:a:7-3-0-0', '~m:a:7-5-0-0']);
    expect(marks()[3]).toEqual(['b', '~m:a:7-5-0-0', 2]);
  });

  test('is asked for again under the same id until somebody knows what became of it', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: 'b', task: 1 }] });
    host.mail.pump(1);
    host.answer(0, failed(errors.deadlineExceeded({ what: 'It', ttlMs: 1 })));
    expect(host.asked).toHaveLength(1);
    host.context.nowMs = defaultSettings.retryIntervalMs;
    host.mail.pump(1);
    expect(host.asked[1]?.operation.task).toBe(host.asked[0]?.operation.task);
    host.answer(1, failed(errors.taskFailed({ agent: 'b', task: 't', reason: 'no' })));
    expect(host.mailbox).toBe(emptyMailbox);
  });

  test('is sent again, the same, by the host that takes over', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: { topic: 'prices' }, task: 1 }] });
    host.mail.pump(1);
    const next = new Host(decodeMailbox(encodeMailbox(host.mailbox)).mailbox, 1);
    next.mail.pump(1);
    expect(next.asked.map(({ operation }) => operation)).toEqual(host.asked.map(({ operation }) => operation));
    expect(next.asked.map(({ operation }) => operation.agent)).toEqual(['x', 'y']);
  });

  test('brings its answer back as a task, and is settled in the step of that one', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: 'b', task: 1, reply: { order: 7 } }] });
    host.mail.pump(1);
    host.answer(0, done({ total: 3 }));
    expect(host.given).toEqual([['~m:a:7-1-0-0-r', { reply: { order: 7 }, ok: true, result: { total: 3 } }]]);
    expect(host.mailbox.letters).toHaveLength(1);
    // A host that takes over before that step asks again, and hears the same.
    host.step('~m:a:7-1-0-0-r');
    expect(host.mailbox).toBe(emptyMailbox);
  });

  test('does not wait for those to an agent that does not answer, of which only some are on their way', () => {
    const host = new Host();
    const send = Array.from({ length: 40 }, (_, i) => ({ to: 'deaf', task: i, key: `k${i}` }));
    host.step('t1', { send });
    host.step('t2', { send: [{ to: 'b', task: 1 }] });
    host.mail.pump(2);
    const to = (agent: string) => host.asked.filter(({ operation }) => operation.agent === agent).length;
    expect([to('deaf'), to('b')]).toEqual([16, 1]);
    host.answer(0, done(1));
    expect(to('deaf')).toBe(17);
    host.mail.clear();
    host.mail.pump(2);
    expect(to('deaf')).toBe(17 + 16);
  });

  test('to nobody is answered, if an answer is wanted', () => {
    const host = new Host();
    host.step('t1', {
      send: [
        { to: { type: 'none' }, task: 1, reply: 5 },
        { to: { type: 'none' }, task: 2 },
      ],
    });
    expect(host.mailbox.letters).toHaveLength(1);
    host.mail.pump(1);
    host.mail.pump(1);
    expect(host.given).toMatchObject([['~m:a:7-1-0-0-r', { reply: 5, ok: false, error: { code: 'agentUnknown' } }]]);
  });

  test('waits for the earlier ones to the same agent, and not for those to others', () => {
    const host = new Host();
    host.step('t1', {
      send: [
        { to: 'b', task: 1 },
        { to: 'b', task: 2 },
        { to: 'c', task: 3 },
      ],
    });
    host.mail.pump(1);
    expect(host.asked.map(({ operation }) => text(operation.payload))).toEqual(['1', '3']);
    host.answer(0, failed(errors.backlogFull({ what: 'tasks', max: 1 })));
    expect(host.asked).toHaveLength(2);
    host.context.nowMs = defaultSettings.retryIntervalMs;
    host.mail.pump(1);
    host.answer(2, done(1));
    expect(host.asked.map(({ operation }) => text(operation.payload))).toEqual(['1', '3', '1', '2']);
  });

  test('has its limits', () => {
    const host = new Host();
    const send = Array.from({ length: limits.lettersMax + 1 }, () => ({ to: 'b', task: 1 }));
    expect(host.step('t1', { send })).toMatch(/257 tasks for others under way, at most 256/);
    expect(host.step('t1', { send: [{ to: 'b', task: 'x'.repeat(limits.mailboxBytesMax) }] })).toMatch(
      /bytes, at most/,
    );
    expect(host.mailbox).toBe(emptyMailbox);
  });
});

describe('a timer', () => {
  test('fires when its time has come by the wall clock, and is gone after the step that it led to', () => {
    const host = new Host();
    host.step('t1', { timers: [{ name: 'wake', afterMs: 500, task: { wake: true } }] });
    host.mail.pump(1);
    expect(host.given).toEqual([]);
    const next = new Host(host.mailbox, 1);
    next.context.wallMs = 1_000_300;
    next.mail.pump(1);
    next.context.nowMs = 199;
    next.mail.pump(1);
    expect(next.given).toEqual([]);
    next.context.nowMs = 200;
    next.mail.pump(1);
    expect(next.given).toEqual([['~t:a:7-1-0', { wake: true }]]);
    next.step('~t:a:7-1-0');
    expect(next.mailbox).toBe(emptyMailbox);
  });

  test('that was set to a time from now comes then, wherever a wall clock jumps', () => {
    const host = new Host();
    host.step('t1', { timers: [{ name: 'wake', afterMs: 500, task: 1 }] });
    host.mail.pump(1);
    host.context.wallMs += 3_600_000;
    host.mail.pump(1);
    expect(host.given).toEqual([]);
    host.context.wallMs -= 7_200_000;
    host.context.nowMs = 500;
    host.mail.pump(1);
    expect(host.given).toHaveLength(1);
    // A host whose clock is an hour behind waits no longer than the timer's own time.
    const next = new Host(host.mailbox, 1);
    next.context.wallMs -= 3_600_000;
    next.mail.pump(1);
    next.context.nowMs = 500;
    next.mail.pump(1);
    expect(next.given).toHaveLength(1);
  });

  test('is replaced by one of its name, and taken back', () => {
    const host = new Host();
    host.step('t1', { timers: [{ name: 'wake', afterMs: 500, task: 1 }] });
    host.step('t2', { timers: [{ name: 'wake', atMs: 5, task: 2 }] });
    expect(host.mailbox.timers).toEqual([{ name: 'wake', id: '~t:a:7-2-0', atMs: 5, task: 2 }]);
    host.step('t3', { timers: [{ name: 'wake', cancel: true }] });
    expect(host.mailbox).toBe(emptyMailbox);
  });

  test('that repeats has an id for each time, and does not catch up on what was missed', () => {
    const host = new Host();
    host.step('t1', { timers: [{ name: 'tick', afterMs: 100, everyMs: 100, task: 1 }] });
    host.context.wallMs += 1_050;
    host.context.nowMs += 1_050;
    host.mail.pump(1);
    host.step('~t:a:7-1-0');
    expect(host.mailbox.timers).toMatchObject([{ id: '~t:a:7-1-0.1', atMs: 1_001_100 }]);
    host.context.wallMs += 100;
    host.context.nowMs += 100;
    host.mail.pump(2);
    host.step('~t:a:7-1-0.1');
    expect(host.mailbox.timers).toMatchObject([{ id: '~t:a:7-1-0.2', atMs: 1_001_200 }]);
  });
});

test('a timer of an agent with a dot in its name repeats as any other', () => {
  const host = new Host(emptyMailbox, 0, 'my.agent');
  host.step('t1', { timers: [{ name: 'tick', afterMs: 100, everyMs: 100, task: 1 }] });
  for (let i = 0; i < 3; i++) host.step(host.mailbox.timers[0]?.id ?? '');
  expect(host.mailbox.timers[0]?.id).toBe('~t:my.agent:7-1-0.3');
  expect(host.mail.isWanted('~t:my.agent:7-1-0.2')).toBe(false);
  expect(host.mail.isWanted('~t:my.agent:7-1-0.3')).toBe(true);
});

describe('a state with a mailbox behind it', () => {
  const settings = { ...defaultSettings, statePartBytes: 8 };
  const letter = { id: '~m', sequence: 1, to: 'b', task: 'ü', priority: 5, key: 'a' };
  const mailbox: Mailbox = { letters: [letter], timers: [] };

  test('gives back both, whichever changes', () => {
    const state = new AgentState(settings);
    state.begin(toBytes('{"n":1}'));
    const own = state.changeIn(toBytes('{"n":12}'), true);
    expect(own).not.toBe('wrong');
    state.apply(1, { own: own as Exclude<typeof own, 'wrong'>, mailbox });
    state.apply(2, { own: state.changeIn(toBytes('{"n":3}'), true) as undefined, mailbox });
    expect(text(joined(state.own()()))).toBe('{"n":3}');
    const after = new AgentState(settings);
    after.takeOver(state.all.bytes(), 2);
    expect(text(joined(after.own()()))).toBe('{"n":3}');
    expect(after.mailbox).toEqual(mailbox);
    // Whoever has the first state comes to the same bytes by the changes.
    const begun = new AgentState(settings);
    begun.begin(toBytes('{"n":1}'));
    const changed = (state.changesAfter(0) ?? []).reduce((bytes, change) => bytes.splice(change), begun.all);
    expect(changed.checksum).toBe(state.all.checksum);
  });

  test('is not taken over from bytes that have none', () => {
    expect(() => new AgentState(settings).takeOver(toBytes('{}'), 1)).toThrow(/without a mailbox/);
    expect(() => new AgentState(settings).takeOver(Uint8Array.of(0, 0, 0, 9), 1)).toThrow(/without a mailbox/);
  });
});

describe('a task for others that comes to nothing', () => {
  const refused = failed(errors.taskFailed({ agent: 'b', task: 't', reason: 'it is full' }));

  test('is told as an event where nobody waits for its answer', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: 'b', task: 1 }] });
    host.mail.pump(1);
    host.answer(0, refused);
    host.step('t2', { send: [{ to: { type: 'gone', key: 'k' }, task: 1 }] });
    host.step('t3', { send: [{ to: { topic: 'nothing' }, task: 1 }] });
    expect(host.told.map(({ kind, details }) => [kind, details])).toEqual([
      ['letterDropped', { agent: 'a', to: 'b', code: 'taskFailed', task: '~m:a:7-1-0-0' }],
      ['letterDropped', { agent: 'a', to: 'type gone, key k', code: 'agentUnknown' }],
      ['letterDropped', { agent: 'a', to: 'topic nothing', code: 'agentUnknown' }],
    ]);
    expect(host.told[0]?.text).toContain('what a sent to b is dropped: ');
  });

  test('is told when it was tried for so long that it is given up', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: 'b', task: 1 }] });
    host.mail.pump(1);
    host.context.nowMs = limits.taskTtlMsMax;
    host.answer(0, failed(errors.deadlineExceeded({ what: 'It', ttlMs: 1 })));
    expect(host.told.map(({ details }) => details['code'])).toEqual(['deadlineExceeded']);
    expect(host.mailbox).toBe(emptyMailbox);
  });

  test('is not told of what was done, or refused to one that hears of it, or of a step that there is not', () => {
    const host = new Host();
    host.step('t1', { send: [{ to: 'b', task: 1, reply: 1 }] });
    host.step('t2', { send: [{ to: { topic: 'nothing' }, task: 1, reply: 1 }] });
    host.step('t3', { send: [{ to: 'c', task: 1 }] });
    host.step('t4', { send: [{ to: 'd', task: 1 }] });
    host.mail.pump(host.sequence);
    host.answer(0, refused);
    host.answer(1, done(1));
    host.answer(2, failed(errors.resultDropped({ agent: 'd', task: 't' })));
    const tooMany = Array.from({ length: limits.lettersMax + 1 }, () => ({ to: 'b', task: 1 }));
    expect(host.step('t5', { send: [{ to: { topic: 'nothing' }, task: 1 }, ...tooMany] })).toBeTypeOf('string');
    expect(host.told).toEqual([]);
  });

  test('is told so often in a minute, and then how many more they were', () => {
    const host = new Host();
    const drop = (times: number): void => {
      for (let i = 0; i < times; i++) host.step(`t${i}`, { send: [{ to: { topic: 'nothing' }, task: 1 }] });
    };
    drop(dropsToldMax + 5);
    expect(host.told).toHaveLength(dropsToldMax);
    host.context.nowMs = 60_000;
    drop(2);
    expect(host.told.slice(dropsToldMax).map(({ details }) => details['untold'])).toEqual([5, undefined]);
  });
});
