import { expect, test } from 'vitest';
import type { Write } from '../../../node/core/effect.ts';
import { keys } from '../../../node/core/records.ts';
import { StateBytes } from '../../../node/core/state-bytes.ts';
import { StateParts, StateStep } from '../../../node/core/wire/messages.ts';
import { WholeState } from '../../../sim/checkers/anytime-whole-state.ts';
import { bytes, putHolder } from './planted.ts';

const sum = (text: string): number => StateBytes.of(bytes(text), 100).checksum;
const list = (...parts: number[]): Write => ({ key: keys.state('a'), value: StateParts.encode({ parts }) });
const part = (number: number, text: string): Write => ({ key: keys.statePart('a', number), value: bytes(text) });
const holder = (sequence: number, text: string): Write => putHolder('a', 1, 1, sequence, '', sum(text));
const step = (sequence: number, offset: number, inserted: string, previousLength: number): Write => ({
  key: keys.stateStep('a', sequence),
  value: StateStep.encode({ changes: [{ previousLength, offset, removed: 0, inserted: bytes(inserted) }] }),
});

/** Batches that reach one disk, one after the other. */
function written(...batches: Write[][]): void {
  const disk = new Map<string, Uint8Array | undefined>();
  const checker = new WholeState();
  for (const batch of batches) {
    for (const { key, value } of batch) disk.set(key, value);
    checker.durable('n1', batch, (key) => disk.get(key));
  }
}

test('parts that were there before, changes in the same batch, and a part at two places are right', () => {
  written(
    [part(1, 'one '), part(2, 'two')],
    [list(1, 2), holder(4, 'one two')],
    [list(2, 1, 2), holder(5, 'twoone two'), step(6, 3, ' ', 10), holder(6, 'two one two')],
  );
});

test.each<[string, Write[], RegExp]>([
  ['a part is missing', [part(1, 'one '), list(1, 2), holder(4, 'one two')], /step 4 of epoch 1 of a without all/],
  [
    'a part is another one',
    [part(1, 'one '), part(2, 'three'), list(1, 2), holder(4, 'one two')],
    /its parts are others/,
  ],
  ['a part is listed once too few', [part(1, 'one'), list(1), holder(4, 'oneone')], /its parts are others/],
  ['a change is of another state', [part(1, 'one'), list(1), step(5, 0, 'x', 3), holder(5, 'onex')], /are others/],
])('a violation: %s', (_name, batch, what) => {
  expect(() => written(batch)).toThrow(what);
});
