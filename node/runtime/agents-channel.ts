import { writeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { FrameReader } from './frame.ts';

/** One thing said over a channel: plain JSON, and the bytes that belong to it. */
export interface Said {
  head: unknown;
  bytes: Uint8Array[];
}

export interface AgentsChannelInit {
  stream: Duplex;
  /** Of the stream, where it is known: what the system takes at once need not go through the stream. */
  fd?: number;
  /** Has what was said until then written, at the end of the turn: one write costs more than all that is in it. */
  later(write: () => void): void;
  onSaid(said: Said): void;
  /** Once: the other side said what cannot be read. Nothing more is heard. */
  onBroken(error: Error): void;
}

const lengthBytes = 4;
/** More is cut into frames of about this size. */
const frameBytesWanted = 1024 * 1024;
/** Of one frame; what is said in it is smaller. */
const frameBytesMax = 64 * 1024 * 1024;

/** Between a node and the process of its agents: what is said in one turn goes as one write. */
export class AgentsChannel {
  readonly #init: AgentsChannelInit;
  #said: Said[] = [];
  #saidBytes = 0;
  /** Who waits for the next write. */
  #behind: (() => void)[] = [];
  #isBroken = false;
  readonly #reader: FrameReader;

  constructor(init: AgentsChannelInit) {
    this.#init = init;
    this.#reader = new FrameReader(frameBytesMax, (frame) => {
      for (const said of decodeFrame(frame)) if (!this.#isBroken) init.onSaid(said);
    });
    // The other side may have ended, which is told elsewhere.
    init.stream.on('error', () => {});
  }

  /** Takes the next piece of what the other side says, and keeps nothing of it. */
  take(chunk: Uint8Array): void {
    if (this.#isBroken) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#isBroken = true;
      this.#init.onBroken(error as Error);
    }
  }

  /** What the other side has not taken yet. */
  get unreadBytes(): number {
    return this.#saidBytes + this.#init.stream.writableLength;
  }

  say(head: unknown, ...bytes: Uint8Array[]): void {
    for (const { byteLength } of bytes) this.#saidBytes += byteLength;
    if (this.#said.push({ head, bytes }) === 1) this.#init.later(() => this.write());
  }

  /** Calls back when what was said until now is written at the end of the turn, or never will be. */
  afterWrite(written: () => void): void {
    if (this.#said.length === 0) setImmediate(written);
    else this.#behind.push(written);
  }

  /** Calls back when what was said until now is on its way, or never will be. */
  whenTaken(taken: () => void): void {
    this.write(() => setImmediate(taken));
  }

  /** Writes what was said until now. Calls back when that is with the system, which may be at once, or never will be. */
  write(written?: () => void): void {
    const { stream } = this.#init;
    const said = this.#said;
    const behind = written === undefined ? this.#behind : [...this.#behind, written];
    this.#said = [];
    this.#saidBytes = 0;
    this.#behind = [];
    const done = (): void => {
      for (const one of behind) one();
    };
    if (said.length > 0 && stream.writable) this.#send(encodeFrames(said), done);
    else done();
  }

  #send(bytes: Buffer, written: () => void): void {
    const { stream, fd } = this.#init;
    const sent = fd === undefined || stream.writableLength > 0 ? 0 : writtenAtOnce(fd, bytes);
    if (sent < bytes.byteLength) stream.write(bytes.subarray(sent), written);
    else written();
  }
}

function writtenAtOnce(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch {
    // Full, or gone: the stream finds out which.
    return 0;
  }
}

function encodeFrames(said: readonly Said[]): Buffer {
  const frames: Buffer[] = [];
  let from = 0;
  let size = 0;
  for (const [at, { bytes }] of said.entries()) {
    for (const { byteLength } of bytes) size += byteLength;
    if (size < frameBytesWanted && at < said.length - 1) continue;
    frames.push(encodeFrame(said.slice(from, at + 1), size));
    [from, size] = [at + 1, 0];
  }
  return frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames);
}

/** Its length, the length of the JSON, that, and the bytes of all in it one after the other. */
function encodeFrame(said: readonly Said[], size: number): Buffer {
  const json = JSON.stringify(said.map(({ head, bytes }) => [head, ...bytes.map(({ byteLength }) => byteLength)]));
  const jsonBytes = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(2 * lengthBytes + jsonBytes + size);
  frame.writeUInt32BE(lengthBytes + jsonBytes + size, 0);
  frame.writeUInt32BE(jsonBytes, lengthBytes);
  frame.write(json, 2 * lengthBytes);
  let at = 2 * lengthBytes + jsonBytes;
  for (const { bytes } of said) {
    for (const part of bytes) {
      frame.set(part, at);
      at += part.byteLength;
    }
  }
  return frame;
}

/** Throws when it is no frame. Bytes are copies: one of them does not keep the others in memory. */
function decodeFrame(frame: Uint8Array): Said[] {
  const buffer = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const jsonBytes = buffer.readUInt32BE(0);
  let at = lengthBytes + jsonBytes;
  if (at > buffer.byteLength) throw new RangeError('a frame is shorter than it says');
  const said: unknown = JSON.parse(buffer.toString('utf8', lengthBytes, at));
  if (!Array.isArray(said)) throw new TypeError('a frame is no list');
  return said.map((one) => {
    if (!Array.isArray(one) || one.length === 0) throw new TypeError('a frame has something that is no list');
    const [head, ...lengths] = one as unknown[];
    const bytes = lengths.map((length) => {
      if (!Number.isSafeInteger(length) || Number(length) < 0 || at + Number(length) > buffer.byteLength)
        throw new RangeError('a frame is shorter than it says');
      at += Number(length);
      return frame.slice(at - Number(length), at);
    });
    return { head, bytes };
  });
}
