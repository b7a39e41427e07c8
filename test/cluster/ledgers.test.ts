import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bookAfter, readTicks, type Tick } from '../examples/reference.ts';
import { type Effect, OutsideLedger, problemsOf } from './outside-ledger.ts';
import { type Account, compare, readAccounts, TaskLedger } from './task-ledger.ts';

const ticks = readTicks().slice(0, 20);

describe("the client's ledger", () => {
  let ledger: TaskLedger;

  beforeEach(() => {
    ledger = new TaskLedger(join(tmpdir(), `ledger-${process.pid}-${performance.now()}`));
  });

  afterEach(() => {
    ledger.close();
    ledger.remove();
  });

  const sent = (task: string, tick: Tick): void => ledger.write({ what: 'sent', agent: 'a', task, tick });
  const acknowledged = (task: string): void =>
    ledger.write({ what: 'acknowledged', agent: 'a', task, tries: 1, tookMs: 1 });

  test('is read back as what was acknowledged, refused and left open', () => {
    const [first, second, third] = ticks as [Tick, Tick, Tick];
    sent('t1', first);
    sent('t2', second);
    acknowledged('t1');
    sent('t3', third);
    ledger.write({ what: 'refused', agent: 'a', task: 't2', why: 'no' });
    expect(readAccounts(ledger.file).get('a')).toEqual({
      acknowledged: [{ task: 't1', tick: first }],
      open: ['t3'],
      refused: ['t2: no'],
    });
    acknowledged('t1');
    expect(() => readAccounts(ledger.file)).toThrow(/answered twice/);
    expect(readFileSync(ledger.file, 'utf8').trim().split('\n')).toHaveLength(6);
  });

  const accountOf = (given: readonly Tick[], more: Partial<Account> = {}) =>
    new Map([
      ['a', { acknowledged: given.map((tick, at) => ({ task: `t${at}`, tick })), open: [], refused: [], ...more }],
    ]);

  test('finds what is lost, doubled, out of order, open or refused, and nothing else', async () => {
    const judge = async (kept: readonly Tick[], given: readonly Tick[] = ticks, more: Partial<Account> = {}) => {
      const { lost, doubled, problems } = await compare(
        accountOf(given, more),
        new Map([['a', await bookAfter(kept)]]),
      );
      return [lost, doubled, problems.length > 0];
    };
    const last = ticks.at(-1) as Tick;
    expect(await judge(ticks)).toEqual([0, 0, false]);
    expect(await judge(ticks.slice(0, -1))).toEqual([1, 0, true]);
    expect(await judge([...ticks, last])).toEqual([0, 1, true]);
    expect(await judge([last, ...ticks.slice(0, -1)])).toEqual([0, 0, true]);
    expect(await judge(ticks, ticks, { open: ['t9'] })).toEqual([0, 0, true]);
    expect(await judge(ticks, ticks, { refused: ['t9: no'] })).toEqual([0, 0, true]);
    expect(await compare(accountOf(ticks), new Map())).toMatchObject({ lost: ticks.length });
  });
});

describe('the outside ledger', () => {
  const effect = (epoch: number, task: string, more: Partial<Effect> = {}): Effect => ({
    ...{ agent: 'a', epoch, task, accepted: true, repeated: false },
    ...more,
  });

  test('takes a task once, refuses an older epoch, and holds at its gate until it opens', async () => {
    const ledger = await OutsideLedger.open();
    try {
      const post = (path: string, body: object) =>
        fetch(`http://127.0.0.1:${ledger.port}${path}`, { method: 'POST', body: JSON.stringify(body) });
      const write = async (agent: string, epoch: number, task: string) =>
        (await post('/effects', { agent, epoch, task })).status;
      expect(await write('a', 2, 't1')).toBe(200);
      expect(await write('a', 1, 't2')).toBe(409);
      expect(await write('b', 1, 't1')).toBe(200);
      expect(await write('a', 3, 't1')).toBe(200);
      expect((await post('/effects', { agent: 'a' })).status).toBe(400);
      expect(ledger.effects.map(({ accepted, repeated }) => [accepted, repeated])).toEqual([
        ...[
          [true, false],
          [false, false],
          [true, false],
        ],
        [true, true],
      ]);
      const held = post('/gate', { agent: 'a', epoch: 3, task: 't3' });
      while (ledger.waiting('a').length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      expect(ledger.waiting('a')).toEqual([3]);
      ledger.open('a', 3);
      expect((await held).status).toBe(200);
    } finally {
      await ledger.close();
    }
  });

  test('is judged by its records alone', () => {
    const good = [effect(1, 't1'), effect(3, 't2'), effect(2, 't2', { accepted: false, repeated: true })];
    expect(problemsOf(good, ['a/t1', 'a/t2'])).toEqual([]);
    expect(problemsOf([effect(3, 't1'), effect(2, 't2')], [])).toEqual(['a: epoch 2 was accepted after 3']);
    expect(problemsOf([effect(3, 't1', { accepted: false })], [])).toEqual(['a: epoch 3 was refused after 0']);
    expect(problemsOf([effect(1, 't1'), effect(1, 't1')], [])).toEqual(['a/t1 was done twice']);
    expect(problemsOf(good, ['a/t9'])).toEqual(['a/t9 was acknowledged without an effect']);
  });
});
