import type { Context } from './context.ts';
import type { BranchHere, MessageOf, NodeId } from './message.ts';

interface Told {
  atMs: number;
  body: MessageOf<'autonomy'>;
}

/** A branch as one node tells of it. */
export interface BranchThere extends BranchHere {
  node: NodeId;
}

/** What the nodes that this one is connected to lately told of themselves, and what it would tell itself. */
export class AutonomyBoard {
  readonly #context: Context;
  readonly #own: () => MessageOf<'autonomy'>;
  readonly #told = new Map<NodeId, Told>();
  #runners: { atMs: number; byAgent: ReadonlyMap<string, BranchThere> } | undefined;

  constructor(context: Context, own: () => MessageOf<'autonomy'>) {
    this.#context = context;
    this.#own = own;
  }

  note(from: NodeId, body: MessageOf<'autonomy'>): void {
    this.#told.set(from, { atMs: this.#context.nowMs, body });
    this.#runners = undefined;
  }

  /** Who was heard lately, this node among them. */
  all(): Map<NodeId, MessageOf<'autonomy'>> {
    const { nowMs, settings, self } = this.#context;
    for (const [node, { atMs }] of this.#told) {
      if (nowMs - atMs > settings.autonomySilentMs) this.#told.delete(node);
    }
    const told = [...this.#told].map(([node, { body }]): [NodeId, MessageOf<'autonomy'>] => [node, body]);
    return new Map([...told, [self, this.#own()]]);
  }

  /** Those that hear no majority. */
  autonomous(): Map<NodeId, MessageOf<'autonomy'>> {
    return new Map([...this.all()].filter(([, { autonomous }]) => autonomous));
  }

  /**
   * Whose orders this node takes: of those that hear no majority, who knows most of what was decided, as one that has just
   * started knows little; of several the one with the lowest id.
   */
  actingManager(): NodeId | undefined {
    const all = [...this.autonomous()];
    return all.sort(([a, one], [b, other]) => other.index - one.index || (a < b ? -1 : 1))[0]?.[0];
  }

  /** Where an agent's branch answers tasks: of several the one under the highest number. */
  runner(agent: string): BranchThere | undefined {
    return this.#allRunners().get(agent);
  }

  /** Every task that waits asks for them: they are looked up once for each moment. */
  #allRunners(): ReadonlyMap<string, BranchThere> {
    const { nowMs } = this.#context;
    if (this.#runners?.atMs === nowMs) return this.#runners.byAgent;
    const byAgent = new Map<string, BranchThere>();
    for (const there of branchesIn(this.autonomous())) {
      const other = byAgent.get(there.agent);
      if (there.active && !there.closed && (other === undefined || isBefore(there, other)))
        byAgent.set(there.agent, there);
    }
    this.#runners = { atMs: nowMs, byAgent };
    return byAgent;
  }
}

const isBefore = (one: BranchThere, other: BranchThere): boolean =>
  one.number > other.number || (one.number === other.number && one.node < other.node);

/** All that nodes tell of branches. */
export const branchesIn = (told: ReadonlyMap<NodeId, MessageOf<'autonomy'>>): BranchThere[] =>
  [...told].flatMap(([node, { branches }]) => branches.map((here) => ({ ...here, node })));
