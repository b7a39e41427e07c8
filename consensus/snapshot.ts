import { type Configuration, encodeConfiguration } from './configuration.ts';
import { crc32 } from './crc32.ts';
import type { SnapshotChunk } from './message.ts';

/** What the log up to an index came to, in place of its entries. */
export interface Snapshot {
  /** The last entry that it covers, and that entry's term. */
  readonly index: number;
  readonly term: number;
  /** As committed at that index: never one that is only proposed. */
  readonly configuration: Configuration;
  /** The state machine's own bytes, at least one. */
  readonly data: Uint8Array;
}

/** The place behind which a log's entries begin. */
export interface LogBase {
  readonly index: number;
  readonly term: number;
}

export const noBase: LogBase = { index: 0, term: 0 };

/** A leader brings one and the same snapshot to many: its sum is made once. */
const sums = new WeakMap<Snapshot, number>();

/** CRC-32 of everything that a snapshot says: what a receiver compares before it believes any of it. */
export function checksumOf(snapshot: Snapshot): number {
  const known = sums.get(snapshot);
  if (known !== undefined) return known;
  const { index, term, configuration, data } = snapshot;
  const place = new TextEncoder().encode(`${index}.${term}`);
  const sum = crc32(data, crc32(encodeConfiguration(configuration), crc32(place)));
  sums.set(snapshot, sum);
  return sum;
}

/** One snapshot on its way to one follower: a few chunks at a time, each answered with where the next one begins. */
export class SnapshotTransfer {
  readonly snapshot: Snapshot;
  readonly checksum: number;
  readonly configuration: Uint8Array;
  readonly #chunkBytes: number;
  readonly #chunksInFlightMax: number;
  #ackedOffset = 0;
  #nextOffset = 0;
  #flights: { round: number; sentMs: number }[] = [];

  constructor(snapshot: Snapshot, chunkBytes: number, chunksInFlightMax: number) {
    this.snapshot = snapshot;
    this.checksum = checksumOf(snapshot);
    this.configuration = encodeConfiguration(snapshot.configuration);
    this.#chunkBytes = chunkBytes;
    this.#chunksInFlightMax = chunksInFlightMax;
  }

  /** The next chunk to send; undefined while enough are on their way, or all are. */
  next(): Pick<SnapshotChunk, 'offset' | 'data'> | undefined {
    const { data } = this.snapshot;
    const offset = this.#nextOffset;
    if (offset >= data.byteLength || this.#flights.length >= this.#chunksInFlightMax) return undefined;
    return { offset, data: data.subarray(offset, offset + this.#chunkBytes) };
  }

  sent(round: number, sentMs: number, bytes: number): void {
    this.#flights.push({ round, sentMs });
    this.#nextOffset += bytes;
  }

  /**
   * The follower has it up to `offset`. Returns when the chunk that it answers was sent; undefined for an answer to none
   * that is on its way.
   */
  answered(round: number, offset: number): number | undefined {
    const place = this.#flights.findIndex((flight) => flight.round === round);
    if (place < 0) return undefined;
    const { sentMs } = this.#flights[place] as { sentMs: number };
    // Answers come in order: those before it will not be answered any more.
    this.#flights.splice(0, place + 1);
    const isInOrder = offset > this.#ackedOffset && offset <= this.#nextOffset;
    this.#ackedOffset = Math.min(offset, this.snapshot.data.byteLength);
    if (!isInOrder) this.rewind();
    return sentMs;
  }

  /** What is on its way is taken for lost. */
  rewind(): void {
    this.#nextOffset = this.#ackedOffset;
    this.#flights = [];
  }

  /** Whether nothing has been answered since that moment, though something was sent before it. */
  isStuckSince(beforeMs: number): boolean {
    const oldest = this.#flights[0];
    return oldest === undefined ? this.next() === undefined : oldest.sentMs < beforeMs;
  }
}

/** A snapshot as it comes in, chunk by chunk. */
export class SnapshotAssembly {
  readonly #first: SnapshotChunk;
  readonly #data: Uint8Array;
  #offset = 0;

  constructor(chunk: SnapshotChunk) {
    this.#first = chunk;
    this.#data = new Uint8Array(chunk.length);
  }

  get index(): number {
    return this.#first.index;
  }

  /** How much of it is here, without a gap, bytes. */
  get offset(): number {
    return this.#offset;
  }

  isOf({ index, snapshotTerm, checksum, length }: SnapshotChunk): boolean {
    const first = this.#first;
    const isSamePlace = first.index === index && first.snapshotTerm === snapshotTerm;
    return isSamePlace && first.checksum === checksum && first.length === length;
  }

  /** Takes a chunk that begins where the last one ended; any other changes nothing. */
  take({ offset, data }: SnapshotChunk): void {
    if (offset !== this.#offset || offset + data.byteLength > this.#data.byteLength) return;
    this.#data.set(data, offset);
    this.#offset += data.byteLength;
  }

  get isWhole(): boolean {
    return this.#offset === this.#data.byteLength;
  }

  /** The snapshot; undefined when its bytes are not those that were sent. */
  finish(configuration: Configuration): Snapshot | undefined {
    const { index, snapshotTerm, checksum } = this.#first;
    const snapshot = { index, term: snapshotTerm, configuration, data: this.#data };
    return checksumOf(snapshot) === checksum ? snapshot : undefined;
  }
}
