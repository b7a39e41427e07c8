import type { NodeId } from '../../node/core/message.ts';
import type { Losses } from '../losses.ts';
import type { Operators } from '../operators.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';

/** What `--faults` may name: a group means all of its kinds. */
export type FaultGroup = 'network' | 'partition' | 'crash' | 'pause' | 'disk' | 'wipe' | 'clock' | 'agent' | 'operator';

/** Where a fault strikes, and how it is taken back. */
export interface Scene {
  world: World;
  losses: Losses;
  operators: Operators;
  /** Of this strike alone: leaving another out does not change whom it hits. */
  random: Random;
  /** How long this strike lasts, ms. */
  lastsMs: number;
  /** Takes it back after a while, unless all faults are over before. */
  mend(afterMs: number, mend: () => void): void;
  /** All faults are over: nothing more may be done. */
  isOver(): boolean;
  /** A client gives an agent one more task, first by this door; does nothing for agents that clients do not work with. */
  poke(agent: string, door: NodeId): void;
}

/** A way in which things go wrong. */
export interface Fault {
  group: FaultGroup;
  /** In plain words, for `conclave sim --help` and the docs. */
  what: string;
  /** Mean time from one to the next is drawn between these, ms. */
  everyMsMin: number;
  everyMsMax: number;
  /** How long one lasts, ms. */
  lastsMsMin: number;
  lastsMsMax: number;
  strike(scene: Scene): void;
}

/** A node whose process exists and is not paused; undefined when there is none. */
export function anyRunning({ world, random }: Scene): NodeId | undefined {
  const { running } = world;
  return running.length === 0 ? undefined : random.pick(running);
}

const usual = { everyMsMin: 4_000, everyMsMax: 30_000, lastsMsMin: 200, lastsMsMax: 8_000 };

/** A fault of the usual frequency and length. */
export const fault = (
  group: FaultGroup,
  what: string,
  strike: (scene: Scene) => void,
  times: Partial<Omit<Fault, 'group' | 'what' | 'strike'>> = {},
): Fault => ({ group, what, ...usual, ...times, strike });
