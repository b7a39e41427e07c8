import { expect, test } from 'vitest';
import type { Write } from '../../../node/core/effect.ts';
import { emptyMailbox, encodeMailbox } from '../../../node/core/mailbox.ts';
import { Replayed } from '../../../sim/checkers/eventually-replayed.ts';
import { Guests, type GuestTask } from '../../../sim/guests.ts';
import type { Program } from '../../../sim/program.ts';
import { jsonProgram } from '../json-program.ts';
import { scriptedWorld } from '../scripted-node.ts';
import { bytes, putHolder, putResult } from './planted.ts';

/** Adds what it is given; refuses what is no number. */
const adder = jsonProgram(0, (sum, number) => {
  if (typeof number !== 'number') throw new Error('no number');
  return { state: sum + number, value: sum + number };
});

/** An agent that was given 1, "x" and 2: its results, its state, and what its client was told of the last one. */
interface History {
  results: Write[];
  state: string;
  told?: string;
}

/** The end of a state that has nothing under way. */
const noMailbox = new TextDecoder().decode(encodeMailbox(emptyMailbox));

const right: History = {
  results: [
    putResult('adder', 't1', 1, '1'),
    putResult('adder', 't2', 2, '{"reason":"no number"}', false),
    putResult('adder', 't3', 3, '3'),
  ],
  state: '3',
  told: '3',
};

function judge({ results, state, told }: History, program: Program = adder): Replayed {
  const { world } = scriptedWorld((event, _at, { id }) => {
    if (event.type !== 'wake') return [];
    // n1 has an older state: the newest counts.
    const older = [...results.slice(0, 1), putHolder('adder', 1, 1, 1, `1${noMailbox}`)];
    const writes = id === 'n1' ? older : [...results, putHolder('adder', 2, 2, 3, `${state}${noMailbox}`)];
    return [{ type: 'persist', id: 1, writes }];
  });
  world.run(1_000);
  const guests = new Guests(world, { type: 'adder', count: 1, tasks: [1, 'x', 2] });
  const sent = (payload: string, value?: string): GuestTask => ({
    payload: bytes(payload),
    sentMs: 0,
    tries: 1,
    answered: { atMs: 1, ok: value !== undefined, value: value === undefined ? undefined : bytes(value) },
  });
  guests.sent.set(
    'adder',
    new Map([
      ['t1', sent('1')],
      ['t2', sent('"x"')],
      ['t3', sent('2', told)],
    ]),
  );
  const checker = new Replayed(world, guests, program);
  checker.finish();
  return checker;
}

const instead = (sequence: number, write: Write): Write[] =>
  right.results.map((result, at) => (at + 1 === sequence ? write : result));

test('answers and a state that the code alone comes to as well are right', () => {
  expect([...judge(right).notCompared]).toEqual([]);
});

test('an answer that is no longer kept is right, unless its client was told something else', () => {
  const dropped = { ...right, results: instead(3, putResult('adder', 't3', 3, '', true, true)) };
  expect([...judge(dropped).notCompared]).toEqual([]);
  expect(() => judge({ ...dropped, told: '4' })).toThrow('its client was told: 4');
});

test.each<[string, History, string]>([
  [
    'an answer that the code does not give',
    { ...right, results: instead(1, putResult('adder', 't1', 1, '9')) },
    'alone: 1, kept: 9',
  ],
  ['a client who was told something else', { ...right, told: '4' }, 'its client was told: 4, kept: 3'],
  ['a state that the code does not come to', { ...right, state: '4' }, 'adder came to 4, alone it comes to 3'],
  [
    'a task that nobody sent',
    { ...right, results: instead(3, putResult('adder', 't9', 3, '3')) },
    'adder did t9, which nobody sent',
  ],
])('a violation: %s', (_what, history, message) => {
  expect(() => judge(history)).toThrow(message);
});

test('what the disks do not show in full, or depends on time or chance, is not compared, and it says so', () => {
  const gone = judge({ ...right, results: right.results.slice(1), state: '4' });
  expect(gone.notCompared.get('adder')).toBe('it did more tasks than are remembered');
  const dice: Program = {
    start: (context, state) => {
      const instance = adder.start(context, state);
      return { state: instance.state, handle: (payload) => (context.random(), instance.handle(payload)) };
    },
  };
  expect(judge({ ...right, state: '4' }, dice).notCompared.get('adder')).toBe('it uses time or chance');
});
