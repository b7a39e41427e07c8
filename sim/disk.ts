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

/**
 * A node's disk: what is durable, and apart from it the one batch that is on its way there. It outlives the node's
 * process; a crash leaves a batch on its way either whole or not at all.
 */
export class Disk {
  readonly #random: Random;
  readonly #settings: DiskSettings;
  readonly #durable = new Map<string, Uint8Array>();
  #pageCache: Write[] | undefined;

  constructor(random: Random, settings: DiskSettings) {
    this.#random = random;
    this.#settings = settings;
  }

  /** What a program that starts now would read: copies, nothing shared with whoever wrote it. */
  load(): Map<string, Uint8Array> {
    return new Map([...this.#durable].map(([key, value]) => [key, value.slice()]));
  }

  /** The durable value of a key. */
  read(key: string): Uint8Array | undefined {
    return this.#durable.get(key);
  }

  keys(): Iterable<string> {
    return this.#durable.keys();
  }

  /** Takes a batch into the page cache; returns how long its sync takes, ms. One batch at a time. */
  begin(writes: readonly Write[]): number {
    if (this.#pageCache !== undefined) throw new Error('a batch is on its way already: effects ran out of order');
    this.#pageCache = writes.map(({ key, value }) => ({ key, value: value?.slice() }));
    const { syncMsMin, syncMsMax, stallChance, stallMsMax } = this.#settings;
    if (this.#random.chance(stallChance)) return this.#random.between(syncMsMax, stallMsMax);
    return this.#random.between(syncMsMin, syncMsMax);
  }

  /** The sync is done; returns the batch that is durable now. */
  sync(): Write[] {
    const batch = this.#pageCache ?? [];
    this.#pageCache = undefined;
    for (const { key, value } of batch) {
      if (value === undefined) this.#durable.delete(key);
      else this.#durable.set(key, value);
    }
    return batch;
  }

  /** Power is gone: the batch on its way is drawn to be durable or lost. Returns what became durable. */
  crash(): Write[] {
    if (this.#pageCache !== undefined && this.#random.chance(0.5)) return this.sync();
    this.#pageCache = undefined;
    return [];
  }

  /** Everything is lost. */
  wipe(): void {
    this.#pageCache = undefined;
    this.#durable.clear();
  }
}
