import type { Write } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { partOf, StateBytes } from '../../node/core/state-bytes.ts';
import { StateParts, StateStep } from '../../node/core/wire/messages.ts';
import { type Checker, Violation } from './checker.ts';
import { holderOf } from './written.ts';

const listPrefix = keys.state('');
const stepPrefix = keys.stateStep('', 0).slice(0, 'state-step/'.length);
const anySize = 1024;

/** When a holder's disk says of which parts a state is, they are there, and come to the checksum of the step. */
export class WholeState implements Checker {
  readonly name = 'anytime-whole-state';

  durable(node: NodeId, writes: readonly Write[], read: (key: string) => Uint8Array | undefined): void {
    const lists = new Map<string, number>();
    for (const [at, { key, value }] of writes.entries()) {
      if (!key.startsWith(listPrefix)) continue;
      const agent = key.slice(listPrefix.length);
      if (value === undefined) lists.delete(agent);
      else lists.set(agent, at);
    }
    for (const [agent, at] of lists) this.#compare(node, agent, writes.slice(at), read);
  }

  /** `since`: what the batch wrote from the list of parts on. All changes before went with it. */
  #compare(node: NodeId, agent: string, since: readonly Write[], read: (key: string) => Uint8Array | undefined): void {
    const holder = read(keys.holder(agent));
    const list = read(keys.state(agent));
    if (holder === undefined || list === undefined) return;
    const parts = StateParts.decode(list).parts.map((part) => read(keys.statePart(agent, part)));
    const what = `${node} keeps step ${holderOf(holder).sequence} of epoch ${holderOf(holder).epoch} of ${agent}`;
    if (parts.some((part) => part === undefined)) throw new Violation(this.name, `${what} without all of its parts`);
    let state = StateBytes.ofParts((parts as Uint8Array[]).map(partOf), anySize);
    for (const { key, value } of since) {
      if (!key.startsWith(`${stepPrefix}${agent}/`) || value === undefined) continue;
      for (const change of StateStep.decode(value).changes) state = state.splice(change);
    }
    if (state.checksum !== holderOf(holder).checksum)
      throw new Violation(this.name, `${what}, and its parts are others`);
  }
}
