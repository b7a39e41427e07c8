import type { Serial } from '../../consensus/sessions.ts';
import type { Decision } from '../../strategies/strategy.ts';
import type { Result } from './applied.ts';
import { Backoff } from './backoff.ts';
import type { AgentRecord } from './cluster-state.ts';
import type { Draft } from './command.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { LoadBoard } from './load-board.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Migration } from './migration.ts';
import { brief, candidatesFor, chooseHolders, decide, statesByNode } from './placement.ts';
import { limits } from './settings.ts';

/** What comes with the beginning of a move, each where there is one. */
interface Beginning {
  asked?: { by: Serial; done: (result: Result) => void };
  /** Of the agent's code, that it is to run where it is. */
  version?: number;
  /** Why the target, as it was seen then. */
  decision?: Decision;
}

interface Seen {
  since: number;
  atMs: number;
}

/**
 * What the leader does about planned moves: begins them, switches the placement over once the host says that the target
 * is prepared, and ends those that come to nothing. All else is in the log, so the next leader goes on with them.
 */
export class Migrations {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #loads: LoadBoard;
  readonly #isOut: (node: NodeId) => boolean;
  /** Agents about whose migration a decision is proposed and not yet applied; with the target where it begins one. */
  readonly #proposed = new Map<string, NodeId | undefined>();
  /** When this node first saw each as leader. */
  readonly #seen = new Map<string, Seen>();
  /** After a move that came to nothing the next one that nobody asked for waits. */
  readonly #pauses = new Backoff({ msMin: 1_000, msMax: 60_000, calmMs: Number.POSITIVE_INFINITY });

  /** `isOut`: whether a node is dead, or does not answer this leader. */
  constructor(context: Context, decisions: Decisions, loads: LoadBoard, isOut: (node: NodeId) => boolean) {
    this.#context = context;
    this.#decisions = decisions;
    this.#loads = loads;
    this.#isOut = isOut;
  }

  reset(): void {
    this.#proposed.clear();
    this.#seen.clear();
    this.#pauses.clear();
  }

  isProposed(agent: string): boolean {
    return this.#proposed.has(agent);
  }

  /** Whether a move of the agent that nobody asked for by name may begin now. */
  mayBegin(agent: string): boolean {
    return !this.#proposed.has(agent) && this.#pauses.isOver(agent, this.#context.nowMs);
  }

  /** Agents on each node once those that are on their way have arrived. */
  expectedByHost(): Map<NodeId, number> {
    const { state } = this.#decisions;
    const counts = state.agentsByHost();
    const move = (from: NodeId, to: NodeId): void => {
      counts.set(from, (counts.get(from) ?? 1) - 1);
      counts.set(to, (counts.get(to) ?? 0) + 1);
    };
    for (const { migration, placement } of state.agents.values()) {
      if (migration === undefined || placement === undefined || migration.epoch !== undefined) continue;
      move(placement.host, migration.target);
    }
    for (const [id, target] of this.#proposed) {
      const { placement, migration } = state.agents.get(id) ?? {};
      if (placement !== undefined && target !== undefined && migration === undefined) move(placement.host, target);
    }
    return counts;
  }

  begin(agent: AgentRecord, target: NodeId, reason: string, { asked, version, decision }: Beginning): void {
    const boot = this.#decisions.state.members.get(target)?.boot ?? 0;
    const after = agent.placement?.epoch ?? 0;
    const what = { after, target, boot, reason, version, ...(decision && { decision: brief(decision) }) };
    const draft: Draft = { kind: 'migrationBegin', agent: agent.id, ...what };
    this.#propose(agent.id, { ...draft, ...(asked && { by: asked.by }) }, asked?.done, target);
  }

