import { describe, expect, test } from 'vitest';
import type { Write } from '../../node/core/effect.ts';
import { Disk, DiskDamaged, defaultDisk } from '../../sim/disk.ts';
import { Random } from '../../sim/random.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const put = (key: string, ...values: number[]): Write => ({ key, value: bytes(...values) });
const drop = (key: string): Write => ({ key, value: undefined });
const newDisk = (seed = 'disk'): Disk => new Disk(new Random(seed), defaultDisk);

function filled(...writes: Write[]): Disk {
  const disk = newDisk();
  disk.begin(writes);
  disk.sync();
  return disk;
}

describe('a batch', () => {
  test('is durable when its sync ends, not before', () => {
    const disk = newDisk();
    expect(disk.begin([put('a', 1), put('b', 2)])).toBeGreaterThan(0);
    expect([...disk.load()]).toEqual([]);
    expect(disk.read('a')).toBeUndefined();
    expect(disk.sync()).toEqual([put('a', 1), put('b', 2)]);
    expect([...disk.load()]).toEqual([
      ['a', bytes(1)],
      ['b', bytes(2)],
    ]);
  });

  test('takes effect in its order: the last write of a key counts, and a deletion deletes', () => {
    const disk = filled(put('a', 1), put('b', 1), put('a', 2), drop('b'));
    expect([...disk.load()]).toEqual([['a', bytes(2)]]);
    expect(disk.size).toBe(1);
  });

  test('shares no bytes with who wrote or who reads it', () => {
    const value = bytes(1);
    const disk = newDisk();
    disk.begin([{ key: 'a', value }]);
    value[0] = 9;
    disk.sync();
    const [loaded] = disk.load().values();
    if (loaded !== undefined) loaded[0] = 8;
    expect(disk.load().get('a')).toEqual(bytes(1));
  });

  test('comes alone: a second one before its sync ended is an error of the host', () => {
    const disk = newDisk();
    disk.begin([]);
    expect(() => disk.begin([])).toThrow('effects ran out of order');
  });
});

describe('a crash while a batch is on its way', () => {
  test('keeps it whole, or loses it, or tears it, which loses all of it, too', () => {
    const counts = { none: 0, kept: 0, lost: 0, torn: 0 };
    for (let i = 0; i < 200; i++) {
      const disk = newDisk(`crash ${i}`);
      disk.begin([put('old', 1)]);
      disk.sync();
      disk.begin([put('x', 2), drop('old')]);
      const { written, unsynced } = disk.crash();
      counts[unsynced] += 1;
      const isKept = unsynced === 'kept';
      expect(written).toEqual(isKept ? [put('x', 2), drop('old')] : []);
      expect([...disk.load().keys()]).toEqual(isKept ? ['x'] : ['old']);
      // the next life begins with an empty page cache
      disk.begin([put('new', 3)]);
      expect(disk.sync()).toEqual([put('new', 3)]);
    }
    expect(counts.none).toBe(0);
    for (const count of [counts.kept, counts.lost, counts.torn]) expect(count).toBeGreaterThan(25);
  });

  test('changes nothing when none is', () => {
    const disk = filled(put('a', 1));
    expect(disk.crash()).toEqual({ written: [], unsynced: 'none' });
    expect(disk.load().size).toBe(1);
  });
});

describe('trouble', () => {
  test.each(['error', 'full'] as const)('fails the sync, and what was durable stays (%s)', (trouble) => {
    const disk = filled(put('a', 1));
    disk.begin([put('a', 2)]);
    disk.trouble = trouble;
    expect(disk.sync()).toBeUndefined();
    expect(disk.read('a')).toEqual(bytes(1));
  });

  test('of a slow disk: each sync takes that many times as long', () => {
    const [usual, slow] = [newDisk('same'), newDisk('same')];
    slow.slowness = 40;
    for (let i = 0; i < 50; i++) {
      expect(slow.begin([])).toBeCloseTo(40 * usual.begin([]));
      usual.sync();
      slow.sync();
    }
  });

  test('of a disk that stalls now and then: some syncs take longer than it usually needs', () => {
    const disk = new Disk(new Random('stalls'), { syncMsMin: 1, syncMsMax: 2, stallChance: 0.2, stallMsMax: 50 });
    const times = Array.from({ length: 200 }, () => {
      const tookMs = disk.begin([]);
      disk.sync();
      return tookMs;
    });
    const stalls = times.filter((tookMs) => tookMs > 2);
    expect(stalls.length).toBeGreaterThan(15);
    expect(stalls.length).toBeLessThan(80);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...times)).toBeLessThan(50);
  });
});

describe('a bit that rots', () => {
  test('is found by whoever loads the disk, whichever it is', () => {
    for (let i = 0; i < 100; i++) {
      const disk = filled(put('a', 1, 2, 3), put('b', 4), put('empty'));
      const key = disk.rot(new Random(`rot ${i}`));
      expect(['a', 'b']).toContain(key);
      expect(() => disk.load()).toThrow(new DiskDamaged(`the record "${key}" is not what was written`));
    }
  });

  test('is gone when the record is written again', () => {
    const disk = filled(put('a', 1));
    disk.rot(new Random('rot'));
    disk.begin([put('a', 2)]);
    disk.sync();
    expect(disk.load().get('a')).toEqual(bytes(2));
  });

  test('needs a record that has bytes', () => {
    expect(filled(put('empty')).rot(new Random('rot'))).toBeUndefined();
  });
});
