export interface AttachFramesInit {
  output(chunk: Buffer): void;
  errors(chunk: Buffer): void;
}

/** Stream, three zeros, length of what follows: as the engine's API describes attaching to a container without a terminal. */
const headBytes = 8;
const streams = { output: 1, errors: 2 } as const;

/**
 * Takes apart what a container says: output and error stream come as frames on one connection. Frames are passed on as they come
 * in, so nothing but a frame's head is kept.
 */
export class AttachFrames {
  readonly #init: AttachFramesInit;
  readonly #head = Buffer.alloc(headBytes);
  #headLength = 0;
  /** Of the frame that is being read. */
  #bytesLeft = 0;

  constructor(init: AttachFramesInit) {
    this.#init = init;
  }

  /** Takes the next piece, wherever it was cut. Throws `RangeError` when it is no frame: nothing after that means anything. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#bytesLeft === 0) {
        at += this.#takeHead(chunk.subarray(at));
        continue;
      }
      const part = chunk.subarray(at, at + this.#bytesLeft);
      at += part.byteLength;
      this.#bytesLeft -= part.byteLength;
      if (this.#head[0] === streams.errors) this.#init.errors(part);
      else this.#init.output(part);
    }
  }

  /** Returns how many bytes it took. */
  #takeHead(chunk: Buffer): number {
    const taken = chunk.copy(this.#head, this.#headLength, 0, headBytes - this.#headLength);
    this.#headLength += taken;
    if (this.#headLength < headBytes) return taken;
    this.#headLength = 0;
    const [stream = 0] = this.#head;
    const isFrame = (stream === streams.output || stream === streams.errors) && this.#head.readUIntBE(1, 3) === 0;
    if (!isFrame) throw new RangeError(`no frame begins with ${this.#head.toString('hex')}`);
    this.#bytesLeft = this.#head.readUInt32BE(4);
    return taken;
  }
}
