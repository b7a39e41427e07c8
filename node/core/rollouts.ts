import { offers } from '../../strategies/capability.ts';
import type { AgentRecord, TypeRecord } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Migrations } from './migrations.ts';
import type { Rollout } from './rollout.ts';
import { type AwayReasons, RolloutAbsences } from './rollout-absences.ts';
import { isBusy, isDone, whyNotVersion } from './rollout-apply.ts';
import { limits } from './settings.ts';
import { capabilitiesAt, versionOf } from './type-version.ts';
import { noWayBack } from './version-change.ts';

/** Another version in which an agent is to be placed, without a preparation. */
export interface Turn {
  version: number;
  reason: string;
  stays?: string;
}

interface Watch {
  epoch: number;
  sinceMs: number;
}

const preparationsMax = 3;
/** A version that refused so many tasks and did none is no good, or those that there were while it was watched. */
const refusalsMax = 3;

/**
 * What the leader does about rollouts: upgrades one agent of a type after the other, watches each until it has held, and
 * takes all of them back when one fails. What has come of it is in the log, so the next leader goes on with it.
 */
export class Rollouts {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #migrations: Migrations;
  /** Why the host of an agent gave up its placement, if it did. */
  readonly #whyGivenUp: (agent: AgentRecord) => string | undefined;
  readonly #watched = new Map<string, Watch>();
  /** What hosts said of tasks that agents refuse which are watched. */
  readonly #refusing = new Map<string, MessageOf<'refusing'>>();
  /** By type: an agent that is upgraded without a preparation, as it does not answer. */
  readonly #direct = new Map<string, string>();
  /** Types about whose rollout a decision is proposed and not yet applied. */
  readonly #proposed = new Set<string>();
  readonly #absences: RolloutAbsences;

  constructor(context: Context, decisions: Decisions, migrations: Migrations, reasons: AwayReasons) {
    this.#context = context;
    this.#decisions = decisions;
    this.#migrations = migrations;
    this.#whyGivenUp = reasons.whyGivenUp;
    this.#absences = new RolloutAbsences(context, decisions.state, reasons);
  }

  reset(): void {
    this.#direct.clear();
    this.#watched.clear();
    this.#refusing.clear();
    this.#proposed.clear();
    this.#absences.reset();
  }

  /** An agent's host says that it failed: while it is watched it has to hold anew, and may not fail too often. */
  onAiling(from: NodeId, { agent: id, epoch, failures, total, reason }: MessageOf<'ailing'>): void {
    const agent = this.#decisions.state.agents.get(id);
    const rollout = agent && this.#decisions.state.types.get(agent.type)?.rollout;
    if (rollout?.phase !== 'forward' || failures === 0) return;
    if (agent?.placement?.host !== from || agent.placement.epoch !== epoch || !isWatched(agent, rollout)) return;
    const watch = this.#watched.get(id);
    if (watch?.epoch === epoch) watch.sinceMs = this.#context.nowMs;
    if (total > rollout.maxFailures) this.#turn(agent.type, rollout, id, `it failed ${total} times: ${reason}`);
  }

  /** An agent's host says that its new version refuses tasks: it has to do one as well. */
  onRefusing(from: NodeId, said: MessageOf<'refusing'>): void {
    const agent = this.#decisions.state.agents.get(said.agent);
    const rollout = agent && this.#decisions.state.types.get(agent.type)?.rollout;
    if (rollout?.phase !== 'forward' || agent?.placement?.host !== from || !isWatched(agent, rollout)) return;
    if (agent.placement.epoch !== said.epoch) return;
    this.#refusing.set(agent.id, said);
    const why = said.refused < refusalsMax ? undefined : this.#whyRefused(agent.id, said.epoch);
    if (why !== undefined) this.#turn(agent.type, rollout, agent.id, why);
  }

