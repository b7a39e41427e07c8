import { describe, expect, test } from 'vitest';
import type { Address } from '../../node/core/agent-outputs.ts';
import type { Observer } from '../../sim/checkers/checker.ts';
import type { DeskState } from '../../sim/desk.ts';
import { DeskLetters, lastId } from '../../sim/desk-letters.ts';
import type { World } from '../../sim/world.ts';

const agents = ['desk-1', 'desk-2', 'booth-1', 'booth-2'];
const stateOf = (more: Partial<DeskState> = {}): DeskState => ({ counts: {}, occasions: {}, timers: {}, ...more });

/** What four agents did; of the clock of each host the hand is set. */
class Told {
  readonly watching: Observer[] = [];
  readonly lost = new Set<string>();
  readonly letters: DeskLetters;
  nowMs = 0;

  constructor() {
    const wallMs = (): number => this.nowMs;
    const world = {
      watch: (observer: Observer) => void this.watching.push(observer),
      host: () => ({ clock: { wallMs } }),
      get nowMs() {
        return wallMs();
      },
    } as unknown as World;
    this.letters = new DeskLetters(world, {
      types: new Map([
        ['desk', agents.slice(0, 2)],
        ['booth', agents.slice(2)],
      ]),
      topics: new Map(['notes', 'extra'].map((topic) => [topic, agents.slice(2)] as const)),
      lastOwners: () => ['booth-2'],
      hostOf: () => 'n1',
      wasLost: (agent) => this.lost.has(agent),
    });
  }

  sent(id: string, to: Address): this {
    this.letters.send(id, `by-${id}`, 'desk-1', to);
    return this;
  }

  /** The first desk did whatever sends; `counts`: what each agent has beside that. */
  learn(counts: Record<string, Record<string, number>>, more: Record<string, Partial<DeskState>> = {}): this {
    const by = Object.fromEntries(['a', 'b', 't'].map((id) => [`by-${id}`, 1]));
    for (const agent of agents) {
      const all = { ...(agent === 'desk-1' && by), ...counts[agent] };
      this.letters.learn(agent, stateOf({ counts: all, ...more[agent] }));
    }
    return this;
  }
}

describe('what is sent to one of a type', () => {
  const sent = (): Told => new Told().sent('a', { type: 'booth' });

  test('comes to one of them', () => {
    expect(sent().learn({}).letters.missing()).toBe('a of desk-1 has come to nobody');
    const { letters } = sent().learn({ 'booth-2': { a: 1 } });
    expect(letters.missing()).toBeUndefined();
    letters.check();
  });

  test('comes to no other, not to two, and not twice', () => {
    expect(() =>
      sent()
        .learn({ 'desk-2': { a: 1 } })
        .letters.check(),
    ).toThrow('which is not for it');
    expect(() =>
      sent()
        .learn({ 'booth-1': { a: 1 }, 'booth-2': { a: 1 } })
        .letters.check(),
    ).toThrow('one of them');
    expect(() =>
      sent()
        .learn({ 'booth-1': { a: 2 } })
        .letters.check(),
    ).toThrow('2 times');
  });

  test('does not come where no step of the sender sends it', () => {
    const told = new Told();
    told.letters.send('a', 'never', 'desk-1', { type: 'booth' });
    expect(told.learn({}).letters.missing()).toBeUndefined();
    expect(() => told.learn({ 'booth-1': { a: 1 } }).letters.check()).toThrow('never did never');
  });

  test('is not asked of an agent some steps of which an operator gave up', () => {
    const told = sent().learn({});
    told.lost.add('desk-1');
    expect(told.letters.missing()).toBeUndefined();
  });
});

test('what is sent by a key comes to the same agent each time', () => {
  const sent = (): Told => new Told().sent('a', { type: 'booth', key: 'k' }).sent('b', { type: 'booth', key: 'k' });
  sent()
    .learn({ 'booth-1': { a: 1, b: 1 } })
    .letters.check();
  expect(() =>
    sent()
      .learn({ 'booth-1': { a: 1 }, 'booth-2': { b: 1 } })
      .letters.check(),
  ).toThrow('by the key booth k');
});

