import { crc32 } from 'node:zlib';

/**
 * A record as stored: version (1 byte), CRC-32 (4), sequence (8), link (8), value. The checksum is over the key and all
 * that stands behind it, so a value under another key, or of another batch, does not pass.
 */
export const recordVersion = 2;
const headerBytes = 21;

/** 52 bits: sums of such numbers stay exact without big integers. */
const digestsEnd = 2 ** 52;

/** What a record stands for in sums and links: depends on every bit of its key, sequence, link and value. */
export type Digest = number;

/** Where a record was written. */
export interface Origin {
  /** Number of the batch that wrote it; the first is 1. */
  sequence: number;
  /** Digest of the head of the batch before that one; 0 for the first. */
  link: Digest;
}

export interface Sealed {
  record: Buffer;
  digest: Digest;
}

/** Makes the record that is stored for a value. */
export function seal(key: string, value: Uint8Array, { sequence, link }: Origin): Sealed {
  const record = Buffer.allocUnsafe(headerBytes + value.byteLength);
  record[0] = recordVersion;
  record.writeDoubleBE(sequence, 5);
  record.writeDoubleBE(link, 13);
  record.set(value, headerBytes);
  const keyCrc = crc32(key, recordVersion);
  const crc = crc32(record.subarray(5), keyCrc);
  record.writeUInt32BE(crc, 1);
  return { record, digest: digestOf(keyCrc, crc, sequence) };
}

export interface Unsealed extends Origin {
  value: Uint8Array;
  digest: Digest;
}

/** What a record holds; undefined when it is not what was written under this key. */
export function unseal(key: string, record: Buffer): Unsealed | undefined {
  if (record.byteLength < headerBytes || record[0] !== recordVersion) return undefined;
  const keyCrc = crc32(key, recordVersion);
  const crc = crc32(record.subarray(5), keyCrc);
  if (crc !== record.readUInt32BE(1)) return undefined;
  const sequence = record.readDoubleBE(5);
  const value = new Uint8Array(record.buffer, record.byteOffset + headerBytes, record.byteLength - headerBytes);
  return { sequence, link: record.readDoubleBE(13), value, digest: digestOf(keyCrc, crc, sequence) };
}

/** `a` and `b` together, in any order. */
export function plus(a: Digest, b: Digest): Digest {
  const sum = a + b;
  return sum < digestsEnd ? sum : sum - digestsEnd;
}

/** `a` without `b`. */
export function minus(a: Digest, b: Digest): Digest {
  return a < b ? a - b + digestsEnd : a - b;
}

/** Two halves of different origin, so that two batches of one key differ even where their checksums happen to agree. */
function digestOf(keyCrc: number, crc: number, sequence: number): Digest {
  const high = scatter(keyCrc ^ Math.imul(sequence, 0x9e3779b1)) >>> 12;
  return high * 2 ** 32 + scatter(crc);
}

/** The finalizer of MurmurHash3: checksums are linear, and their plain sums would let related errors cancel out. */
function scatter(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
