import type { Connection, Stream } from '@libp2p/interface';
import { expect, test } from 'vitest';
import { FrameReader } from '../../node/runtime/frame.ts';
import { Link } from '../../node/runtime/link.ts';
import { SendTurns } from '../../node/runtime/send-turns.ts';

const kib = 1024;
const writeBytesMax = 256 * kib;

/** A link over a stream that notes what is written to it, and in which turn of the event loop. */
async function open() {
  const writes: { turn: number; bytes: Uint8Array }[] = [];
  const now = { turn: 0 };
  const listeners = new Map<string, () => void>();
  /** The stream takes no more until it says so. */
  const full = { is: false };
  const stream = {
    addEventListener: (type: string, listener: () => void) => void listeners.set(type, listener),
    abort: () => {},
    send: (bytes: Uint8Array) => {
      writes.push({ turn: now.turn, bytes: bytes.slice() });
      return !full.is;
    },
  } as unknown as Stream;
  const link = new Link({ up: () => {}, failed: () => {} }, new SendTurns());
  await link.open({ newStream: async () => stream } as unknown as Connection);
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await new Promise(setImmediate);
      now.turn += 1;
    }
  };
  return { link, writes, turns, full, drain: () => listeners.get('drain')?.() };
}

const frameOf = (bytes: number, from: number): Uint8Array =>
  new Uint8Array(bytes).map((_, at) => (at * 31 + from) >> 3);

/** What the other end makes of it. */
function framesIn(writes: readonly { bytes: Uint8Array }[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const reader = new FrameReader(4 * kib * kib, (bytes) => void frames.push(bytes));
  for (const { bytes } of writes) reader.push(bytes);
  return frames;
}

/** Far quicker than to compare them as arrays. */
const isSame = (some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean =>
  some.length === others.length &&
  some.every((each, at) => Buffer.compare(each, others[at] ?? new Uint8Array(0)) === 0);

test('a large frame leaves in pieces over many turns, and arrives as it was between those before and behind it', async () => {
  const { link, writes, turns } = await open();
  const frames = [frameOf(100, 1), frameOf(4 * kib * kib - 8, 2), frameOf(writeBytesMax, 3), frameOf(7, 4)];
  for (const frame of frames) link.send(frame);
  await turns(40);
  expect(isSame(framesIn(writes), frames)).toBe(true);
  const byTurn = new Map<number, number>();
  for (const { turn, bytes } of writes) {
    expect(bytes.byteLength).toBeLessThanOrEqual(writeBytesMax);
    byTurn.set(turn, (byTurn.get(turn) ?? 0) + bytes.byteLength);
  }
  expect(Math.max(...byTurn.values())).toBeLessThan(2 * writeBytesMax);
});

test('a frame of which a piece has left is sent to its end, however slow the other side is', async () => {
  const { link, writes, turns, full, drain } = await open();
  full.is = true;
  const frames = [frameOf(3 * kib * kib, 1), ...Array.from({ length: 20 }, (_, i) => frameOf(kib * kib, i))];
  for (const frame of frames) link.send(frame);
  for (let i = 0; i < 100; i++) {
    await turns(1);
    drain();
  }
  const arrived = framesIn(writes);
  expect(link.dropped).toBeGreaterThan(0);
  expect(isSame(arrived, frames.slice(0, frames.length - link.dropped))).toBe(true);
});
