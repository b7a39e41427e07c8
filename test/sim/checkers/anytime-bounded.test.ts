import { expect, test } from 'vitest';
import type { Effect } from '../../../node/core/effect.ts';
import type { Message } from '../../../node/core/message.ts';
import { defaultSettings } from '../../../node/core/settings.ts';
import { Bounded } from '../../../sim/checkers/anytime-bounded.ts';
import type { WorldOptions } from '../../../sim/world.ts';
import { connectFromFirst, scriptedWorld, send } from '../scripted-node.ts';

/** A world in which n1 answers a request with these effects. */
function asked(effects: Effect[], times = 1, options: Partial<WorldOptions> = {}): void {
  const { world } = scriptedWorld(
    (event, _at, init) => (event.type === 'request' ? effects : connectFromFirst(event, init)),
    options,
  );
  world.watch(new Bounded(world));
  world.run(1_000);
  for (let i = 0; i < times; i++) {
    world.request('n1', { type: 'status' });
    world.runFor(100);
  }
}

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const persist: Effect = { type: 'persist', id: 1, writes: [] };
const slow = { disk: { syncMsMin: 5_000, syncMsMax: 5_000, stallChance: 0 } };

test('a busy node within its bounds is right', () => {
  asked(
    many(1_500, (i) => send('n2', i)),
    20,
  );
  asked([persist, ...many(900, (i) => send('n2', i)), send('n2', 0, true)], 20, slow);
});

test('a node that floods the network is a violation', () => {
  expect(() =>
    asked(
      many(2_500, (i) => send('n2', i)),
      20,
    ),
  ).toThrow('n1 sent more than 20000 frames within a second, probe the last');
});

test('a queue of effects behind a disk that grows and grows is a violation', () => {
  const effects = [persist, ...many(1_100, (i) => send('n2', i)), send('n2', 0, true)];
  expect(() => asked(effects, 20, slow)).toThrow('effects wait for the disk of n1, at most 20000');
});

test('a disk that fills up with records is a violation', () => {
  const batch = (from: number): Effect => {
    const writes = many(4_000, (i) => ({ key: `k${from + i}`, value: new Uint8Array(1) }));
    return { type: 'persist', id: from, writes };
  };
  const fill = (batches: number): Effect[] => [
    ...many(batches, (i) => batch(4_000 * i)),
    ...many(256, (i) => send('n2', i)),
  ];
  expect(() => asked(fill(20))).not.toThrow();
  expect(() => asked(fill(36))).toThrow('the disk of n1 has 144000 records, at most 140968');
});

test('a message with too much of a state is a violation', () => {
  const settings = { ...defaultSettings, stateChunkBytes: 100, statePartBytes: 30 };
  const { world } = scriptedWorld((event, _at, init) => connectFromFirst(event, init), {});
  const checker = new Bounded(world, settings);
  const message = (length: number): Message => ({
    type: 'statePieces',
    body: {
      agent: 'a',
      epoch: 1,
      sequence: 1,
      checksum: 1,
      places: [0],
      pieces: [new Uint8Array(length)],
      gone: false,
    },
  });
  checker.sent('n1', '', message(200));
  expect(() => checker.sent('n1', '', message(201))).toThrow('201 bytes of a state in one statePieces, at most 200');
});
