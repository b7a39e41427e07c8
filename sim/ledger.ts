import type { EffectOf } from '../node/core/effect.ts';
import type { NodeId } from '../node/core/message.ts';
import type { Observer } from './checkers/checker.ts';

type Report = EffectOf<'report'>['report'];

export interface LedgerPlacement {
  epoch: number;
  host: NodeId;
  holders: readonly NodeId[];
}

export interface LedgerAgent {
  type: string;
  /** The latest decision. */
  placement: LedgerPlacement | undefined;
  /** The last epoch that the log called active. */
  active: LedgerPlacement | undefined;
}

export interface LedgerMember {
  boot: number;
  membership: 'alive' | 'dead' | 'left';
}

/**
 * What the log decided, as the first node to apply each entry reported it: the world's own record, which no node's
 * belief can change. That all nodes report the same is for `anytime-same-log` to judge.
 */
export class Ledger implements Observer {
  readonly members = new Map<NodeId, LedgerMember>();
  readonly agents = new Map<string, LedgerAgent>();
  /** Every placement that was ever decided, by agent and epoch. */
  readonly placements = new Map<string, LedgerPlacement>();
  /** The voters of every configuration so far, newest last. */
  readonly configurations: (readonly NodeId[])[] = [];
  /** Called for each decision, when it is in the ledger. */
  onDecision: ((report: Report) => void) | undefined;
  #index = 0;
  #reporter: NodeId | undefined;

  get index(): number {
    return this.#index;
  }

  get voters(): readonly NodeId[] {
    return this.configurations.at(-1) ?? [];
  }

  placement(agent: string, epoch: number): LedgerPlacement | undefined {
    return this.placements.get(`${agent}#${epoch}`);
  }

  reported(node: NodeId, report: Report): void {
    const { index, kind } = report;
    if (index === 0 || index < this.#index || (index === this.#index && node !== this.#reporter)) return;
    this.#index = index;
    this.#reporter = node;
    this.#enter[kind]?.(report.details as unknown as Details);
    this.onDecision?.(report);
  }

  readonly #enter: { [kind: string]: (details: Details) => void } = {
    memberJoined: ({ node, boot }) => void this.members.set(node, { boot, membership: 'alive' }),
    memberDead: ({ node, boot }) => void this.members.set(node, { boot, membership: 'dead' }),
    memberLeft: ({ node, boot }) => void this.members.set(node, { boot, membership: 'left' }),
    votersChanged: ({ voters }) => void this.configurations.push(voters),
    agentsCreated: ({ agents = [], type }) => {
      for (const agent of agents) this.agents.set(agent, { type, placement: undefined, active: undefined });
    },
    agentPlaced: ({ agent, host, epoch, holders }) => {
      const placement = { epoch, host, holders };
      this.placements.set(`${agent}#${epoch}`, placement);
      const record = this.agents.get(agent);
      if (record !== undefined) record.placement = placement;
    },
    agentActive: ({ agent, epoch }) => {
      const record = this.agents.get(agent);
      if (record !== undefined) record.active = this.placement(agent, epoch);
    },
    agentDeleted: ({ agent }) => void this.agents.delete(agent),
  };
}

/** The fields that the reports of the log carry, each kind some of them. */
interface Details {
  node: NodeId;
  boot: number;
  voters: NodeId[];
  agents?: string[];
  type: string;
  agent: string;
  host: NodeId;
  epoch: number;
  holders: NodeId[];
}
