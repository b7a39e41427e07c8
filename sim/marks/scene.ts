import type { Entry } from '../../consensus/entry.ts';
import type { Write } from '../../node/core/effect.ts';
import { snapshotIndexIn } from '../../node/core/log-records.ts';
import type { MessageOf, NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { Entry as EntryCodec } from '../../node/core/wire/messages.ts';
import { Ledger } from '../ledger.ts';
import type { World } from '../world.ts';
import type { Hooks } from './hooks.ts';

/** What a node's append requests showed in the last term that it led. */
export interface Led {
  readonly node: NodeId;
  readonly term: number;
  /** When it last sent one, ms. */
  sentMs: number;
  /** The highest index that it called committed. */
  commitIndex: number;
  /** The highest index of an entry of this term that it sent; 0 for none. */
  ownIndex: number;
}

/** A leader that sent nothing for this long is none any more, whatever it believes: four heartbeats. */
const silentMs = 200;
export const entryPrefix = keys.entry(0).slice(0, -16);

/** What several detectors want to know: who leads, how long each log is, and what the log decided. */
export class Scene {
  readonly world: World;
  /** As of the decision before the one that a hook tells. */
  readonly ledger = new Ledger();
  readonly #led = new Map<NodeId, Led>();
  readonly #lastIndexes = new Map<NodeId, number>();
  readonly #covered = new Map<NodeId, number>();
  #leader: Led | undefined;

  constructor(world: World) {
    this.world = world;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  /** Of the highest term that anybody has led. */
  get leader(): Led | undefined {
    return this.#leader;
  }

  /** The highest term that anybody has led; 0 before the first. */
  get term(): number {
    return this.#leader?.term ?? 0;
  }

  /** The last term that a node led. */
  led(node: NodeId): Led | undefined {
    return this.#led.get(node);
  }

  /** Whether a node leads the highest term, and did so until just now. */
  isLeading(node: NodeId): boolean {
    return this.#leader?.node === node && this.nowMs - this.#leader.sentMs <= silentMs;
  }

  /** Last index of the log on a node's disk; 0 when it has none. */
  lastIndex(node: NodeId): number {
    return this.#lastIndexes.get(node) ?? 0;
  }

  /** An entry of the log on a node's disk. */
  entry(node: NodeId, index: number): Entry | undefined {
    const bytes = this.world.host(node).disk.read(keys.entry(index));
    return bytes && EntryCodec.decode(bytes);
  }

  /** Up to where a snapshot stands for the log on a node's disk; 0: there is none. */
  coveredIndex(node: NodeId): number {
    return this.#covered.get(node) ?? 0;
  }

  isUp(node: NodeId): boolean {
    return this.world.host(node).state !== 'off';
  }

  /** To be called after those of all detectors: see `Detector`. */
  readonly hooks: Hooks = {
    sent: { appendRequest: (node, body) => this.#onAppend(node, body) },
    durable: (node, writes) => this.#onDurable(node, writes),
  };

  #onAppend(node: NodeId, { term, commitIndex, entries }: MessageOf<'appendRequest'>): void {
    let led = this.#led.get(node);
    if (led === undefined || led.term !== term) {
      led = { node, term, sentMs: 0, commitIndex: 0, ownIndex: 0 };
      this.#led.set(node, led);
    }
    if (term > this.term) this.#leader = led;
    led.sentMs = this.nowMs;
    if (commitIndex > led.commitIndex) led.commitIndex = commitIndex;
    const last = entries.at(-1);
    if (last?.term === term && last.index > led.ownIndex) led.ownIndex = last.index;
  }

  #onDurable(node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (key === keys.snapshot && value !== undefined) {
        const covered = snapshotIndexIn(value);
        this.#covered.set(node, covered);
        this.#lastIndexes.set(node, Math.max(covered, this.lastIndex(node)));
      }
      if (!key.startsWith(entryPrefix)) continue;
      const index = indexOf(key);
      const last = this.lastIndex(node);
      // What a snapshot covers may go from the front; all else only from the end.
      if (value === undefined && index <= this.coveredIndex(node)) continue;
      this.#lastIndexes.set(node, value === undefined ? Math.min(last, index - 1) : Math.max(last, index));
    }
  }
}

/** Log index that the key of an entry names. */
export const indexOf = (key: string): number => Number(key.slice(entryPrefix.length));
