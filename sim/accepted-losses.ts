import type { EffectOf, Write } from '../node/core/effect.ts';
import { decodeMailbox } from '../node/core/mailbox.ts';
import type { NodeId } from '../node/core/message.ts';
import { readHolders, stateOnDisk } from '../node/core/restored.ts';
import { defaultSettings } from '../node/core/settings.ts';
import type { TaskResult } from '../node/core/wire/messages.ts';
import type { Observer } from './checkers/checker.ts';
import { ResultsOnDisk } from './checkers/results-on-disk.ts';
import type { CounterState } from './counter.ts';
import type { World } from './world.ts';

type Report = EffectOf<'report'>['report'];

/** What an agent went back to: its state, and the total after each serial that is in it, as far as it is known. */
export interface WentBack {
  state: CounterState;
  counted: ReadonlyMap<number, number>;
}

/** Whoever has to know that promises of an agent are void from a moment on. */
export interface Promises {
  goBack(agent: string, to: WentBack | undefined): void;
}

interface Loss {
  index: number;
  /** Tasks with what they were answered that are in what it went on from. */
  kept: ReadonlySet<string>;
  /** When the log first called a later epoch active. */
  goesOnMs: number;
}

const decoder = new TextDecoder();
const nothing = new Uint8Array(0);

/**
 * What operators gave up, by the world's own knowledge: which state the checkpoint that they were shown is, by the disk
 * that has it, and of every answer whether it is from a history that goes on or from one that was given up.
 */
export class AcceptedLosses implements Observer {
  readonly #world: World;
  readonly #promises: Promises;
  readonly #losses = new Map<string, Loss>();
  readonly #disks = new ResultsOnDisk(saidBy);
  /** By agent and what it says of a task, the highest epoch in which any disk has it. */
  readonly #epochs = new Map<string, number>();
  #index = 0;

  constructor(world: World, promises: Promises) {
    this.#world = world;
    this.#promises = promises;
  }

  /** Whether that answer is from what an operator gave up. */
  isLost(agent: string, task: string, total: number): boolean {
    const loss = this.#losses.get(agent);
    const said = `${task} ${total}`;
    return loss !== undefined && !loss.kept.has(said) && (this.#epochs.get(`${agent} ${said}`) ?? 0) < loss.index;
  }

  /** Whether the agent is between the decision and the first epoch after it. */
  mayBeLost(agent: string): boolean {
    return this.#losses.get(agent)?.goesOnMs === Number.POSITIVE_INFINITY;
  }

  /** When an agent went on; -Infinity: nothing of it was given up. */
  goesOnMs(agent: string): number {
    return this.#losses.get(agent)?.goesOnMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Log index of the last decision about an agent. */
  indexOf(agent: string): number | undefined {
    return this.#losses.get(agent)?.index;
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    this.#disks.durable(node, writes, (agent, epoch, all) => {
      for (const said of all) {
        const name = `${agent} ${said}`;
        this.#epochs.set(name, Math.max(epoch, this.#epochs.get(name) ?? 0));
      }
    });
  }

  reported(_node: NodeId, { index, kind, details }: Report): void {
    if (index <= this.#index) return;
    this.#index = index;
    const { agent, epoch = 0, from, sequence } = details as unknown as Details;
    const loss = this.#losses.get(agent);
    if (kind === 'agentDeleted') this.#losses.delete(agent);
    if (kind === 'agentActive' && loss !== undefined && epoch > loss.index) {
      loss.goesOnMs = Math.min(loss.goesOnMs, this.#world.nowMs);
    }
    if (kind !== 'agentRecovered') return;
    const found = this.#read(agent, from, epoch, sequence);
    this.#losses.set(agent, { index, kept: found?.kept ?? new Set(), goesOnMs: Number.POSITIVE_INFINITY });
    this.#promises.goBack(agent, found?.to);
  }

  /** The checkpoint that an operator was shown; undefined where it is not there, or of no counter. */
  #read(agent: string, node: NodeId, epoch: number, sequence: number) {
    if (this.#world.gone.has(node)) return undefined;
    const { disk } = this.#world.host(node);
    const records = new Map(disk.keys('').flatMap((key) => [[key, disk.read(key) ?? nothing] as const]));
    const found = readHolders(records).get(agent);
    if (found === undefined || found.record.epoch !== epoch || found.record.sequence !== sequence) return undefined;
    const bytes = stateOnDisk(agent, defaultSettings, found).state.bytes();
    const state = JSON.parse(decoder.decode(bytes.subarray(0, decodeMailbox(bytes).length))) as CounterState;
    if (state.counts === undefined) return undefined;
    const kept = new Set(found.results.flatMap((result) => saidBy(result) ?? []));
    const counted = new Map(Object.keys(state.counts).map((serial) => [Number(serial), 0]));
    for (const said of kept) {
      const [, serial, total] = /^task-(\d+) (\d+)$/.exec(said) ?? [];
      if (serial !== undefined) counted.set(Number(serial), Number(total));
    }
    return { kept, to: { state, counted } };
  }
}

/** A task and the total that it was answered; undefined for what is no counter's answer. */
function saidBy({ task, ok, value }: Pick<TaskResult, 'task' | 'ok' | 'value'>): string | undefined {
  const total = ok ? totalIn(value) : undefined;
  return total === undefined ? undefined : `${task} ${total}`;
}

/** The total in the answer of a counter. */
export function totalIn(value: Uint8Array): number | undefined {
  if (value.byteLength === 0 || value[0] !== '{'.charCodeAt(0)) return undefined;
  const { total } = JSON.parse(decoder.decode(value)) as { total?: unknown };
  return typeof total === 'number' ? total : undefined;
}

interface Details {
  agent: string;
  epoch?: number;
  from: NodeId;
  sequence: number;
}
