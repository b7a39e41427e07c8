import type { EffectOf, Write } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import type { HolderRecord } from '../../node/core/wire/messages.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';
import { holderOf } from './written.ts';

type Held = Pick<HolderRecord, 'sealedEpoch' | 'epoch' | 'sequence'>;

type Report = EffectOf<'report'>['report'];

const activeMax = 256;
const holderPrefix = keys.holder('');

/**
 * A holder's promises only grow: no epoch below its seal is taken, and what it keeps never goes back. It lets go of that only
 * when the log calls an epoch active that took all of it over and of which it is no holder, and is sealed at that.
 */
export class SealedHolder implements Checker {
  readonly name = 'anytime-sealed-holder';
  readonly #held = new Map<string, Held>();
  readonly #ledger: Pick<Ledger, 'placement'>;
  /** By agent: epochs that the log called active, the latest. */
  readonly #active = new Map<string, number[]>();

  constructor(ledger: Pick<Ledger, 'placement'>) {
    this.#ledger = ledger;
  }

  reported(_node: NodeId, { kind, details }: Report): void {
    if (kind !== 'agentActive') return;
    const { agent, epoch } = details as unknown as { agent: string; epoch: number };
    const epochs = this.#active.get(agent) ?? [];
    if (!epochs.includes(epoch)) this.#active.set(agent, [...epochs, epoch].slice(-activeMax));
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (!key.startsWith(holderPrefix)) continue;
      const place = `${node} ${key}`;
      const before = this.#held.get(place);
      if (value === undefined) {
        this.#held.delete(place);
        continue;
      }
      const { sealedEpoch, epoch, sequence } = holderOf(value);
      const now = { sealedEpoch, epoch, sequence };
      if (before !== undefined) this.#compare(node, key.slice(holderPrefix.length), before, now);
      this.#held.set(place, now);
    }
  }

  #compare(node: NodeId, agent: string, before: Held, now: Held): void {
    const what = `${node} keeps ${agent} at ${show(now)} after ${show(before)}`;
    if (now.sealedEpoch < before.sealedEpoch) throw new Violation(this.name, `${what}: its seal was taken back`);
    if (now.epoch === before.epoch && now.sequence === before.sequence) return;
    if (now.epoch === 0) {
      const isTakenOver = (epoch: number): boolean =>
        epoch >= before.epoch &&
        epoch <= now.sealedEpoch &&
        this.#ledger.placement(agent, epoch)?.holders.includes(node) === false;
      if (this.#active.get(agent)?.some(isTakenOver)) return;
      throw new Violation(this.name, `${what}: it let go of what no active epoch without it has taken over`);
    }
    if (now.epoch < before.sealedEpoch) throw new Violation(this.name, `${what}: it took an epoch below its seal`);
    const isBack = now.epoch < before.epoch || (now.epoch === before.epoch && now.sequence < before.sequence);
    if (isBack) throw new Violation(this.name, `${what}: it went back`);
  }
}

const show = ({ sealedEpoch, epoch, sequence }: Held): string =>
  `step ${sequence} of epoch ${epoch}, sealed at ${sealedEpoch}`;
