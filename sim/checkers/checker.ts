import type { EffectOf, Write } from '../../node/core/effect.ts';
import type { Message, NodeId } from '../../node/core/message.ts';

/**
 * Judges a world from what the world itself saw: frames that left, batches that reached the disk, lines that were
 * reported. Each method throws a `Violation` when a promise is broken at that very step.
 */
export interface Checker {
  readonly name: string;
  /** A frame left a node, direct or by gossip. */
  sent?(node: NodeId, cluster: string, message: Message): void;
  /** A batch is durable. `read` gives what the disk holds after it. */
  durable?(node: NodeId, writes: readonly Write[], read: (key: string) => Uint8Array | undefined): void;
  reported?(node: NodeId, report: EffectOf<'report'>['report']): void;
  /** A process started on a node; its disk was wiped before, or not. */
  started?(node: NodeId, wiped: boolean): void;
}

/** Something that must always hold did not. */
export class Violation extends Error {
  constructor(checker: string, what: string) {
    super(`${checker}: ${what}`);
    this.name = 'Violation';
  }
}
