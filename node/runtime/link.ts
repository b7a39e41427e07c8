import type { Connection, Stream } from '@libp2p/interface';
import { encodeFrame } from './frame.ts';
import type { SendTurns } from './send-turns.ts';

export const directProtocol = '/conclave/direct/1';

const queueFramesMax = 8_192;
const queueBytesMax = 16 * 1024 * 1024;
/** Small frames that leave together are joined up to this size, and a larger one leaves in pieces of it: what is written is encrypted at once. */
const writeBytesMax = 256 * 1024;
const openTimeoutMs = 5_000;

export interface LinkEvents {
  /** Frames can be sent from now on. */
  up(): void;
  /** The stream failed while there may be other connections to try. */
  failed(): void;
}

/**
 * The way out to one peer: one long-lived stream over whichever connection there is. Frames stay in order; what does
 * not fit into the bounded queue while the peer is slow is dropped, the newest first, and counted.
 */
export class Link {
  readonly #events: LinkEvents;
  readonly #turns: SendTurns;
  #stream: Stream | undefined;
  #connection: Connection | undefined;
  #queue: Uint8Array[] = [];
  #queueBytes = 0;
  #draining = false;
  #flushing = false;
  dropped = 0;

  constructor(events: LinkEvents, turns: SendTurns) {
    this.#events = events;
    this.#turns = turns;
  }

  get isUp(): boolean {
    return this.#stream !== undefined;
  }

  /** The connection that carries the stream, or is being tried. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Opens the stream over a connection; nothing happens while one is open or being opened. */
  async open(connection: Connection): Promise<void> {
    if (this.#connection !== undefined) return;
    this.#connection = connection;
    let stream: Stream;
    try {
      stream = await connection.newStream(directProtocol, { signal: AbortSignal.timeout(openTimeoutMs) });
    } catch {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#events.failed();
      return;
    }
    if (this.#connection === connection) this.#use(stream);
    else stream.abort(new Error('the link was closed meanwhile'));
  }

  #use(stream: Stream): void {
    this.#stream = stream;
    stream.inactivityTimeout = Number.MAX_SAFE_INTEGER;
    stream.addEventListener('close', () => {
      if (this.#stream !== stream) return;
      this.close();
      this.#events.failed();
    });
    stream.addEventListener('drain', () => {
      this.#draining = false;
      this.#flush();
    });
    this.#events.up();
  }

  send(bytes: Uint8Array): void {
    const framesFull = this.#queue.length >= queueFramesMax;
    if (this.#stream === undefined || framesFull || this.#queueBytes + bytes.byteLength > queueBytesMax) {
      this.dropped += 1;
      return;
    }
    const frame = encodeFrame(bytes);
    this.#queue.push(frame);
    this.#queueBytes += frame.byteLength;
    if (this.#flushing || this.#draining) return;
    // What is sent within one turn of the event loop's tick leaves as one write.
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  readonly #flush = (): void => {
    const stream = this.#stream;
    if (stream === undefined) return;
    try {
      while (this.#queue.length > 0 && !this.#draining && this.#turns.hasRoom(this.#flush)) {
        const write = this.#nextWrite();
        this.#turns.sent(write.byteLength);
        this.#draining = !stream.send(write);
      }
    } catch {
      // The stream closed under the write: its close event follows.
    }
  };

  #nextWrite(): Uint8Array {
    const [first] = this.#queue;
    if (first !== undefined && first.byteLength > writeBytesMax) {
      this.#queue[0] = first.subarray(writeBytesMax);
      this.#queueBytes -= writeBytesMax;
      return first.subarray(0, writeBytesMax);
    }
    let bytes = 0;
    let frames = 0;
    for (const frame of this.#queue) {
      if (frames > 0 && bytes + frame.byteLength > writeBytesMax) break;
      bytes += frame.byteLength;
      frames += 1;
    }
    const leaving = this.#queue.slice(0, frames);
    this.#queue = this.#queue.slice(frames);
    this.#queueBytes -= bytes;
    const [only] = leaving;
    return frames === 1 && only !== undefined ? only : Buffer.concat(leaving, bytes);
  }

  close(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#connection = undefined;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#draining = false;
    stream?.abort(new Error('the link is closed'));
  }
}
