import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChangeLog } from '../../node/core/change-log.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import { changeBetween, fits } from '../../node/core/state-change.ts';

const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);
const splices = fc.array(fc.record({ at: fc.nat(), removed: fc.nat(40), inserted: fc.uint8Array({ maxLength: 40 }) }), {
  maxLength: 30,
});

describe('the bytes of a state', () => {
  test('after any splices are those of a plain array, in parts of the right size, with the checksum of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 33 }), splices, (first, max, all) => {
        let plain = [...first];
        let state = StateBytes.of(first, max);
        for (const { at, removed: wanted, inserted } of all) {
          const offset = at % (plain.length + 1);
          const removed = Math.min(wanted, plain.length - offset);
          const before = state;
          state = state.splice({ previousLength: plain.length, offset, removed, inserted });
          expect([...before.bytes()]).toEqual(plain);
          plain = plain.toSpliced(offset, removed, ...inserted);
          expect([...state.bytes()]).toEqual(plain);
          expect(state.length).toBe(plain.length);
          expect(state.parts.every((part) => part.bytes.length > 0 && part.bytes.length <= max)).toBe(true);
          expect(state.parts.length).toBeLessThanOrEqual(Math.ceil((2 * plain.length) / max) + 1);
          expect(state.checksum).toBe(StateBytes.of(bytes(...plain), 1_000).checksum);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('share the parts that a splice does not touch, and keep nothing of what they were given', () => {
    const given = new Uint8Array(1_000).map((_, i) => i);
    const state = StateBytes.of(given, 100);
    const after = state.splice({ previousLength: 1_000, offset: 550, removed: 1, inserted: bytes(1, 2) });
    const shared = after.parts.filter((part) => state.parts.includes(part)).length;
    expect(shared).toBe(state.parts.length - 1);
    const sum = state.checksum;
    given.fill(0);
    expect(StateBytes.of(state.bytes(), 7).checksum).toBe(sum);
  });

  test('have another checksum when a byte, their order or their number differs', () => {
    const sums = [bytes(), bytes(0), bytes(0, 0), bytes(1), bytes(0, 1), bytes(1, 0)].map(
      (each) => StateBytes.of(each, 4).checksum,
    );
    expect(new Set(sums).size).toBe(sums.length);
  });
});

describe('a change between two states', () => {
  test('leads from one to the other, and is no larger than it must be at both ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60, max: 2 }), fc.uint8Array({ maxLength: 60, max: 2 }), (a, b) => {
        const change = changeBetween(a, b);
        if (change === undefined) return void expect(a).toEqual(b);
        expect(fits(change, a.length, 60)).toBe(true);
        expect(StateBytes.of(a, 16).splice(change).bytes()).toEqual(b);
        const { offset, removed, inserted } = change;
        if (removed === 0 || inserted.length === 0) return;
        expect(inserted[0]).not.toBe(a[offset]);
        expect(inserted.at(-1)).not.toBe(a[offset + removed - 1]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('of views that lie anywhere is the same', () => {
    const long = new Uint8Array(500).map((_, i) => i * 7);
    for (const shift of [0, 1, 2, 3]) {
      const a = new Uint8Array(shift + 500);
      a.set(long, shift);
      const b = long.slice();
      b[300] = 1;
      expect(changeBetween(a.subarray(shift), b)).toEqual({
        ...{ previousLength: 500, offset: 300, removed: 1 },
        inserted: bytes(1),
      });
    }
  });

  test.each([
    ['of a state of another length', { previousLength: 9, offset: 0, removed: 0, inserted: bytes() }],
    ['behind the end', { previousLength: 10, offset: 11, removed: 0, inserted: bytes() }],
    ['that removes what is not there', { previousLength: 10, offset: 5, removed: 6, inserted: bytes() }],
    ['at no place', { previousLength: 10, offset: 0.5, removed: 0, inserted: bytes() }],
    ['before the beginning', { previousLength: 10, offset: -1, removed: 1, inserted: bytes() }],
    ['that removes less than nothing', { previousLength: 10, offset: 0, removed: -1, inserted: bytes() }],
    ['to more than there may be', { previousLength: 10, offset: 0, removed: 0, inserted: bytes(1, 2, 3) }],
  ])('%s does not fit', (_name, change) => expect(fits(change, 10, 12)).toBe(false));
});

describe('the log of changes', () => {
  const change = (size: number) => ({ previousLength: 0, offset: 0, removed: 0, inserted: new Uint8Array(size) });

  test('has what came after a sequence while it has room, and says when it has not', () => {
    const log = new ChangeLog(4, { changesMax: 3, bytesMax: 100 });
    for (const sequence of [5, 7, 8]) log.add(sequence, change(sequence));
    expect(log.after(3)).toBeUndefined();
    expect(log.after(4)?.map(({ inserted }) => inserted.length)).toEqual([5, 7, 8]);
    expect(log.after(6)?.map(({ inserted }) => inserted.length)).toEqual([7, 8]);
    expect(log.after(9)).toEqual([]);
    log.add(10, change(1));
    expect(log.after(4)).toBeUndefined();
    expect(log.after(5)?.map(({ inserted }) => inserted.length)).toEqual([7, 8, 1]);
    log.add(11, change(101));
    expect(log.after(10)).toBeUndefined();
    expect(log.after(11)).toEqual([]);
  });
});
