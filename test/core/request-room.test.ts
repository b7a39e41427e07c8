import { expect, test } from 'vitest';
import type { Operation } from '../../node/core/operation.ts';
import { RequestRoom } from '../../node/core/request-room.ts';
import { limits } from '../../node/core/settings.ts';

const task = (agent: string): Operation => ({ type: 'task', agent, task: 't', payload: new Uint8Array(), ttlMs: 1 });
const status: Operation = { type: 'status' };

/** As many as there is room for. */
function fill(room: RequestRoom, operation: Operation): number {
  for (let count = 0; ; count++) {
    if (room.whatIsFull(operation) !== undefined) return count;
    room.enter(operation);
  }
}

test('however many slow agents there are, each has its share and leaves room for the next, and for other requests', () => {
  const room = new RequestRoom();
  const counts = Array.from({ length: 12 }, (_, i) => fill(room, task(`slow-${i}`)));
  expect(counts[0]).toBe(limits.agentEntryMax);
  expect(counts.every((count) => count >= 1)).toBe(true);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThan(limits.tasksPendingMax);
  expect(room.whatIsFull(task('idle'))).toBeUndefined();
  expect(room.whatIsFull(task('slow-0'))).toMatchObject({ what: 'tasks of agent slow-0 at this node' });
  expect(fill(room, status)).toBe(limits.forwardsPendingMax);
  expect(room.whatIsFull(task('idle'))).toBeUndefined();
});

test('what is over makes room again', () => {
  const room = new RequestRoom();
  const count = fill(room, task('a'));
  for (let i = 0; i < count; i++) room.leave(task('a'));
  expect(fill(room, task('a'))).toBe(count);
  fill(room, status);
  room.leave(status);
  expect(fill(room, status)).toBe(1);
});
