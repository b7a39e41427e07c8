import type { Effect } from '../../node/core/effect.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import { defaultSettings, limits, type Settings } from '../../node/core/settings.ts';
import type { World } from '../world.ts';
import { type Checker, Violation } from './checker.ts';

/** Effects that may wait for one disk. */
const effectsMax = 20_000;
/** Frames that a node sends within a second, and more for each node: several times what the busiest leader needs. */
const framesPerSMin = 20_000;
const framesPerNodeAndS = 2_000;
/** A disk is counted now and then. */
const everyFrames = 256;
const entriesMax = 100_000;

/** Queues, logs and traffic stay within their bounds. */
export class Bounded implements Checker {
  readonly name = 'anytime-bounded';
  readonly #world: World;
  readonly #frames = new Map<NodeId, { sinceMs: number; count: number }>();
  readonly #stateBytesMax: number;
  #count = 0;

  constructor(world: World, settings: Pick<Settings, 'stateChunkBytes' | 'statePartBytes'> = defaultSettings) {
    this.#world = world;
    // What makes a message full may be one part more.
    this.#stateBytesMax = settings.stateChunkBytes + Math.max(settings.statePartBytes, settings.stateChunkBytes);
  }

  did(node: NodeId, _effect: Effect): void {
    const { effectsWaiting } = this.#world.host(node);
    if (effectsWaiting > effectsMax) {
      throw new Violation(this.name, `${effectsWaiting} effects wait for the disk of ${node}, at most ${effectsMax}`);
    }
  }

  sent(node: NodeId, _cluster: string, message: Message): void {
    const bytes = stateBytesIn(message);
    if (bytes > this.#stateBytesMax) {
      const what = `${bytes} bytes of a state in one ${message.type}, at most ${this.#stateBytesMax}`;
      throw new Violation(this.name, `${node} sent ${what}`);
    }
    const { nowMs } = this.#world;
    let frames = this.#frames.get(node);
    if (frames === undefined || nowMs - frames.sinceMs >= 1_000) {
      this.#frames.set(node, (frames = { sinceMs: nowMs, count: 0 }));
    }
    frames.count += 1;
    const max = Math.max(framesPerSMin, framesPerNodeAndS * this.#world.nodes.length);
    if (frames.count > max) {
      const what = `more than ${max} frames within a second, ${message.type} the last`;
      throw new Violation(this.name, `${node} sent ${what}`);
    }
    this.#count += 1;
    if (this.#count % everyFrames === 0) this.#measure(node);
  }

  #measure(node: NodeId): void {
    const { size } = this.#world.host(node).disk;
    const agents = new Set(this.#world.instances().map(({ agent }) => agent)).size + 8;
    const max = entriesMax + agents * (limits.resultsMax + limits.letterResultsMax + 1);
    if (size > max) throw new Violation(this.name, `the disk of ${node} has ${size} records, at most ${max}`);
  }
}

/** Bytes of a state that a message has, as a whole or in parts: what the node at the other end looks at in one turn. */
function stateBytesIn({ type, body }: Message): number {
  if (type === 'replicate') return body.state.byteLength;
  if (type === 'sealed') return body.checkpoint?.state.byteLength ?? 0;
  if (type !== 'statePieces') return 0;
  return body.pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}