  /** Why a version is no good that has refused whatever it was given in an epoch. */
  #whyRefused(id: string, epoch: number): string | undefined {
    const said = this.#refusing.get(id);
    if (said?.epoch !== epoch || said.done || said.refused === 0) return undefined;
    const tasks = said.refused === 1 ? 'the one task that it was given' : `all ${said.refused} tasks that it was given`;
    return `it refused ${tasks}: ${said.reason}`;
  }

  /** A host gives up an agent that runs the new version. */
  onGivenUp(agent: AgentRecord, reason: string): void {
    const rollout = this.#decisions.state.types.get(agent.type)?.rollout;
    if (rollout?.phase !== 'forward' || versionOf(agent) !== rollout.to || agent.upgrade?.rollout !== rollout.since)
      return;
    this.#turn(agent.type, rollout, agent.id, reason);
  }

  /** The version that an agent is to be placed in at once, where it cannot be prepared for that, or does not answer. */
  turnOf(agent: AgentRecord): Turn | undefined {
    const rollout = this.#decisions.state.types.get(agent.type)?.rollout;
    const { upgrade, placement, active } = agent;
    const wrote = this.#whatWroteIt(agent, rollout);
    if (wrote !== undefined) return wrote;
    if (rollout?.phase === 'forward' && this.#direct.get(agent.type) === agent.id) {
      const { to: version } = rollout;
      return versionOf(agent) === version ? undefined : { version, reason: rolledOut(version) };
    }
    if (rollout?.phase !== 'back' || upgrade?.rollout !== rollout.since || upgrade.stays !== undefined)
      return undefined;
    const givenUp = this.#whyGivenUp(agent);
    if (versionOf(agent) === rollout.to) {
      // What fails over its tasks is not to try them once more while the old version is made ready.
      const isAiling = givenUp !== undefined || agent.crashLoop !== undefined || rollout.failed === agent.id;
      if (active?.epoch === placement?.epoch && !isAiling) return undefined;
      const isLeft = upgrade.left !== undefined || this.#absences.whyLeft(agent) !== undefined;
      if (active?.epoch !== placement?.epoch && isLeft) return undefined;
      return { version: upgrade.from, reason: `back to version ${upgrade.from}` };
    }
    const stays = givenUp?.startsWith(noWayBack) === true ? givenUp : this.#whyNeverBack(agent, rollout);
    if (stays === undefined) return undefined;
    return { version: rollout.to, reason: `it stays on version ${rollout.to}: ${stays}`, stays };
  }

  /** An earlier rollout went back and ended without it, and now there turns out to be no way back from its state. */
  #whatWroteIt(agent: AgentRecord, rollout: Rollout | undefined): Turn | undefined {
    const { writtenBy: version, upgrade } = agent;
    const isWaitedFor = upgrade !== undefined && upgrade.left === undefined;
    if (version === undefined || version === rollout?.to || isWaitedFor) return undefined;
    if (this.#whyGivenUp(agent)?.startsWith(noWayBack) !== true) return undefined;
    return { version, reason: `version ${version} wrote its state, and there is no way back to ${versionOf(agent)}` };
  }

  /** Why an agent on its way back that has not answered for long gets the newer version once more; then it is left. */
  #whyNeverBack(agent: AgentRecord, rollout: Rollout): string | undefined {
    if (!isOnItsWayBack(agent, rollout)) return undefined;
    return this.#absences.whyLeft(agent)?.slice(0, limits.reasonLengthMax);
  }

  tick(): void {
    const { state } = this.#decisions;
    const going = [...state.types.values()].filter(({ rollout }) => rollout !== undefined);
    this.#abandonStray();
    if (going.length === 0) {
      this.#watched.clear();
      this.#refusing.clear();
      this.#direct.clear();
      this.#absences.reset();
      return;
    }
    const byType = new Map<string, AgentRecord[]>(going.map(({ type }) => [type, []]));
    for (const agent of state.agents.values()) byType.get(agent.type)?.push(agent);
    const waited = (type: TypeRecord): AgentRecord[] =>
      (byType.get(type.type) ?? []).filter((agent) => !isDone(agent, type.rollout as Rollout));
    for (const type of going) this.#absences.follow(type, byType.get(type.type) ?? []);
    this.#absences.look(new Set(going.flatMap(waited)));
    for (const type of going) {
      if (type.rollout === undefined || this.#proposed.has(type.type)) continue;
      const open = waited(type);
      if (this.#leave(type.type, type.rollout, open)) continue;
      if (open.length === 0)
        this.#propose(type.type, { kind: 'rolloutEnd', type: type.type, since: type.rollout.since });
      else if (type.rollout.phase === 'forward') this.#goOn(type, type.rollout, open);
      else this.#goBack(type, open);
    }
  }

  /** Goes on without an agent that has not answered for long, if there is one. */
  #leave(type: string, rollout: Rollout, open: readonly AgentRecord[]): boolean {
    const { since } = rollout;
    for (const agent of open) {
      if (isOnItsWayBack(agent, rollout)) continue;
      const why = this.#absences.whyLeft(agent)?.slice(0, limits.reasonLengthMax);
      if (why === undefined) continue;
      this.#propose(type, { kind: 'rolloutLeave', type, since, agent: agent.id, reason: why });
      return true;
    }
    return false;
  }

  /** Ends preparations of a version that is not wanted any more. */
  #abandonStray(): void {
    const { state } = this.#decisions;
    for (const agent of state.agents.values()) {
      const { migration } = agent;
      if (migration?.version === undefined || migration.epoch !== undefined) continue;
      const why = whyNotVersion(agent, state.types.get(agent.type)?.rollout, migration.version);
      if (why !== undefined) this.#migrations.abandon(agent, why);
    }
  }

  #goOn(type: TypeRecord, rollout: Rollout, open: readonly AgentRecord[]): void {
    const { state } = this.#decisions;
    const { at, since, to } = rollout;
    this.#direct.delete(type.type);
    if (at !== undefined && isBusy(state, at.agent, since)) return this.#watch(type, rollout, at.agent);
    if (at !== undefined && at.failures >= preparationsMax) {
      const reason = state.agents.get(at.agent)?.migrationEnd?.reason ?? 'it could not be prepared';
      return this.#turn(type.type, rollout, at.agent, reason);
    }
    // What failed to be prepared is tried again before all others, so that its failures are counted together.
    const tried = at !== undefined && at.failures > 0 ? open.find(({ id }) => id === at.agent) : undefined;
    const next = tried ?? open.find((agent) => this.#isReady(agent)) ?? open.find((agent) => this.#isAiling(agent));
    if (next === undefined || !(this.#isReady(next) || this.#isAiling(next))) return;
    const lacking = this.#whatHostLacks(type, next, to);
    if (lacking !== undefined) this.#turn(type.type, rollout, next.id, lacking);
    else if (this.#isAiling(next)) this.#direct.set(type.type, next.id);
    else this.#migrations.begin(next, next.placement?.host ?? '', rolledOut(to), { version: to });
  }

  #whatHostLacks(type: TypeRecord, agent: AgentRecord, version: number): string | undefined {
    const host = this.#decisions.state.members.get(agent.placement?.host ?? '');
    const missing = capabilitiesAt(type, agent, version).filter(
      (capability) => !offers(host?.profile.capabilities ?? [], capability),
    );
    return missing.length === 0 ? undefined : `its host ${host?.profile.name} lacks ${missing.join(', ')}`;
  }

  /** It fails again and again, and nothing is to be prepared while it does: the new version may be what mends it. */
  #isAiling(agent: AgentRecord): boolean {
    const { placement, crashLoop, migration } = agent;
    if (placement === undefined || migration !== undefined || !this.#decisions.state.stands(placement)) return false;
    return crashLoop !== undefined || this.#whyGivenUp(agent) !== undefined;
  }

  /** It answers, and nothing else is under way with it. */
  #isReady(agent: AgentRecord): boolean {
    const { placement, active, migration } = agent;
    if (placement === undefined || active?.epoch !== placement.epoch || migration !== undefined) return false;
    if (this.#whyGivenUp(agent) !== undefined || agent.crashLoop !== undefined) return false;
    return this.#decisions.state.stands(placement) && this.#migrations.mayBegin(agent.id);
  }

  #watch({ type }: TypeRecord, rollout: Rollout, id: string): void {
    const agent = this.#decisions.state.agents.get(id);
    const { nowMs } = this.#context;
    const placement = agent?.placement;
    if (agent === undefined || placement === undefined || !isWatched(agent, rollout)) return;
    const { epoch } = placement;
    if (agent.active?.epoch !== epoch) return;
    const watch = this.#watched.get(id);
    if (watch?.epoch !== epoch) {
      this.#watched.set(id, { epoch, sinceMs: nowMs });
      return;
    }
    if (nowMs - watch.sinceMs < rollout.settleMs || !this.#decisions.state.stands(placement)) {
      return;
    }
    const why = this.#whyRefused(id, epoch);
    if (why !== undefined) return this.#turn(type, rollout, id, why);
    this.#watched.delete(id);
    this.#refusing.delete(id);
    this.#propose(type, { kind: 'rolloutSettled', type, since: rollout.since, agent: id, epoch });
  }

  /** Those that answer go back prepared, one after the other; of the rest `turnOf` says when they are placed anew. */
  #goBack({ type }: TypeRecord, open: readonly AgentRecord[]): void {
    if (open.some(({ migration, id }) => migration?.version !== undefined || this.#migrations.isProposed(id))) return;
    const next = open.find(
      (agent) => agent.upgrade !== undefined && versionOf(agent) !== agent.upgrade.from && this.#mayGoBack(agent),
    );
    const { upgrade, placement } = next ?? {};
    if (next === undefined || upgrade === undefined || placement === undefined) return;
    const reason = `the rollout of ${type} goes back`;
    this.#migrations.begin(next, placement.host, reason, { version: upgrade.from });
  }

  #mayGoBack(agent: AgentRecord): boolean {
    if (agent.upgrade?.stays !== undefined || this.turnOf(agent) !== undefined) return false;
    // In a crash loop or not.
    return this.#isReady({ ...agent, crashLoop: undefined });
  }

  #turn(type: string, { since }: Rollout, agent: string, why: string): void {
    const reason = why.slice(0, limits.reasonLengthMax);
    this.#propose(type, { kind: 'rolloutTurn', type, since, agent, reason });
  }

  #propose(type: string, draft: Parameters<Decisions['propose']>[0]): void {
    if (this.#proposed.has(type)) return;
    this.#proposed.add(type);
    this.#decisions.propose(draft, () => void this.#proposed.delete(type));
  }
}

const rolledOut = (version: number): string => `version ${version} is rolled out`;

/**
 * Whether an agent was to go back and has not answered since. Its state may be of the newer version, and once the rollout is
 * over nobody would give it other code. What failed in that version is not left with it.
 */
function isOnItsWayBack(agent: AgentRecord, { since, to, phase, failed }: Rollout): boolean {
  const { id, upgrade, placement, active } = agent;
  if (phase !== 'back' || failed === id || upgrade?.rollout !== since || upgrade.stays !== undefined) return false;
  return versionOf(agent) !== to && active?.epoch !== placement?.epoch;
}

const isWatched = ({ upgrade }: AgentRecord, { since }: Rollout): boolean =>
  upgrade?.rollout === since && !upgrade.settled;
