/** A sender announced more bytes than a frame may have; nothing of it was kept. */
export class FrameTooLarge extends Error {
  override readonly name = 'FrameTooLarge';
}

const headerBytes = 4;

/** A frame as it goes over a stream: its length in four bytes, big-endian, then its bytes. */
export function encodeFrame(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(headerBytes + bytes.byteLength);
  new DataView(framed.buffer).setUint32(0, bytes.byteLength);
  framed.set(bytes, headerBytes);
  return framed;
}

/** Cuts a stream of chunks into frames. Keeps at most one frame; a length above the cap throws before it is read. */
export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #onFrame: (bytes: Uint8Array) => void;
  readonly #header = new Uint8Array(headerBytes);
  #headerHas = 0;
  #body: Uint8Array | undefined;
  #bodyHas = 0;

  constructor(frameBytesMax: number, onFrame: (bytes: Uint8Array) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  /** Takes the next chunk. Throws `FrameTooLarge`; the stream cannot be read any further then. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#body === undefined) at += this.#readHeader(chunk, at);
      if (this.#body === undefined) continue;
      const body = this.#body;
      const part = chunk.subarray(at, at + body.byteLength - this.#bodyHas);
      body.set(part, this.#bodyHas);
      this.#bodyHas += part.byteLength;
      at += part.byteLength;
      if (this.#bodyHas < body.byteLength) continue;
      this.#body = undefined;
      this.#headerHas = 0;
      this.#onFrame(body);
    }
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + headerBytes - this.#headerHas);
    this.#header.set(part, this.#headerHas);
    this.#headerHas += part.byteLength;
    if (this.#headerHas < headerBytes) return part.byteLength;
    const bodyBytes = new DataView(this.#header.buffer).getUint32(0);
    if (bodyBytes > this.#frameBytesMax) {
      throw new FrameTooLarge(`a frame of ${bodyBytes} bytes was announced, at most ${this.#frameBytesMax} are taken`);
    }
    this.#body = new Uint8Array(bodyBytes);
    this.#bodyHas = 0;
    // A frame without a byte is complete already.
    if (bodyBytes === 0) {
      this.#body = undefined;
      this.#headerHas = 0;
      this.#onFrame(new Uint8Array(0));
    }
    return part.byteLength;
  }
}
