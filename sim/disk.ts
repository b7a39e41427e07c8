import { crc32 } from 'node:zlib';
import type { Write } from '../node/core/effect.ts';
import type { Random } from './random.ts';

export interface DiskSettings {
  /** How long a sync takes, ms. */
  syncMsMin: number;
  syncMsMax: number;
  /** How often a sync takes up to `stallMsMax` instead. */
  stallChance: number;
  stallMsMax: number;
}

export const defaultDisk: DiskSettings = { syncMsMin: 0.2, syncMsMax: 1.5, stallChance: 0.005, stallMsMax: 80 };

/** How a disk misbehaves at present: it fails every write, or has no room for one. */
export type DiskTrouble = 'error' | 'full';

/** What became of the batch on its way when the power went. */
export type Unsynced = 'none' | 'kept' | 'lost' | 'torn';

interface Record {
  value: Uint8Array;
  /** Of key and value, as the store of production keeps it with each record. */
  checksum: number;
}

/** Records of the disk that are not what was written: a program must not start from them. */
export class DiskDamaged extends Error {
  override readonly name = 'DiskDamaged';
}

/**
 * A machine's disk: what is durable, and apart from it the one batch in the page cache that is on its way there. It
 * outlives the process. It keeps a checksum with each record, and a batch that was torn in two is dropped as a whole.
 */
export class Disk {
  readonly #random: Random;
  readonly #settings: DiskSettings;
  readonly #durable = new Map<string, Record>();
  #pageCache: Write[] | undefined;
  trouble: DiskTrouble | undefined;
  /** Syncs take this many times as long. */
  slowness = 1;

  constructor(random: Random, settings: DiskSettings) {
    this.#random = random;
    this.#settings = settings;
  }

  /** What a program that starts now reads: copies, nothing shared with whoever wrote it. Throws `DiskDamaged`. */
  load(): Map<string, Uint8Array> {
    const records = new Map<string, Uint8Array>();
    const { damaged } = this;
    if (damaged !== undefined) throw new DiskDamaged(`the record "${damaged}" is not what was written`);
    for (const [key, { value }] of this.#durable) records.set(key, value.slice());
    return records;
  }

  /** The key of a record that is not what was written: no program starts from this disk. */
  get damaged(): string | undefined {
    for (const [key, { value, checksum }] of this.#durable) if (crc32(value, crc32(key)) !== checksum) return key;
    return undefined;
  }

  /** An operator puts a copy of all records in the place of those that are there. Between two lives only. */
  putBack(copy: ReadonlyMap<string, Uint8Array>): void {
    this.#durable.clear();
    for (const [key, value] of copy)
      this.#durable.set(key, { value: value.slice(), checksum: crc32(value, crc32(key)) });
  }

  /** The durable value of a key. */
  read(key: string): Uint8Array | undefined {
    return this.#durable.get(key)?.value;
  }

  /** The keys of durable records that begin with `prefix`. */
  keys(prefix: string): string[] {
    return [...this.#durable.keys()].filter((key) => key.startsWith(prefix));
  }

  get size(): number {
    return this.#durable.size;
  }

  /** Takes a batch into the page cache; returns how long its sync takes, ms. One batch at a time. */
  begin(writes: readonly Write[]): number {
    if (this.#pageCache !== undefined) throw new Error('a batch is on its way already: effects ran out of order');
    this.#pageCache = writes.map(({ key, value }) => ({ key, value: value?.slice() }));
    const { syncMsMin, syncMsMax, stallChance, stallMsMax } = this.#settings;
    const stalls = this.#random.chance(stallChance);
    const tookMs = stalls ? this.#random.between(syncMsMax, stallMsMax) : this.#random.between(syncMsMin, syncMsMax);
    return tookMs * this.slowness;
  }

  /** The sync ends; returns the batch that is durable now, or nothing when the disk is in trouble and the sync failed. */
  sync(): Write[] | undefined {
    if (this.trouble !== undefined) return undefined;
    return this.#keep();
  }

  #keep(): Write[] {
    const batch = this.#pageCache ?? [];
    this.#pageCache = undefined;
    for (const { key, value } of batch) {
      if (value === undefined) this.#durable.delete(key);
      else this.#durable.set(key, { value, checksum: crc32(value, crc32(key)) });
    }
    return batch;
  }

  /** The process or the power is gone. A batch on its way is drawn to be whole, lost, or torn, and then dropped. */
  crash(): { written: Write[]; unsynced: Unsynced } {
    if (this.#pageCache === undefined) return { written: [], unsynced: 'none' };
    const draw = this.#random.next();
    if (draw < 0.5) return { written: this.#keep(), unsynced: 'kept' };
    this.#pageCache = undefined;
    return { written: [], unsynced: draw < 0.75 ? 'lost' : 'torn' };
  }

  /** A bit of a stored record turns. Returns the record's key; undefined when there is none. */
  rot(random: Random): string | undefined {
    const filled = [...this.#durable].filter(([, { value }]) => value.byteLength > 0);
    if (filled.length === 0) return undefined;
    const [key, record] = random.pick(filled);
    const value = record.value.slice();
    const at = random.below(value.byteLength);
    value[at] = (value[at] as number) ^ (1 << random.below(8));
    this.#durable.set(key, { value, checksum: record.checksum });
    return key;
  }
}
