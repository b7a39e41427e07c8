import type { NodeId } from '../node/core/message.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export interface FaultSettings {
  intervalMsMin: number;
  intervalMsMax: number;
  /** How long one fault lasts. */
  lastsMsMin: number;
  lastsMsMax: number;
  kinds: readonly FaultKind[];
}

export type FaultKind =
  | 'crash'
  | 'powerLoss'
  | 'blackout'
  | 'partition'
  | 'oneWayCut'
  | 'pause'
  | 'reset'
  | 'agentCrash'
  | 'crashLoop'
  | 'migrate';

const crashLoopMax = 12;
const crashEveryMs = 10;

export const defaultFaults: FaultSettings = {
  intervalMsMin: 1_000,
  intervalMsMax: 6_000,
  lastsMsMin: 200,
  lastsMsMax: 8_000,
  kinds: [
    'crash',
    'crash',
    'powerLoss',
    'blackout',
    'partition',
    'partition',
    'oneWayCut',
    'pause',
    'reset',
    'agentCrash',
    'crashLoop',
    'migrate',
    'migrate',
  ],
};

/** Breaks things at moments drawn from the world's seed, and mends each again, until told to stop. */
export class Faults {
  readonly #world: World;
  readonly #random: Random;
  readonly #settings: FaultSettings;
  #stopped = false;
  /** Faults so far, by kind. */
  readonly counts = new Map<FaultKind, number>();

  constructor(world: World, settings: Partial<FaultSettings> = {}) {
    this.#world = world;
    this.#random = world.random.fork('faults');
    this.#settings = { ...defaultFaults, ...settings };
  }

  start(): void {
    const { intervalMsMin, intervalMsMax } = this.#settings;
    this.#world.timeline.after(this.#random.between(intervalMsMin, intervalMsMax), () => {
      if (this.#stopped) return;
      this.#strike(this.#random.pick(this.#settings.kinds));
      this.start();
    });
  }

  /** No more faults, and everything is mended: cuts heal, paused processes go on, machines that are off start. */
  stop(): void {
    this.#stopped = true;
    this.#world.heal();
    for (const node of this.#world.nodes) {
      this.#world.resume(node);
      if (this.#world.host(node).state === 'off') this.#world.restart(node);
    }
  }

  #strike(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const world = this.#world;
    const random = this.#random;
    const { running } = world;
    const victim = random.pick(world.nodes);
    const lastsMs = random.between(this.#settings.lastsMsMin, this.#settings.lastsMsMax);
    const strikes: { [K in FaultKind]: () => void } = {
      crash: () => this.#crash([victim], 'noticed', lastsMs),
      powerLoss: () => this.#crash([victim], 'silent', lastsMs),
      blackout: () =>
        this.#crash(random.shuffle(world.nodes).slice(0, random.below(world.nodes.length) + 1), 'noticed', lastsMs),
      partition: () => {
        const shuffled = random.shuffle(world.nodes);
        const away = shuffled.slice(0, 1 + random.below(shuffled.length - 1));
        world.partition([away], random.chance(0.5) ? 'held' : 'lost');
        this.#mend(lastsMs, () => world.heal());
      },
      oneWayCut: () => {
        const other = random.pick(world.nodes);
        world.cut(victim, other);
        this.#mend(lastsMs, () => world.heal());
      },
      pause: () => {
        world.pause(victim);
        this.#mend(lastsMs, () => world.resume(victim));
      },
      reset: () => world.disconnectNotice(victim, random.pick(world.nodes)),
      agentCrash: () => {
        const instances = world.instances().filter(({ node }) => running.includes(node));
        if (instances.length === 0) return;
        const { node, agent, epoch } = random.pick(instances);
        world.host(node).failAgent(agent, epoch, 'the simulated agent crashed');
      },
      crashLoop: () => {
        const agents = world.instances().map(({ agent }) => agent);
        if (agents.length > 0) this.#crashAgain(random.pick(agents), crashLoopMax);
      },
      migrate: () => {
        const agents = world.instances().map(({ agent }) => agent);
        const [node] = random.shuffle(running);
        if (agents.length === 0 || node === undefined) return;
        world.request(node, { type: 'migrate', agent: random.pick(agents), target: victim });
      },
    };
    strikes[kind]();
  }

  #crash(nodes: readonly NodeId[], how: 'noticed' | 'silent', lastsMs: number): void {
    for (const node of nodes) {
      if (this.#world.host(node).state === 'off') continue;
      this.#world.crash(node, how);
      this.#mend(lastsMs * this.#random.between(0.5, 1), () => {
        if (this.#world.host(node).state === 'off') this.#world.restart(node);
      });
    }
  }

  /** An agent that crashes before it has done anything, until its host gives it up. */
  #crashAgain(agent: string, times: number): void {
    for (const instance of this.#world.instances()) {
      if (instance.agent !== agent) continue;
      this.#world.host(instance.node).failAgent(agent, instance.epoch, 'the simulated agent crashed again');
    }
    if (times > 1) this.#mend(crashEveryMs, () => this.#crashAgain(agent, times - 1));
  }

  #mend(afterMs: number, mend: () => void): void {
    this.#world.timeline.after(afterMs, () => {
      if (!this.#stopped) mend();
    });
  }
}
