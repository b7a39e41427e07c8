import { describe, expect, test } from 'vitest';
import { Heap } from '../../sim/heap.ts';
import { Random } from '../../sim/random.ts';

describe('random numbers of a world', () => {
  test('the same seed draws the same numbers, another seed others', () => {
    const draw = (seed: string) => Array.from({ length: 5 }, (_, i) => new Random(seed).fork(`${i}`).next());
    expect(draw('a')).toEqual(draw('a'));
    expect(draw('a')).not.toEqual(draw('b'));
  });

  test('one more draw in one fork does not shift another', () => {
    const one = new Random('seed');
    const other = new Random('seed');
    one.fork('network').next();
    one.next();
    expect(one.fork('disk').next()).toBe(other.fork('disk').next());
  });

  test('numbers spread evenly over the unit interval', () => {
    const random = new Random('spread');
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const at = random.below(10);
      buckets[at] = (buckets[at] ?? 0) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 2_000)).toBeLessThan(250);
  });
});

describe('the heap of what is to come', () => {
  test('things come out by time, and in the order of planning within a moment', () => {
    const heap = new Heap();
    const random = new Random('heap');
    for (let sequence = 0; sequence < 500; sequence++) heap.push({ atMs: random.below(20), sequence, run: () => {} });
    let before = { atMs: -1, sequence: -1 };
    for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
      const later = next.atMs > before.atMs || (next.atMs === before.atMs && next.sequence > before.sequence);
      expect(later).toBe(true);
      before = next;
    }
    expect(before.atMs).toBe(19);
    expect(heap.size).toBe(0);
  });
});
