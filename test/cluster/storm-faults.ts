import { setTimeout as delay } from 'node:timers/promises';
import { volumeOf } from '../../docker/container.ts';
import type { StatusJson } from '../../node/cli/status.ts';
import type { Random } from '../../sim/random.ts';
import { leaderOf, type Testbed } from './testbed.ts';

export const faultKinds = [
  ...['SIGKILL', 'pause', 'disconnect', 'drain', 'migrate', 'leader transfer', 'restart', 'lost disk'],
] as const;
export type FaultKind = string;

/** One fault as it came. */
export interface Fault {
  kind: FaultKind;
  node: string;
  /** Those that it concerns: its host's, or those that move. */
  agents: string[];
  /** By the clock of `performance`. */
  beganMs: number;
}

/** Five nodes bear two that are away: a majority of the voters is left. */
const awayMax = 2;
const handOverWithinMs = 10_000;
const drainWithinMs = 20_000;
const movesAtATime = 5;
const wholeWithinMs = 60_000;

const isDone = [() => true, () => false] as const;

interface Weather {
  testbed: Testbed;
  random: Random;
  kinds: readonly FaultKind[];
  everyMs: number;
  say: (text: string) => void;
}

/** All nodes there, and every agent runs with all its holders. */
export function isWhole({ nodes, agents }: StatusJson, count: number): boolean {
  const active = nodes.filter(({ status, drain }) => status === 'active' && drain === null);
  return active.length === count && agents.every((agent) => isHeld(agent, new Set(active.map(({ id }) => id))));
}

export const isHeld = (
  { status, holders, migration }: StatusJson['agents'][number],
  alive: ReadonlySet<string>,
): boolean => status === 'active' && migration === null && holders.length === 3 && holders.every((id) => alive.has(id));

/**
 * Breaks something every few seconds, drawn from a seed, and mends it a while after: faults overlap, but no more than two nodes
 * are away at a time, and a disk is lost only while every agent has all its holders.
 */
export class Storm {
  readonly #weather: Weather;
  readonly faults: Fault[] = [];
  readonly #away = new Set<string>();
  readonly #mending = new Set<Promise<void>>();
  #bag: FaultKind[] = [];
  #failed: Error | undefined;
  #isOver = false;

  constructor(weather: Weather) {
    this.#weather = weather;
  }

  /** Nothing more is broken from here on. */
  end(): void {
    this.#isOver = true;
  }