  /** The agent is to be placed anew for another reason: what was planned is over. */
  abandon({ id, migration }: AgentRecord, reason: string): void {
    if (migration !== undefined && !this.#proposed.has(id)) this.#fail(id, migration, reason);
  }

  /** The host of an agent says that the target is prepared, or with a reason that it cannot be. */
  onPrepared(from: NodeId, { agent: id, since, bytes, reason }: MessageOf<'prepared'>): void {
    const agent = this.#decisions.state.agents.get(id);
    const migration = agent?.migration;
    if (agent?.placement?.host !== from || migration?.since !== since || migration.epoch !== undefined) return;
    if (!this.#decisions.isReady() || this.#proposed.has(id)) return;
    if (reason !== '') this.#fail(agent.id, migration, reason, true);
    else this.#switch(agent, migration, bytes);
  }

  #switch(
    agent: AgentRecord,
    { since, target: host, boot, reason, preparedBytes, version, decision: begunWith }: Migration,
    bytes: number,
  ): void {
    const { state } = this.#decisions;
    const holders = chooseHolders(state, agent, host, statesByNode(state));
    const after = agent.placement?.epoch ?? 0;
    if (preparedBytes === undefined) {
      this.#decisions.propose({ kind: 'migrationPrepared', agent: agent.id, since, bytes });
    }
    // What it began with; an upgrade moves nothing.
    const known = begunWith ?? (version === undefined ? undefined : agent.decision);
    const told = known ?? brief({ ...this.#decideNow(agent), node: host });
    this.#propose(agent.id, {
      ...{
        kind: 'agentPlace',
        agent: agent.id,
        after,
        host,
        boot,
        holders,
        reason,
        decision: told,
        migration: since,
        version,
      },
    });
  }

  #decideNow(agent: AgentRecord): Decision {
    const { state } = this.#decisions;
    return decide(agent, candidatesFor(state, this.#loads, agent, state.agentsByHost()), state.turn);
  }

  #fail(agent: string, { since }: Migration, why: string, blame = false): void {
    this.#pauses.fail(agent, this.#context.nowMs);
    const reason = why.slice(0, limits.reasonLengthMax);
    this.#propose(agent, { kind: 'migrationFail', agent, since, reason, ...(blame && { blame }) });
  }

  #propose(agent: string, draft: Draft, done?: (result: Result) => void, target?: NodeId): void {
    this.#proposed.set(agent, target);
    this.#decisions.propose(draft, (result) => {
      this.#proposed.delete(agent);
      done?.(result);
    });
  }

  /** Ends what cannot come to anything any more. */
  tick(): void {
    const { nowMs, settings } = this.#context;
    const { agents } = this.#decisions.state;
    for (const [id, { since }] of this.#seen) if (agents.get(id)?.migration?.since !== since) this.#seen.delete(id);
    for (const id of this.#pauses.names()) {
      const agent = agents.get(id);
      if (agent === undefined || (agent.migration === undefined && agent.migrationEnd === undefined)) {
        this.#pauses.forget(id);
      }
    }
    for (const { id, migration } of agents.values()) {
      // From the switch on it is a recovery like any other: `Manager` sees to it that it comes to its end.
      if (migration === undefined || migration.epoch !== undefined) continue;
      const seen = this.#seen.get(id);
      if (seen === undefined) this.#seen.set(id, { since: migration.since, atMs: nowMs });
      if (this.#proposed.has(id)) continue;
      const atMs = seen?.atMs ?? nowMs;
      const reason = this.#whyLost(migration) ?? (nowMs - atMs >= settings.migrationTimeoutMs ? tooLate : undefined);
      if (reason !== undefined) this.#fail(id, migration, reason);
    }
  }

  #whyLost({ target, boot, version }: Migration): string | undefined {
    const { state } = this.#decisions;
    const member = state.members.get(target);
    const name = member?.profile.name ?? target;
    if (member?.membership !== 'alive') return `${name} died`;
    if (member.boot !== boot) return `${name} started again`;
    if (member.drain !== undefined && version === undefined) return `${name} is to be drained`;
    return this.#isOut(target) ? `${name} does not answer` : undefined;
  }
}

const tooLate = 'its target was not prepared in time';
