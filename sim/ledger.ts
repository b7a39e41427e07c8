import { decodeConfiguration } from '../consensus/configuration.ts';
import { entryKinds } from '../consensus/entry.ts';
import type { EffectOf, Write } from '../node/core/effect.ts';
import type { NodeId } from '../node/core/message.ts';
import { keys } from '../node/core/records.ts';
import type { Observer } from './checkers/checker.ts';
import { entryOf } from './checkers/written.ts';

type Report = EffectOf<'report'>['report'];

export interface LedgerPlacement {
  epoch: number;
  host: NodeId;
  holders: readonly NodeId[];
  /** Of the agent's code. */
  version?: number;
}

export interface LedgerAgent {
  type: string;
  /** Of its code, by its last placement. */
  version?: number;
  /** The decision before the latest. */
  before?: LedgerPlacement | undefined;
  /** The latest decision. */
  placement: LedgerPlacement | undefined;
  /** Since that decision the log said that no node can take it: its host gave it up, or is gone. */
  waits?: boolean | undefined;
  /** The last epoch that the log called active; with the holders that an operator let it go on with. */
  active: LedgerPlacement | undefined;
  /** Log index of an operator's last decision to let it go on without most of them. */
  wentOnAt?: number;
}

export interface LedgerMember {
  boot: number;
  membership: 'alive' | 'dead' | 'left';
  draining: boolean;
}

/**
 * What the log decided, as the first node to apply each entry reported it: the world's own record, which no node's
 * belief can change. That all nodes report the same is for `anytime-same-log` to judge.
 */
export class Ledger implements Observer {
  readonly members = new Map<NodeId, LedgerMember>();
  readonly agents = new Map<string, LedgerAgent>();
  /** Types whose code is being rolled out. */
  readonly rollouts = new Set<string>();
  /** Every placement that was ever decided, by agent and epoch. */
  readonly placements = new Map<string, LedgerPlacement>();
  /** Voters of each configuration that is on any disk, by index and term: a leader may count by one that is not committed. */
  readonly #configurations = new Map<string, { index: number; voters: readonly NodeId[] }>();
  /** Of the last one that is committed. */
  #voters: { index: number; voters: readonly NodeId[] } = { index: 0, voters: [] };
  /** By the last entry with which one began. */
  leader: NodeId | undefined;
  #index = 0;
  #reporter: NodeId | undefined;

  get index(): number {
    return this.#index;
  }

  /** By the last committed configuration; none before the cluster is founded. */
  get voters(): readonly NodeId[] {
    return this.#voters.voters;
  }

  /** The voters by every configuration that may be in force: the last committed one, and those behind it. */
  get configurations(): (readonly NodeId[])[] {
    const later = [...this.#configurations.values()].filter(({ index }) => index > this.#voters.index);
    return [this.#voters, ...later].map(({ voters }) => voters);
  }

  durable(_node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (value === undefined || !key.startsWith(entryPrefix)) continue;
      const { index, term, kind, data } = entryOf(value);
      if (kind !== entryKinds.configuration) continue;
      const voters = decodeConfiguration(data)?.voters ?? [];
      this.#configurations.set(`${index}/${term}`, { index, voters });
    }
  }

  placement(agent: string, epoch: number): LedgerPlacement | undefined {
    return this.placements.get(`${agent}#${epoch}`);
  }

  /** How many agents other than this one were last placed on a node. */
  othersOn(node: NodeId, agent: string): number {
    let count = 0;
    for (const [other, { placement }] of this.agents) if (other !== agent && placement?.host === node) count += 1;
    return count;
  }

  reported(node: NodeId, report: Report): void {
    const { index, kind } = report;
    if (index === 0 || index < this.#index || (index === this.#index && node !== this.#reporter)) return;
    this.#index = index;
    this.#reporter = node;
    this.#enter[kind]?.(report.details as unknown as Details);
  }

  #setMember(node: NodeId, changes: Partial<LedgerMember>): void {
    const known = this.members.get(node) ?? { boot: 0, membership: 'alive', draining: false };
    this.members.set(node, { ...known, ...changes });
  }

  readonly #enter: { [kind: string]: (details: Details) => void } = {
    leaderElected: ({ leader }) => {
      this.leader = leader;
    },
    memberJoined: ({ node, boot, draining = false }) => this.#setMember(node, { boot, membership: 'alive', draining }),
    memberDead: ({ node, boot }) => this.#setMember(node, { boot, membership: 'dead' }),
    memberLeft: ({ node, boot }) => this.#setMember(node, { boot, membership: 'left' }),
    drainBegun: ({ node }) => this.#setMember(node, { draining: true }),
    drainUndone: ({ node }) => this.#setMember(node, { draining: false }),
    votersChanged: ({ voters }) => {
      this.#voters = { index: this.#index, voters };
    },
    agentsCreated: ({ agents = [], type, version = 1 }) => {
      for (const agent of agents)
        this.agents.set(agent, { type, version, before: undefined, placement: undefined, active: undefined });
    },
    agentPlaced: ({ agent, host, epoch, holders, version: turned }) => {
      const record = this.agents.get(agent);
      const version = turned ?? record?.version ?? 1;
      const placement = { epoch, host, holders, version };
      this.placements.set(`${agent}#${epoch}`, placement);
      if (record === undefined) return;
      record.version = version;
      record.before = record.placement;
      record.placement = placement;
      record.waits = undefined;
    },
    agentPending: ({ agent }) => {
      const record = this.agents.get(agent);
      if (record !== undefined) record.waits = true;
    },
    agentActive: ({ agent, epoch }) => {
      const record = this.agents.get(agent);
      if (record !== undefined) record.active = this.placement(agent, epoch);
    },
    agentRecovered: ({ agent, from }) => {
      const record = this.agents.get(agent);
      if (record === undefined) return;
      record.wentOnAt = this.#index;
      if (record.active !== undefined) record.active = { ...record.active, holders: [from] };
    },
    rolloutBegun: ({ type, since }) => {
      if (since !== undefined) this.rollouts.add(type);
    },
    rolloutEnded: ({ type }) => void this.rollouts.delete(type),
    agentDeleted: ({ agent }) => void this.agents.delete(agent),
  };
}

const entryPrefix = keys.entry(0).slice(0, -16);

/** The fields that the reports of the log carry, each kind some of them. */
interface Details {
  node: NodeId;
  boot: number;
  draining?: boolean;
  voters: NodeId[];
  agents?: string[];
  version?: number;
  since?: number;
  type: string;
  agent: string;
  host: NodeId;
  epoch: number;
  holders: NodeId[];
  from: NodeId;
  leader: NodeId;
}
