import type { Context } from './context.ts';
import type { LoadSample } from './event.ts';
import type { Load, NodeId } from './message.ts';

const cpuChange = 0.15;
const memoryChange = 0.2;
/** Whether an event loop is late, ms. */
const lateMs = 50;

/** What each node last said of its load. Changes that matter are gossiped at once, the rest at a slow floor rate. */
export class LoadBoard {
  readonly #context: Context;
  readonly #loads = new Map<NodeId, Load>();
  readonly #heardMs = new Map<NodeId, number>();
  #sequence = 0;
  #saidMs = Number.NEGATIVE_INFINITY;
  #tasks = 0;
  #tasksSinceMs: number;

  constructor(context: Context) {
    this.#context = context;
    this.#tasksSinceMs = context.nowMs;
  }

  of(node: NodeId): Load | undefined {
    return this.#loads.get(node);
  }

  /** How long ago it said so, ms; of a node that said nothing, for ever. */
  ageMs(node: NodeId): number {
    return this.#context.nowMs - (this.#heardMs.get(node) ?? Number.NEGATIVE_INFINITY);
  }

  countTask(): void {
    this.#tasks += 1;
  }

  /** Takes a fresh measurement of this node, and gossips it if it says something new. */
  sample(sample: LoadSample, agents: number, queueDepth: number): void {
    const { self, boot, nowMs, settings, out } = this.#context;
    const seconds = Math.max(0.001, (nowMs - this.#tasksSinceMs) / 1_000);
    const load: Load = {
      node: self,
      boot,
      sequence: this.#sequence + 1,
      cpu: sample.cpu,
      memoryBytes: sample.memoryBytes,
      loopDelayMs: sample.loopDelayMs,
      agents,
      tasksPerS: this.#tasks / seconds,
      queueDepth,
    };
    this.#tasks = 0;
    this.#tasksSinceMs = nowMs;
    const said = this.#loads.get(self);
    const matters = said === undefined || differs(said, load) || nowMs - this.#saidMs >= settings.loadFloorMs;
    if (!matters) return;
    this.#sequence += 1;
    this.#saidMs = nowMs;
    this.#loads.set(self, load);
    this.#heardMs.set(self, nowMs);
    out.publish('load', { type: 'load', body: load });
  }

  /** Keeps another node's word if it is newer than what is known; `isMember` bounds the board. */
  onLoad(from: NodeId, load: Load, isMember: boolean): void {
    if (load.node !== from || !isMember) return;
    const known = this.#loads.get(from);
    const newer =
      known === undefined || load.boot > known.boot || (load.boot === known.boot && load.sequence > known.sequence);
    if (!newer) return;
    this.#loads.set(from, load);
    this.#heardMs.set(from, this.#context.nowMs);
  }

  forget(node: NodeId): void {
    this.#loads.delete(node);
    this.#heardMs.delete(node);
  }
}

function differs(said: Load, now: Load): boolean {
  return (
    Math.abs(said.cpu - now.cpu) > cpuChange ||
    Math.abs(said.memoryBytes - now.memoryBytes) > memoryChange * said.memoryBytes ||
    said.agents !== now.agents ||
    said.loopDelayMs > lateMs !== now.loopDelayMs > lateMs ||
    (said.queueDepth === 0) !== (now.queueDepth === 0)
  );
}