  /** Until the moment, by the clock of `performance`; resolves when everything is mended. */
  async run(untilMs: number): Promise<void> {
    const { everyMs } = this.#weather;
    let nextMs = performance.now() + everyMs / 2;
    while (nextMs < untilMs && this.#failed === undefined) {
      await delay(Math.max(0, nextMs - performance.now()));
      if (this.#isOver) break;
      nextMs = Math.max(nextMs + everyMs, performance.now() + everyMs / 2);
      await this.#strike();
    }
    await Promise.all(this.#mending);
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #strike(): Promise<void> {
    const { testbed, say } = this.#weather;
    const status = await testbed.status();
    const kind = this.#draw(isWhole(status, testbed.nodes.length));
    const leader = status.leader?.name ?? '';
    const there = testbed.nodes.map(({ name }) => name).filter((name) => !this.#away.has(name));
    const node = kind === 'leader transfer' ? leader : this.#oneOf(there);
    const hosted = status.agents.filter(({ host_name: host }) => host === node).map(({ id }) => id);
    const all = status.agents.map(({ id }) => id);
    const moved = this.#shuffled(all).slice(0, movesAtATime);
    const agents = kind === 'migrate' ? moved : kind === 'leader transfer' ? all : hosted;
    this.faults.push({ kind, node, agents, beganMs: performance.now() });
    const role = node === leader ? ', the leader' : '';
    const away = this.#away.size > 0 ? `; away: ${[...this.#away].join(', ')}` : '';
    say(`${kind}: ${node}${role}, ${agents.length} agents${away}`);
    if (kind === 'migrate') return this.#migrate(moved, node);
    this.#away.add(node);
    // Nothing else is away or begins meanwhile: what the fleet finds down it would start.
    if (kind === 'lost disk') await this.#replace(node);
    const mended = this.#outage(kind, node)
      .catch((error: Error) => {
        this.#failed ??= new Error(`${kind} of ${node}: ${error.message}`, { cause: error });
      })
      .finally(() => this.#away.delete(node));
    this.#mending.add(mended);
    void mended.then(() => this.#mending.delete(mended));
  }

  /** Every kind comes before one comes again, as far as that can be. */
  #draw(whole: boolean): FaultKind {
    if (this.#bag.length === 0) this.#bag = this.#shuffled(this.#weather.kinds);
    const { size: away } = this.#away;
    const bears = (kind: FaultKind): boolean =>
      kind === 'migrate' || (kind === 'lost disk' ? whole && away === 0 : away < awayMax);
    const at = this.#bag.findIndex(bears);
    return at === -1 ? 'migrate' : (this.#bag.splice(at, 1)[0] as FaultKind);
  }

  async #outage(kind: FaultKind, node: string): Promise<void> {
    const { testbed } = this.#weather;
    const { fleet } = testbed;
    const forMs = this.#weather.random.between(3_000, 14_000);
    const work: Record<string, () => Promise<void>> = {
      SIGKILL: async () => {
        await fleet.kill(node);
        await delay(forMs);
        await fleet.start(node);
      },
      pause: async () => {
        // The kernel does not always freeze at once what is busy.
        await testbed.until(`${node} is frozen`, () => fleet.pause(node).then(...isDone));
        await delay(forMs);
        await fleet.unpause(node);
      },
      disconnect: async () => {
        await testbed.docker.disconnect(node);
        await delay(forMs);
        await testbed.docker.connect(node);
      },
      drain: () => this.#drain(node, async () => (await this.#drainOf(node))?.done === true),
      'leader transfer': () => this.#handOver(node),
      'lost disk': async () => {
        const isOver = async () => isWhole(await testbed.status(), testbed.nodes.length);
        await testbed.until(`all agents have all holders after ${node} lost its disk`, isOver, wholeWithinMs);
      },
      restart: async () => {
        await fleet.stop(node);
        await fleet.start(node);
      },
    };
    await work[kind]?.();
  }

  /** Another machine under the same name: an empty disk, and so another id. */
  async #replace(node: string): Promise<void> {
    const { fleet, docker, nodes } = this.#weather.testbed;
    const { handle, number } = (await fleet.list()).find(({ name }) => name === node) ?? { handle: '', number: 0 };
    await docker.engine.getContainer(handle).remove({ force: true });
    await docker.engine.getVolume(volumeOf(docker.name, number)).remove();
    await fleet.up(nodes.length);
  }

  /** A drain that others keep from coming to its end is taken back after a while: that is no failure. */
  async #drain(node: string, isDone: () => Promise<boolean>): Promise<void> {
    const { testbed } = this.#weather;
    const path = `/nodes/${node}/drain`;
    await testbed.ask('POST', path, {});
    await testbed.until(`the drain of ${node} is over`, isDone, drainWithinMs).catch(() => {});
    await testbed.ask('DELETE', path);
  }

  /** Any other node that votes and has everything; that there is none is no failure. */
  async #handOver(leader: string): Promise<void> {
    const { testbed } = this.#weather;
    const others = this.#shuffled(testbed.nodes.map(({ name }) => name).filter((name) => name !== leader));
    for (const name of others) {
      const isTold = await testbed.ask('POST', `/nodes/${name}/lead`, {}).then(
        () => true,
        () => false,
      );
      if (!isTold) continue;
      const hasChanged = async () => ![leader, ''].includes(await leaderOf(testbed));
      await testbed.until(`another node leads than ${leader}`, hasChanged, handOverWithinMs).catch(() => {});
      return;
    }
  }

  async #drainOf(node: string) {
    const { nodes } = await this.#weather.testbed.status();
    return nodes.find(({ name, status }) => name === node && status !== 'left')?.drain;
  }

  /** What cannot be moved there now stays: the target may be on its way out. */
  async #migrate(agents: readonly string[], target: string): Promise<void> {
    const { testbed } = this.#weather;
    await Promise.all(
      agents.map((agent) => testbed.ask('POST', `/agents/${agent}/migrate`, { target }, 5_000).catch(() => {})),
    );
  }

  #oneOf(names: readonly string[]): string {
    return names[Math.floor(this.#weather.random.next() * names.length)] ?? '';
  }

  #shuffled<T>(all: readonly T[]): T[] {
    const keyed = all.map((one) => ({ one, key: this.#weather.random.next() }));
    return keyed.sort((a, b) => a.key - b.key).map(({ one }) => one);
  }
}
