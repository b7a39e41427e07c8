import { joined } from './bytes.ts';
import type { StateChange } from './state-change.ts';

/** One piece of a state. Nobody changes its bytes. */
export interface StatePart {
  readonly bytes: Uint8Array;
  /** Of these bytes alone. */
  readonly hash: number;
  /** Likewise, made in another way: what is alike in both and in its length is taken for the same bytes. */
  readonly digest: number;
  /** What a sum before these bytes is multiplied by. */
  readonly power: number;
}

/** Odd, with bits all over: the multiplier of a polynomial over the bytes, modulo 2^32. */
const base = 0x01000193;

/**
 * An agent's state: bytes in parts, never changed. A splice makes a new one that shares the parts it does not touch, so
 * it costs what it touches and not what there is. No two neighbours fit into one part: there are at most twice as many
 * as there must be.
 */
export class StateBytes {
  readonly parts: readonly StatePart[];
  readonly length: number;
  readonly #partBytesMax: number;
  #checksum: number | undefined;

  private constructor(parts: readonly StatePart[], partBytesMax: number) {
    this.parts = parts;
    this.#partBytesMax = partBytesMax;
    this.length = parts.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  }

  /** A copy of bytes that may be a view of something larger. */
  static of(bytes: Uint8Array, partBytesMax: number): StateBytes {
    return new StateBytes(cut(bytes, partBytesMax), partBytesMax);
  }

  /** Of parts as another one had them. They are kept as they are. */
  static ofParts(parts: readonly StatePart[], partBytesMax: number): StateBytes {
    return new StateBytes(parts, partBytesMax);
  }

  /** Of all bytes, however they are cut: equal states have equal ones. Against mistakes, not against intent. */
  get checksum(): number {
    this.#checksum ??= checksumOf(this.parts);
    return this.#checksum;
  }

  /** The state after a change, of which the caller has made sure that it fits. */
  splice({ offset, removed, inserted }: StateChange): StateBytes {
    const end = offset + removed;
    const before: StatePart[] = [];
    const middle: Uint8Array[] = [];
    const after: StatePart[] = [];
    const tail: Uint8Array[] = [];
    let at = 0;
    for (const part of this.parts) {
      const { bytes } = part;
      const next = at + bytes.byteLength;
      if (next <= offset) before.push(part);
      else if (at >= end) after.push(part);
      else {
        if (at < offset) middle.push(bytes.subarray(0, offset - at));
        if (next > end) tail.push(bytes.subarray(end - at));
      }
      at = next;
    }
    const touched = joined([...middle, inserted, ...tail]);
    return new StateBytes(this.#knit(before, touched, after), this.#partBytesMax);
  }

  /** Takes neighbours in while they fit into one part with what stands between them. */
  #knit(before: StatePart[], touched: Uint8Array, after: StatePart[]): StatePart[] {
    const max = this.#partBytesMax;
    let between = touched;
    let left = before.pop();
    while (left !== undefined && left.bytes.byteLength + between.byteLength <= max) {
      between = joined([left.bytes, between]);
      left = before.pop();
    }
    if (left !== undefined) before.push(left);
    let skipped = 0;
    for (const { bytes } of after) {
      if (bytes.byteLength + between.byteLength > max) break;
      between = joined([between, bytes]);
      skipped += 1;
    }
    return [...before, ...cut(between, max), ...after.slice(skipped)];
  }

  /** The state with pieces put in at a place: they stay as they are, and only the part that they come into is cut. */
  insert(offset: number, pieces: readonly StatePart[]): StateBytes {
    const before: StatePart[] = [];
    const after: StatePart[] = [];
    let at = 0;
    for (const part of this.parts) {
      const { bytes } = part;
      const next = at + bytes.byteLength;
      if (next <= offset) before.push(part);
      else if (at >= offset) after.push(part);
      else {
        before.push(partOf(bytes.slice(0, offset - at)));
        after.push(partOf(bytes.slice(offset - at)));
      }
      at = next;
    }
    return new StateBytes([...before, ...pieces, ...after], this.#partBytesMax);
  }

  /** All of it, copied into one. */
  bytes(): Uint8Array {
    return joined(this.parts.map(({ bytes }) => bytes));
  }

  /** Some of it, as views of its parts. */
  *views(from: number, to: number): Generator<Uint8Array> {
    let at = 0;
    for (const { bytes } of this.parts) {
      const next = at + bytes.byteLength;
      if (at >= from && next <= to) yield bytes;
      else if (next > from && at < to) {
        yield bytes.subarray(Math.max(0, from - at), Math.min(bytes.byteLength, to - at));
      }
      if (next >= to) return;
      at = next;
    }
  }

  /** Some of it, copied into one. */
  slice(from: number, to: number): Uint8Array {
    return joined([...this.views(from, to)]);
  }
}

/** Of the whole that these make one after the other. */
export function checksumOf(parts: readonly Pick<StatePart, 'hash' | 'power'>[]): number {
  return parts.reduce((sum, { hash, power }) => (Math.imul(sum, power) + hash) >>> 0, 0);
}

/** Looks at all bytes of a piece; it is kept as it is. */
export function partOf(bytes: Uint8Array): StatePart {
  let hash = 0;
  let digest = 0x811c9dc5;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    hash = (Math.imul(hash, base) + byte + 1) | 0;
    // FNV-1a: Fowler, Noll, Vo.
    digest = Math.imul(digest ^ byte, 0x01000193);
  }
  return { bytes, hash: hash >>> 0, digest: digest >>> 0, power: powerOf(bytes.length) };
}

/** What a sum before so many bytes is multiplied by. */
export function powerOf(exponent: number): number {
  let power = 1;
  for (let square = base, rest = exponent; rest > 0; rest >>>= 1) {
    if (rest & 1) power = Math.imul(power, square);
    square = Math.imul(square, square);
  }
  return power;
}

/** Pieces of nearly the same size, each with bytes of its own. */
export function cut(bytes: Uint8Array, partBytesMax: number): StatePart[] {
  const count = Math.ceil(bytes.byteLength / partBytesMax);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((bytes.byteLength * i) / count);
    return partOf(bytes.slice(from, Math.floor((bytes.byteLength * (i + 1)) / count)));
  });
}
