import type { Serial } from '../../consensus/sessions.ts';
import type { Decision } from '../../strategies/strategy.ts';
import { isOvertaken } from './agent-loss.ts';
import type { Result } from './applied.ts';
import { Backoff } from './backoff.ts';
import type { StepName } from './branch.ts';
import type { AgentRecord } from './cluster-state.ts';
import type { Context } from './context.ts';
import { CrashLoops } from './crash-loops.ts';
import type { Decisions } from './decisions.ts';
import type { Detector } from './detector.ts';
import { Drains } from './drains.ts';
import { Endings } from './endings.ts';
import { type ConclaveError, errors } from './errors.ts';
import { Fences } from './fences.ts';
import type { Holder } from './holder.ts';
import { HolderBoard } from './holder-board.ts';
import { HolderNeeds, type Need } from './holder-needs.ts';
import type { LoadBoard } from './load-board.ts';
import { whyHostIsGone } from './member-name.ts';
import type { MessageOf, NodeId } from './message.ts';
import { Migrations } from './migrations.ts';
import { brief, candidatesFor, chooseHolders, decide, holdsUpDrain, statesByNode, type Wanted } from './placement.ts';
import { Recoveries } from './recoveries.ts';
import { Rollouts, type Turn } from './rollouts.ts';
import { VoterChanges } from './voter-changes.ts';

/**
 * What the leader does beyond leading: keeps the log's picture of the members true to what the observers say, and the
 * placements true to what is wanted. It keeps nothing that the next leader would miss.
 */
export class Manager {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #detector: Detector;
  readonly #loads: LoadBoard;
  readonly #holderNeeds: HolderNeeds;
  /** Of deleted agents. */
  readonly endings: Endings;
  readonly voters: VoterChanges;
  readonly drains: Drains;
  readonly migrations: Migrations;
  readonly crashLoops: CrashLoops;
  readonly rollouts: Rollouts;
  readonly fences: Fences;
  /** What the holders of agents have. */
  readonly holders: HolderBoard;
  /** Agents whose placement is proposed and not yet applied. */
  readonly #proposed = new Set<string>();
  readonly #deadProposed = new Set<NodeId>();
  /** Epochs that their host gave up. */
  readonly #relinquished = new Map<string, { epoch: number; reason: string }>();
  readonly #backoff = new Backoff({ msMin: 250, msMax: 30_000, calmMs: 60_000 });
  readonly #recoveries: Recoveries;
  readonly #deadSinceMs = new Map<NodeId, number>();
  #ledSinceMs: number | undefined;
  #dirty = true;
  #nextMs = 0;
  #index = -1;