test('what is published comes to each that has the topic', () => {
  const sent = (): Told => new Told().sent('a', { topic: 'notes' });
  expect(
    sent()
      .learn({ 'booth-1': { a: 1 } })
      .letters.missing(),
  ).toBe('a of desk-1 has come to booth-1');
  const { letters } = sent().learn({ 'booth-1': { a: 1 }, 'booth-2': { a: 1 } });
  expect(letters.missing()).toBeUndefined();
  letters.check();
  expect(() =>
    sent()
      .learn({ 'desk-2': { a: 1 } })
      .letters.check(),
  ).toThrow('not for it');
});

test('what is published to a topic that agents get and lose comes to none that never has it, at last to those that do', () => {
  const sent = (): Told => new Told().sent('a', { topic: 'extra' });
  expect(sent().learn({}).letters.missing()).toBeUndefined();
  sent()
    .learn({ 'booth-1': { a: 1 } })
    .letters.check();
  expect(() =>
    sent()
      .learn({ 'desk-2': { a: 1 } })
      .letters.check(),
  ).toThrow('not for it');
  const last = (counts: Record<string, Record<string, number>>): DeskLetters => {
    const told = new Told();
    told.letters.send(lastId, 'by-t', 'desk-1', { topic: 'extra' });
    return told.learn(counts).letters;
  };
  expect(last({}).missing()).toBe('published-last of desk-1 has come to nobody');
  expect(last({ 'booth-2': { [lastId]: 1 } }).missing()).toBeUndefined();
  expect(() => last({ 'booth-1': { [lastId]: 1 } }).check()).toThrow('not for it');
});

describe('a timer', () => {
  const set = { name: 'x', id: 'at' };

  test('of a time of day is owed once the clock of the host is past it, and not before', () => {
    const told = new Told();
    told.letters.set('by-t', 'desk-1', { ...set, atMs: 5_000 });
    told.learn({}, { 'desk-1': { counts: { 'by-t': 1 }, timers: { x: 'at' } } });
    expect(told.letters.missing()).toBeUndefined();
    told.nowMs = 10_000;
    expect(told.letters.missing()).toBe('at of desk-1 does not fire');
    told.learn({}, { 'desk-1': { counts: { 'by-t': 1, at: 1 }, timers: { x: 'at' } } });
    expect(told.letters.missing()).toBeUndefined();
    told.learn({}, { 'desk-1': { counts: { 'by-t': 1, at: 2 } } });
    expect(() => told.letters.check()).toThrow('2 times');
  });

  test('of a time of day does not begin before it', () => {
    const told = new Told();
    told.letters.set('by-t', 'desk-1', { ...set, atMs: 5_000 });
    const payload = new TextEncoder().encode('{"id":"at"}');
    const begin = (): void => {
      for (const each of told.watching) each.decided?.('n1', { task: '~t:desk-1:1-1-0', payload } as never);
    };
    told.nowMs = 4_000;
    expect(begin).toThrow('1000 ms before its time');
    told.nowMs = 5_000;
    begin();
    for (const each of told.watching) each.acted?.({ kind: 'fault', node: 'n1', text: 'its wall clock steps' });
    told.nowMs = 0;
    begin();
  });

  test('that comes again goes on, once for each occasion, and not too often', () => {
    const told = new Told();
    told.letters.set('by-t', 'desk-1', { ...set, afterMs: 0, everyMs: 1_000 });
    const learn = (count: number, doubled = false): void => {
      const occasions = { at: { count, last: count, doubled } };
      told.learn({}, { 'desk-1': { counts: { 'by-t': 1 }, timers: { x: 'at' }, occasions } });
    };
    told.nowMs = 10_000;
    learn(10);
    told.letters.beginToWatch();
    expect(told.letters.missing()).toBe('at of desk-1 does not fire');
    learn(11);
    expect(told.letters.missing()).toBeUndefined();
    told.letters.check();
    learn(11, true);
    expect(() => told.letters.check()).toThrow('twice for one occasion');
    learn(30);
    expect(() => told.letters.check()).toThrow('fired 30 times');
  });
});
