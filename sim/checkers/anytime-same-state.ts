import type { Write } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { type Checker, Violation } from './checker.ts';
import { holderOf } from './written.ts';

const holderPrefix = keys.holder('');

/** Holders that keep the same step of the same epoch keep the same state, whichever changes brought them there. */
export class SameState implements Checker {
  readonly name = 'anytime-same-state';
  /** By agent: the checksum of each step of its latest epoch that is on a disk, and who wrote it first. */
  readonly #steps = new Map<string, { epoch: number; sums: Map<number, { checksum: number; node: NodeId }> }>();

  durable(node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (value === undefined || !key.startsWith(holderPrefix)) continue;
      const { epoch, sequence, checksum } = holderOf(value);
      // Of an older epoch others may have other steps by now; nothing follows from them.
      if (epoch > 0) this.#compare(node, key.slice(holderPrefix.length), epoch, sequence, checksum);
    }
  }

  #compare(node: NodeId, agent: string, epoch: number, sequence: number, checksum: number): void {
    let steps = this.#steps.get(agent);
    if (steps === undefined || steps.epoch < epoch) this.#steps.set(agent, (steps = { epoch, sums: new Map() }));
    if (steps.epoch > epoch) return;
    const first = steps.sums.get(sequence);
    if (first === undefined) steps.sums.set(sequence, { checksum, node });
    else if (first.checksum !== checksum) {
      const what = `${node} and ${first.node} keep different states as step ${sequence} of epoch ${epoch} of ${agent}`;
      throw new Violation(this.name, what);
    }
  }
}