  constructor(context: Context, decisions: Decisions, detector: Detector, loads: LoadBoard, holder: Holder) {
    this.#context = context;
    this.#recoveries = new Recoveries(context);
    this.#decisions = decisions;
    this.#detector = detector;
    this.#loads = loads;
    this.#holderNeeds = new HolderNeeds(context, decisions, {
      deadForMs: (node) => this.#deadForMs(node),
      isUncertain: (node) => this.#detector.isSuspect(node) || this.#isSilent(node),
    });
    this.endings = new Endings(context, decisions, holder, (node) => this.#isOut(node));
    const { state } = decisions;
    this.fences = new Fences(context, state);
    this.holders = new HolderBoard(context, state, {
      isReachable: (node) => state.isAlive(node) && !detector.isSuspect(node),
      // Whoever does not lead cannot tell.
      isOut: (node) => decisions.isReady() && this.#isOut(node),
    });
    this.drains = new Drains(context, decisions, loads, this.holders);
    this.migrations = new Migrations(context, decisions, loads, (node) => this.#isSilent(node));
    this.rollouts = new Rollouts(context, decisions, this.migrations, {
      isStuck: (agent) => this.holders.stuck(agent) !== undefined,
      whyGivenUp: (agent) => this.#whyGivenUp(agent),
    });
    this.crashLoops = new CrashLoops(decisions, (agent) => this.#backoff.leftMs(agent, context.nowMs));
    this.voters = new VoterChanges(context, decisions, detector, (node) => this.#deadForMs(node));
  }

  /** A new leadership begins with what the log says and nothing else. */
  reset(): void {
    this.#proposed.clear();
    this.#deadProposed.clear();
    this.#relinquished.clear();
    this.#backoff.clear();
    this.#recoveries.reset();
    this.#deadSinceMs.clear();
    this.endings.reset();
    this.fences.reset();
    this.holders.reset();
    this.voters.reset();
    this.drains.reset();
    this.migrations.reset();
    this.crashLoops.reset();
    this.rollouts.reset();
    this.#ledSinceMs = undefined;
    this.#dirty = true;
  }

  /** Something changed on which a decision may depend. */
  touch(): void {
    this.#dirty = true;
  }

  /** Does what is due, if this node leads. */
  reconcile(): void {
    if (!this.#decisions.isReady()) return;
    const { decidedIndex } = this.#decisions;
    const { nowMs } = this.#context;
    this.#ledSinceMs ??= nowMs;
    if (!this.#dirty && decidedIndex === this.#index && nowMs < this.#nextMs) return;
    this.#dirty = false;
    this.#index = decidedIndex;
    this.#nextMs = nowMs + 200;
    this.#buryTheDead();
    this.#noticeDeaths();
    this.voters.tick();
    this.migrations.tick();
    this.crashLoops.tick();
    this.rollouts.tick();
    this.holders.look();
    this.fences.tick();
    this.#placeAgents();
    this.drains.tick();
    this.endings.tick();
  }

  // ---- members ----

  #buryTheDead(): void {
    const { self, settings } = this.#context;
    const { state } = this.#decisions;
    const alive = state.alive();
    const accused = new Set(this.#detector.accused().filter((node) => this.#detector.accusers(node).length > 0));
    for (const { node, boot } of alive) {
      if (node === self || !accused.has(node) || this.#deadProposed.has(node)) continue;
      if (this.#detector.watches(node) && !this.#detector.isSuspect(node)) continue;
      const accusers = this.#detector.accusers(node).filter((accuser) => state.isAlive(accuser));
      const witnesses = alive.filter((member) => member.node !== node && !accused.has(member.node)).length;
      const watchers = Math.min(witnesses, settings.watchersMax);
      if (accusers.length < Math.max(1, Math.min(settings.accusersMin, watchers))) continue;
      this.#deadProposed.add(node);
      this.#decisions.propose({ kind: 'memberDead', node, boot, accusers }, () => {
        this.#deadProposed.delete(node);
        this.touch();
      });
    }
  }

  #noticeDeaths(): void {
    for (const { node, membership } of this.#decisions.state.members.values()) {
      if (membership === 'alive') this.#deadSinceMs.delete(node);
      else if (!this.#deadSinceMs.has(node)) this.#deadSinceMs.set(node, this.#context.nowMs);
    }
  }

  #deadForMs(node: NodeId): number {
    const { nowMs } = this.#context;
    return nowMs - (this.#deadSinceMs.get(node) ?? nowMs);
  }

  /**
   * Others may still reach it, but it does not answer this leader: its link may be cut. Then it knows of no majority and
   * acknowledges nothing, so its agents go on elsewhere.
   */
  #isSilent(node: NodeId): boolean {
    const { raft } = this.#decisions;
    const { self, nowMs, settings } = this.#context;
    if (node === self) return false;
    const heardMs = Math.max(raft.progress().get(node)?.lastAckMs ?? nowMs, this.#ledSinceMs ?? nowMs);
    return nowMs - heardMs >= settings.hostSilentMs;
  }

  /** Dead or silent for longer than a host goes on acknowledging without a word from a leader. */
  #isOut(node: NodeId): boolean {
    const { nowMs, settings } = this.#context;
    if (this.#decisions.state.isAlive(node)) return this.#isSilent(node);
    const deadSinceMs = this.#deadSinceMs.get(node);
    return deadSinceMs !== undefined && nowMs - deadSinceMs >= settings.hostSilentMs;
  }

  // ---- agents ----

  /** The host of an agent gives it up. */
  onRelinquish(from: NodeId, agent: string, epoch: number, reason: string): void {
    const record = this.#decisions.state.agents.get(agent);
    if (record?.placement?.host !== from || record.placement.epoch !== epoch) return;
    this.rollouts.onGivenUp(record, reason);
    if (this.#relinquished.get(agent)?.epoch === epoch) return;
    this.#relinquished.set(agent, { epoch, reason });
    // A leader before this one may have seen the others fail.
    const { placements = 0, epoch: last = epoch } = record.crashLoop ?? {};
    this.#backoff.fail(agent, this.#context.nowMs, last === epoch ? placements : placements + 1);
    this.touch();
  }

  /** An agent failed at its host, or holds again. */
  onAiling(from: NodeId, said: MessageOf<'ailing'>): void {
    this.rollouts.onAiling(from, said);
    this.crashLoops.onAiling(from, said);
  }

  /** A host has copied an agent's state to its holders: the epoch may be called active. */
  onCopied(from: NodeId, agent: string, epoch: number, step?: StepName): void {
    const record = this.#decisions.state.agents.get(agent);
    if (record?.placement?.host !== from || record.placement.epoch !== epoch || record.active?.epoch === epoch) return;
    if (!this.#decisions.isReady() || this.#proposed.has(`active/${agent}/${epoch}`)) return;
    this.#proposed.add(`active/${agent}/${epoch}`);
    this.#decisions.propose({ kind: 'agentActive', agent, epoch, ...(step && { from: step }) }, ({ ok }) => {
      this.#proposed.delete(`active/${agent}/${epoch}`);
      // Tasks wait for it, and the host's own log may be a while behind.
      if (ok && from !== this.#context.self) {
        this.#context.out.sendUrgent(from, { type: 'activated', body: { agent, epoch } });
      }
      this.touch();
    });
  }

  #placeAgents(): void {
    const { state } = this.#decisions;
    const placedByHost = this.migrations.expectedByHost();
    const held = statesByNode(state);
    this.#holderNeeds.look();
    this.#recoveries.keep(state.agents);
    for (const agent of this.#relinquished.keys()) if (!state.agents.has(agent)) this.#relinquished.delete(agent);
    let turn = state.turn;
    let moves = this.#movesUnderWay();
    for (const agent of state.agents.values()) {
      if (this.#proposed.size >= this.#context.settings.placementsInFlightMax) return;
      if (this.#proposed.has(agent.id) || this.migrations.isProposed(agent.id)) continue;
      const need = this.#whatIsNeeded(agent, held);
      if (need === undefined) continue;
      if (!need.stay && !need.drains) this.migrations.abandon(agent, need.reason);
      if (need.drains && moves >= this.#context.settings.drainMovesMax) continue;
      if (need.stay && agent.placement !== undefined) {
        this.#propose(agent, agent.placement.host, need.reason, agent.decision ?? emptyDecision(agent), held);
        continue;
      }
      const candidates = candidatesFor(state, this.#loads, agent, placedByHost).filter(
        ({ node }) => !this.#detector.isSuspect(node) && !this.#isSilent(node),
      );
      const decision = decide(agent, candidates, turn);
      if (decision.node === undefined) {
        // One that runs where it is not to stay goes on there meanwhile: `drain-progress.ts` says why.
        if (!need.drains) this.#leavePending(agent, decision);
        continue;
      }
      turn += 1;
      const before = agent.placement?.host;
      if (before !== undefined) placedByHost.set(before, (placedByHost.get(before) ?? 1) - 1);
      placedByHost.set(decision.node, (placedByHost.get(decision.node) ?? 0) + 1);
      if (need.drains) {
        moves += 1;
        this.migrations.begin(agent, decision.node, need.reason, { decision });
      } else this.#propose(agent, decision.node, need.reason, decision, held);
    }
  }

  /** Agents on their way from nodes that drain, and not answering elsewhere yet. */
  #movesUnderWay(): number {
    const { state } = this.#decisions;
    if (![...state.members.values()].some(({ drain }) => drain !== undefined)) return 0;
    let count = 0;
    for (const { id, placement, active, migration } of state.agents.values()) {
      if (active === undefined || !state.isDraining(active.host)) continue;
      if (placement?.epoch !== active.epoch || migration !== undefined || this.migrations.isProposed(id)) count += 1;
    }
    return count;
  }

  /** Why the agent needs a new decision; undefined when it does not. */
  #whatIsNeeded(agent: AgentRecord, held: ReadonlyMap<NodeId, number>): Need | undefined {
    const { nowMs } = this.#context;
    const { state } = this.#decisions;
    const { placement } = agent;
    if (placement === undefined) return { reason: 'deployed', stay: false };
    const host = state.members.get(placement.host);
    if (isOvertaken(agent)) return this.fences.isOver(agent) ? { reason: wentOn, stay: false } : undefined;
    if (!state.stands(placement)) return { reason: whyHostIsGone(host, placement.boot), stay: false };
    const turn = this.rollouts.turnOf(agent);
    if (turn !== undefined && !this.#isSilent(placement.host)) return { reason: turn.reason, stay: true };
    const given = this.#relinquished.get(agent.id);
    if (given?.epoch === placement.epoch) {
      if (!this.#backoff.isOver(agent.id, nowMs) && !holdsUpDrain(state, agent, held)) return undefined;
      return { reason: `its host gave it up: ${given.reason}`, stay: false };
    }
    if (this.#isSilent(placement.host)) {
      return { reason: `its host ${host?.profile.name} hears no leader`, stay: false };
    }
    if (agent.active?.epoch !== placement.epoch) {
      if (!this.#recoveries.isLate(agent.id, placement.epoch)) return undefined;
      return { reason: 'its recovery did not end in time', stay: false };
    }
    this.#recoveries.end(agent.id);
    const lacking = this.#holderNeeds.of(agent, placement.holders, held);
    if (lacking !== undefined || host?.drain === undefined || agent.migration !== undefined) return lacking;
    if (!this.migrations.mayBegin(agent.id)) return undefined;
    return { reason: `its host ${host.profile.name} is drained`, stay: false, drains: true };
  }

  #whyGivenUp({ id, placement }: AgentRecord): string | undefined {
    const given = this.#relinquished.get(id);
    return given?.epoch === placement?.epoch ? given?.reason : undefined;
  }

  #leavePending(agent: AgentRecord, decision: Decision): void {
    const told = brief(decision);
    const more = told.omitted ? [`and ${told.omitted.rejected} more`] : [];
    const why = [...told.rejected.map(({ name, reason }) => `${name} ${reason}`), ...more].join('; ');
    const reason = `no node can take it: ${why || 'there is none'}`;
    if (agent.reason === reason) return;
    this.#proposed.add(agent.id);
    this.#decisions.propose({ kind: 'agentPending', agent: agent.id, reason, decision: told }, () => {
      this.#proposed.delete(agent.id);
    });
  }

  #propose(agent: AgentRecord, host: NodeId, reason: string, decision: Decision, held: Map<NodeId, number>): void {
    const { state } = this.#decisions;
    const boot = state.members.get(host)?.boot ?? 0;
    const holders = chooseHolders(state, agent, host, held);
    for (const node of holders) held.set(node, (held.get(node) ?? 0) + 1);
    this.#proposed.add(agent.id);
    const after = agent.placement?.epoch ?? 0;
    const { version, stays }: Partial<Turn> = this.rollouts.turnOf(agent) ?? {};
    const turn = { ...(version !== undefined && { version }), ...(stays !== undefined && { stays }) };
    const what = { after, host, boot, holders, reason, decision: brief(decision), loss: agent.loss?.index };
    this.#decisions.propose({ kind: 'agentPlace', agent: agent.id, ...what, ...turn }, (result) => {
      this.#proposed.delete(agent.id);
      if (result.ok) this.#relinquished.delete(agent.id);
      this.touch();
    });
  }

  // ---- asked for by an operator ----

  /** What would be decided for an agent right now; nothing is changed. */
  preview(agent: Wanted): Decision {
    const { state } = this.#decisions;
    return decide(agent, candidatesFor(state, this.#loads, agent, state.agentsByHost()), state.turn);
  }

  /** Moves an agent to the node that the operator named, or returns why not. */
  migrate(agent: AgentRecord, target: NodeId, by: Serial, done: (result: Result) => void): ConclaveError | undefined {
    const { state } = this.#decisions;
    const isMoving = agent.migration !== undefined || agent.active?.epoch !== agent.placement?.epoch;
    if (isMoving || this.#proposed.has(agent.id) || this.migrations.isProposed(agent.id)) {
      return errors.agentBusyMoving({ agent: agent.id });
    }
    const candidates = candidatesFor(state, this.#loads, agent, state.agentsByHost());
    const decision = decide(agent, candidates, state.turn);
    const refused = decision.rejected.find((rejected) => rejected.node === target);
    if (refused !== undefined || !state.isAlive(target)) {
      const node = state.members.get(target)?.profile.name ?? target;
      return errors.nodeNotEligible({ node, reason: refused?.reason ?? 'is not alive' });
    }
    const ordered = { ...decision, node: target, ordered: true };
    this.migrations.begin(agent, target, 'moved by an operator', { asked: { by, done }, decision: ordered });
    return undefined;
  }
}

const wentOn = 'an operator let it go on without most of its holders';

const emptyDecision = (agent: AgentRecord): Decision => ({
  strategy: agent.strategy,
  node: agent.placement?.host,
  ranked: [],
  rejected: [],
});
