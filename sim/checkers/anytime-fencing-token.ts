import { isBranchKey } from '../../node/core/branch.ts';
import type { Effect, EffectOf } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import { type Checker, Violation } from './checker.ts';

/** What the code of an instance passes on now; undefined where there is none, or it does not say. */
type TokenOf = (node: NodeId, agent: string, epoch: number) => number | undefined;

/**
 * What an agent's code passes on to the outside is the epoch in which its task was begun, and a node that knows an epoch
 * of its agent as active begins no task of it in an older one: so the token of an agent on its host never goes back, and
 * is never that of an epoch which is over there.
 */
export class FencingToken implements Checker {
  readonly name = 'anytime-fencing-token';
  readonly #tokenOf: TokenOf;
  /** By node and agent, in the node's present life: the newest epoch that it said is active with it as the host. */
  readonly #active = new Map<string, number>();

  constructor(tokenOf: TokenOf) {
    this.#tokenOf = tokenOf;
  }

  started(node: NodeId): void {
    for (const key of this.#active.keys()) if (key.startsWith(`${node} `)) this.#active.delete(key);
  }

  reported(node: NodeId, { kind, details }: EffectOf<'report'>['report']): void {
    if (kind !== 'agentActive' || details['host'] !== node) return;
    const key = `${node} ${details['agent']}`;
    this.#active.set(key, Math.max(this.#active.get(key) ?? 0, Number(details['epoch'])));
  }

  decided(node: NodeId, { agent, epoch, task }: EffectOf<'runTask'>): void {
    // A branch has the token of the state that it began from.
    if (isBranchKey(agent)) return;
    const active = this.#active.get(`${node} ${agent}`) ?? 0;
    if (epoch >= active) return;
    throw new Violation(this.name, `${node} begins ${task} of ${agent} in epoch ${epoch}, after ${active} was active`);
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type !== 'runTask' || isBranchKey(effect.agent)) return;
    const { agent, epoch, task } = effect;
    const token = this.#tokenOf(node, agent, epoch);
    if (token === undefined || token === epoch) return;
    throw new Violation(this.name, `the code of ${agent} on ${node} passes on ${token} in ${task} of epoch ${epoch}`);
  }
}
