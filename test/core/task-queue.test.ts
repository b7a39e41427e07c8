import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type QueuedTask, TaskQueue } from '../../node/core/task-queue.ts';

const task = (id: string, { key = '', priority = 5 } = {}): QueuedTask => ({
  ...{ task: id, payload: new Uint8Array(0), deadlineMs: 1_000, origin: 'n1', retry: '', progress: false },
  ...{ key, priority },
});

/** Takes out and ends one after the other. */
function drain(queue: TaskQueue): string[] {
  const order: string[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    order.push(next.task);
    queue.done(next);
  }
  return order;
}

function queueOf(...tasks: QueuedTask[]): TaskQueue {
  const queue = new TaskQueue();
  for (const one of tasks) queue.push(one);
  return queue;
}

describe('the tasks that wait for an agent', () => {
  test('go by priority, and within one by arrival', () => {
    const queue = queueOf(
      task('a'),
      task('urgent', { priority: 9 }),
      task('b'),
      task('idle', { priority: 0 }),
      task('c'),
    );
    expect(queue.length).toBe(5);
    expect(drain(queue)).toEqual(['urgent', 'a', 'b', 'c', 'idle']);
    expect(queue.length).toBe(0);
  });

  test('of one key keep their order whatever their priority, and others pass them', () => {
    const first = task('first', { key: 'k', priority: 1 });
    const queue = queueOf(first, task('second', { key: 'k', priority: 9 }), task('other'));
    expect(drain(queue)).toEqual(['other', 'first', 'second']);
  });

  test('one that is put back keeps its place, before all later ones of its key', () => {
    const queue = queueOf(task('first', { key: 'k' }), task('second', { key: 'k', priority: 9 }), task('third'));
    const first = queue.take();
    expect(first?.task).toBe('first');
    // The second of the key does not begin while the first is out.
    expect(queue.all().map((one) => one.task)).toEqual(['third', 'second']);
    if (first !== undefined) queue.putBack(first);
    expect(drain(queue)).toEqual(['first', 'second', 'third']);
  });

  test('those removed are gone, and the next of their key may begin', () => {
    const queue = queueOf(
      task('first', { key: 'k' }),
      task('second', { key: 'k' }),
      task('third', { key: 'k' }),
      task('second'),
    );
    expect(queue.remove('second')).toHaveLength(2);
    expect(queue.remove('second')).toHaveLength(0);
    expect(queue.length).toBe(2);
    expect(queue.remove('first')).toHaveLength(1);
    expect(drain(queue)).toEqual(['third']);
  });

  /** Slow and obvious: looks at everything each time. */
  class Twin {
    readonly waiting: { task: QueuedTask; arrival: number }[] = [];
    #out: { task: QueuedTask; arrival: number } | undefined;
    #arrivals = 0;

    push(one: QueuedTask): void {
      this.waiting.push({ task: one, arrival: ++this.#arrivals });
    }

    take(): string | undefined {
      const mayBegin = this.waiting.filter(({ task: { key }, arrival }) => {
        const earlier = [...this.waiting, ...(this.#out ? [this.#out] : [])];
        return key === '' || !earlier.some((other) => other.task.key === key && other.arrival < arrival);
      });
      mayBegin.sort((a, b) => b.task.priority - a.task.priority || a.arrival - b.arrival);
      const [next] = mayBegin;
      if (next === undefined) return undefined;
      this.waiting.splice(this.waiting.indexOf(next), 1);
      this.#out = next;
      return next.task.task;
    }

    end(again: boolean): void {
      if (this.#out !== undefined && again) this.waiting.push(this.#out);
      this.#out = undefined;
    }

    remove(id: string): number {
      const kept = this.waiting.filter((one) => one.task.task !== id);
      const removed = this.waiting.length - kept.length;
      this.waiting.splice(0, this.waiting.length, ...kept);
      return removed;
    }
  }

  test('are what a twin that looks at all of them each time says they are', () => {
    const arrival = fc.record({
      do: fc.constant('push' as const),
      id: fc.integer({ min: 0, max: 9 }),
      key: fc.constantFrom('', 'k', 'l'),
      priority: fc.integer({ min: 0, max: 3 }),
    });
    const action = fc.oneof(
      { weight: 3, arbitrary: arrival },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('take' as const), again: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), id: fc.integer({ min: 0, max: 9 }) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const queue = new TaskQueue();
        const twin = new Twin();
        for (const one of actions) {
          if (one.do === 'push') {
            const pushed = task(`t${one.id}`, one);
            queue.push(pushed);
            twin.push(pushed);
          } else if (one.do === 'take') {
            const taken = queue.take();
            expect(taken?.task).toBe(twin.take());
            if (taken !== undefined && one.again) queue.putBack(taken);
            else if (taken !== undefined) queue.done(taken);
            twin.end(one.again);
          } else expect(queue.remove(`t${one.id}`)).toHaveLength(twin.remove(`t${one.id}`));
          expect(queue.length).toBe(twin.waiting.length);
          expect(queue.all()).toHaveLength(twin.waiting.length);
        }
      }),
      { numRuns: 500 },
    );
  });
});
