import type { Configuration } from '../../consensus/configuration.ts';
import type { EffectOf } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Outcome } from '../../node/core/operation.ts';
import { toBytes, toJson } from '../../node/core/text.ts';
import type { Observer } from '../checkers/checker.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { doors } from './node.ts';

const askEveryMsMin = 300;
const askEveryMsMax = 4_000;
/** What was asked for is on a disk within this, or never will be. */
const askedForMs = 10_000;
const votersMin = 2;
const nodesMax = 12;

/**
 * The operator of consensus alone: brings in newcomers in the place of machines that are lost, makes voters and lets them
 * go, and hands leadership around, at any moment and whatever else is going on. It asks whom it takes for the leader;
 * what is refused was no good idea at that moment.
 */
export class Members implements Observer {
  readonly #world: World;
  readonly #random: Random;
  readonly #isLost: (node: NodeId) => boolean;
  #asked: { voters: readonly NodeId[]; untilMs: number }[] = [];
  #index = 0;
  #configuration: Configuration = { voters: [], learners: [] };
  #leader: NodeId | undefined;
  #calm = false;

  /** `isLost`: its disk is, also when nobody has taken its place yet. */
  constructor(world: World, isLost: (node: NodeId) => boolean) {
    this.#world = world;
    this.#isLost = isLost;
    this.#random = world.random.fork('members');
  }

  /** Sets of voters that were asked for a moment ago. */
  get inQuestion(): (readonly NodeId[])[] {
    this.#asked = this.#asked.filter(({ untilMs }) => untilMs > this.#world.nowMs);
    return this.#asked.map(({ voters }) => voters);
  }

  /** By the last configuration that anybody has applied. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** Everybody in it that is not lost, and all that there are before there is one. */
  get nodes(): NodeId[] {
    const { voters, learners } = this.#configuration;
    const members = [...voters, ...learners].filter((node) => !this.#world.gone.has(node));
    return members.length === 0 ? this.#world.nodes : members;
  }

  reported(_node: NodeId, { index, kind, details }: EffectOf<'report'>['report']): void {
    if (kind !== 'votersChanged' || index <= this.#index) return;
    this.#index = index;
    this.#configuration = details as unknown as Configuration;
  }

  begin(): void {
    this.#world.timeline.after(this.#random.between(askEveryMsMin, askEveryMsMax), () => this.#act());
  }

  /** From now on only what brings the cluster back to its full number. */
  calm(): void {
    this.#calm = true;
  }

  /** Nobody that is lost is a member any more, and everybody that is there is. */
  get isWhole(): boolean {
    const { voters, learners } = this.#configuration;
    return ![...voters, ...learners].some((node) => this.#world.gone.has(node)) && this.#strangers().length === 0;
  }

  #act(): void {
    const next = this.#repair() ?? (this.#calm ? undefined : this.#change());
    if (next !== undefined) {
      this.#asked.push({ voters: next.voters, untilMs: this.#world.nowMs + askedForMs });
      this.#ask(doors.members, toJson(next));
    } else if (!this.#calm && this.#configuration.voters.length > 0) {
      this.#ask(doors.leader, this.#random.pick(this.#configuration.voters));
    }
    const waitMs = this.#calm ? askEveryMsMin : this.#random.between(askEveryMsMin, askEveryMsMax);
    this.#world.timeline.after(waitMs, () => this.#act());
  }

  #strangers(): NodeId[] {
    const { voters, learners } = this.#configuration;
    return this.#world.nodes.filter((node) => !voters.includes(node) && !learners.includes(node));
  }

  /** The lost go, newcomers come as learners, and a learner takes the place of a lost voter: one voter at a time. */
  #repair(): Configuration | undefined {
    const { voters, learners } = this.#configuration;
    const { gone } = this.#world;
    if (voters.length === 0) return undefined;
    const lost = voters.find((node) => gone.has(node));
    const strangers = this.#strangers();
    const kept = learners.filter((node) => !gone.has(node));
    if (strangers.length > 0 || kept.length < learners.length) return { voters, learners: [...kept, ...strangers] };
    if (lost === undefined) return undefined;
    return { voters: voters.filter((node) => node !== lost), learners };
  }

  #change(): Configuration | undefined {
    const { voters, learners } = this.#configuration;
    const draw = this.#random.next();
    if (draw < 0.35 && learners.length > 0) {
      const node = this.#random.pick(learners);
      return { voters: [...voters, node], learners: learners.filter((other) => other !== node) };
    }
    // Who loses a voter and lets another go at the same time may have no majority left: no protocol can help that.
    if (draw < 0.6 && voters.length > votersMin && !voters.some(this.#isLost)) {
      const node = this.#random.pick(voters);
      return { voters: voters.filter((other) => other !== node), learners: [...learners, node] };
    }
    if (draw < 0.7 && this.#world.nodes.length < nodesMax) this.#world.addNode();
    return undefined;
  }

  #ask(door: string, text: string): void {
    const node = this.#leader ?? this.#random.pick(this.#world.nodes);
    const operation = { type: 'task', agent: door, task: 'members', payload: toBytes(text), ttlMs: 2_000 } as const;
    this.#world.request(node, operation, ({ outcome }) => this.#learn(node, outcome));
  }

  #learn(node: NodeId, outcome: Outcome | undefined): void {
    if (outcome?.ok === true) this.#leader = node;
    else {
      const hint = outcome?.error.details['leader'];
      this.#leader = typeof hint === 'string' && hint !== '' ? hint : undefined;
    }
  }
}
