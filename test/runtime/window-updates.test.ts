import type { Stream } from '@libp2p/interface';
import { expect, test } from 'vitest';
import { saveWindowUpdates } from '../../node/runtime/window-updates.ts';

test('the window is told when the stream is accepted, and then each time that half of it is used up', () => {
  const told: number[] = [];
  const stream = {
    recvWindow: 100,
    recvWindowCapacity: 100,
    sendWindowUpdate() {
      told.push(this.recvWindow - this.recvWindowCapacity);
      this.recvWindowCapacity = this.recvWindow;
    },
  };
  saveWindowUpdates(stream as unknown as Stream);
  for (let i = 0; i < 13; i++) {
    stream.recvWindowCapacity -= 10;
    stream.sendWindowUpdate();
  }
  expect(told).toEqual([10, 50, 50]);
});

test('a stream of another kind is left as it is', () => {
  const stream = { send: () => true } as unknown as Stream;
  saveWindowUpdates(stream);
  expect(Object.keys(stream)).toEqual(['send']);
});
