import { type Digest, minus, type Origin, plus, seal, unseal } from './store-record.ts';

/** Keys that begin so are the store's own. */
export const reservedPrefix = '!store/';
export const headKey = `${reservedPrefix}head`;

/**
 * A batch ends with this byte, and so does LevelDB's log: zeros at its end were never written. `level-log.ts` counts on
 * that.
 */
const headEnd = 0xff;
const headBytes = 17;

/** What the head says of all live records. */
interface Totals {
  /** Sum of the digests of all live records. */
  sum: Digest;
  /** Number of live records. */
  count: number;
}

/**
 * The account of all live records: what each counts for, their sum, and where the chain of batches stands.
 *
 * Every batch writes a head with the sum and the number of all live records, and its own sequence and link. A record that
 * is missing, has come back, is an older version of itself or belongs to another history changes the sum. The link of a
 * head is the digest of the head before it, which covers all that was stored then, so a chain of earlier heads kept
 * beside this one would find nothing more: what they vouched for has either been overwritten or is in the sum.
 */
export class Ledger {
  readonly #digests = new Map<string, Digest>();
  #sum: Digest = 0;
  /** Sequence and digest of the last head; the next batch links to it. */
  #sequence = 0;
  #link: Digest = 0;

  /** The last batch that is accounted for. */
  mark(): Origin {
    return { sequence: this.#sequence, link: this.#link };
  }

  /** What the next batch writes under its records. */
  next(): Origin {
    return { sequence: this.#sequence + 1, link: this.#link };
  }

  put(key: string, digest: Digest): void {
    this.#sum = minus(plus(this.#sum, digest), this.#digests.get(key) ?? 0);
    this.#digests.set(key, digest);
  }

  remove(key: string): void {
    this.#sum = minus(this.#sum, this.#digests.get(key) ?? 0);
    this.#digests.delete(key);
  }

  /** Closes the batch that `next` began: returns the head that is to be written as the last of its records. */
  close(): Buffer {
    const value = Buffer.alloc(headBytes, headEnd);
    value.writeDoubleBE(this.#sum, 0);
    value.writeDoubleBE(this.#digests.size, 8);
    const { record, digest } = seal(headKey, value, this.next());
    this.#sequence += 1;
    this.#link = digest;
    return record;
  }

  /**
   * Takes the records as they were found, the head among them, and returns their values without it. A string says what
   * is wrong with them; the ledger must not be used then.
   */
  restore(found: Iterable<[string, Buffer]>): Map<string, Uint8Array> | string {
    const records = new Map<string, Uint8Array>();
    let head: (Origin & Totals) | undefined;
    let last: Origin = { sequence: 0, link: 0 };
    for (const [key, record] of found) {
      const unsealed = unseal(key, record);
      if (unsealed === undefined) return `the record "${key}" is not what was written`;
      const { sequence, link, value, digest } = unsealed;
      if (key === headKey) {
        head = { sequence, link, ...readTotals(value) };
        this.#sequence = sequence;
        this.#link = digest;
        continue;
      }
      if (sequence > last.sequence) last = { sequence, link };
      records.set(key, value);
      this.put(key, digest);
    }
    return this.#whatIsWrong(head, last) ?? records;
  }

  #whatIsWrong(head: (Origin & Totals) | undefined, last: Origin): string | undefined {
    const count = this.#digests.size;
    if (head === undefined)
      return count === 0 ? undefined : `there are ${count} records but no head that vouches for them`;
    if (last.sequence > head.sequence) {
      return `a record is of batch ${last.sequence}, but the head ends with batch ${head.sequence}`;
    }
    if (last.sequence === head.sequence && last.link !== head.link) {
      return `the records of batch ${last.sequence} do not follow batch ${last.sequence - 1}`;
    }
    if (count !== head.count) return `there are ${count} records where batch ${head.sequence} left ${head.count}`;
    if (this.#sum !== head.sum) return `a record is not the one that was there after batch ${head.sequence}`;
    return undefined;
  }
}

function readTotals(value: Uint8Array): Totals {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  // Another length comes with a right checksum only from another program; no account is like this one.
  if (value.byteLength !== headBytes) return { sum: -1, count: -1 };
  return { sum: view.getFloat64(0), count: view.getFloat64(8) };
}
