import type { NodeId } from '../node/core/message.ts';
import type { Ledger, LedgerAgent } from './ledger.ts';
import type { World } from './world.ts';

const isMajority = (part: number, whole: number): boolean => part > whole / 2;

/**
 * What the loss of a disk costs, by the world's own knowledge: the promises hold while no more than a minority of an
 * agent's holders, and of the voters, lost their disks.
 */
export class Losses {
  readonly #world: World;
  readonly #ledger: Ledger;
  /** Machines that stand, with records that are not what was written: as good as lost. */
  readonly #damaged = new Set<NodeId>();
  readonly #asked: () => readonly (readonly NodeId[])[];

  /** `asked`: sets of voters that are not on any disk yet and may be at any moment. */
  constructor(world: World, ledger: Ledger, asked: () => readonly (readonly NodeId[])[] = () => []) {
    this.#world = world;
    this.#ledger = ledger;
    this.#asked = asked;
  }

  /** What the log decided. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  damage(node: NodeId): void {
    this.#damaged.add(node);
  }

  isLost(node: NodeId): boolean {
    return this.#damaged.has(node) || this.#world.gone.has(node);
  }

  /** Whether one more disk may be lost without breaking what the promises rest on. */
  mayLose(node: NodeId): boolean {
    if (this.#ledger.voters.length === 0 || this.isLost(node)) return false;
    const intact = (other: NodeId): boolean => other !== node && !this.isLost(other);
    const survives = (nodes: readonly NodeId[]): boolean => isMajority(nodes.filter(intact).length, nodes.length);
    if (![...this.#ledger.configurations, ...this.#asked()].every(survives)) return false;
    return [...this.#ledger.agents.values()].every(({ active, placement }) =>
      [active, placement].every((one) => one === undefined || survives(one.holders)),
    );
  }

  /** Whether an agent's state can still be had from these nodes alone: a majority of its active epoch's holders. */
  isReachable({ active }: LedgerAgent, nodes: ReadonlySet<NodeId>): boolean {
    if (active === undefined) return true;
    const there = active.holders.filter((holder) => nodes.has(holder) && !this.isLost(holder));
    return isMajority(there.length, active.holders.length);
  }

  /** Whether these nodes are a majority of the voters of every configuration that may still be in force. */
  isQuorum(nodes: ReadonlySet<NodeId>): boolean {
    const isThere = (voter: NodeId): boolean => nodes.has(voter) && !this.isLost(voter);
    return this.#ledger.configurations.every((voters) => isMajority(voters.filter(isThere).length, voters.length));
  }
}
