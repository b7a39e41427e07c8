import { offers } from '../../strategies/capability.ts';
import { type Applied, done, refuse } from './applied.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Command } from './command.ts';
import { errors } from './errors.ts';
import { nameOf } from './member-name.ts';
import type { MigrationCommand } from './migration.ts';
import { isBusy, whyNotVersion } from './rollout-apply.ts';
import { versionOf } from './type-version.ts';

type MigrationAppliers = {
  [K in MigrationCommand['kind']]: (
    state: ClusterState,
    command: Extract<Command, { kind: K }>,
    index: number,
  ) => Applied;
};

const over = (): Applied => refuse('that migration is over');

/** Applies the decisions about migrations; pure, as `apply` is. */
export const migrationAppliers: MigrationAppliers = {
  migrationBegin(state, { agent: id, after, target, boot, reason, version, decision, atMs }, index) {
    const agent = state.agents.get(id);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    const { placement, active } = agent;
    if (placement?.epoch !== after || active?.epoch !== after || agent.migration !== undefined) {
      return { ok: false, error: errors.agentBusyMoving({ agent: id }) };
    }
    if (version !== undefined) return beginUpgrade(state, agent, { target, boot, reason, version, atMs }, index);
    if (placement.host === target) return refuse(`agent ${id} is there already`);
    const problem = whyNotTarget(state, agent, target, boot);
    if (problem !== undefined) {
      return { ok: false, error: errors.nodeNotEligible({ node: nameOf(state, target), reason: problem }) };
    }
    const migration = { since: index, sinceMs: atMs, target, boot, reason, preparedBytes: undefined, epoch: undefined };
    state.changeAgent(agent, { migration: { ...migration, ...(decision && { decision }) } });
    const text = `${id} is to move to ${nameOf(state, target)}: ${reason}`;
    return done('migrationBegun', text, { agent: id, since: index, host: placement.host, target, reason }, [id]);
  },

  migrationPrepared(state, { agent: id, since, bytes }) {
    const agent = state.agents.get(id);
    const migration = agent?.migration;
    if (agent === undefined || migration?.since !== since || migration.epoch !== undefined) return over();
    if (migration.preparedBytes !== undefined) return refuse('its target is prepared already');
    state.changeAgent(agent, { migration: { ...migration, preparedBytes: bytes } });
    const { target } = migration;
    const text = `${nameOf(state, target)} is prepared for ${id}: it has its ${bytes} bytes of state`;
    return done('migrationPrepared', text, { agent: id, since, target, bytes }, [id]);
  },

  migrationFail(state, { agent: id, since, reason, blame }) {
    const agent = state.agents.get(id);
    if (agent?.migration?.since !== since) return over();
    if (agent.migration.version !== undefined) upgradeFailed(state, agent, blame === true);
    return end(state, agent, false, reason);
  },

  migrationCancel(state, { agent: id }) {
    const agent = state.agents.get(id);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    const { migration } = agent;
    if (migration === undefined) return { ok: false, error: errors.migrationUnknown({ agent: id }) };
    if (migration.version !== undefined) return { ok: false, error: errors.typeUpgrading({ type: agent.type }) };
    if (migration.epoch !== undefined) {
      const target = nameOf(state, migration.target);
      return { ok: false, error: errors.migrationSwitched({ agent: id, target }) };
    }
    return end(state, agent, true, 'an operator cancelled it');
  },
};

function end(state: ClusterState, agent: AgentRecord, cancelled: boolean, reason: string): Applied {
  const { id, migration } = agent;
  if (migration === undefined) return over();
  const { since, target } = migration;
  state.changeAgent(agent, { migration: undefined, migrationEnd: { since, cancelled, reason } });
  const stays = migration.epoch === undefined ? ', and it stays where it is' : '';
  const what =
    migration.version === undefined ? `the move of ${id} to ${nameOf(state, target)}` : `the upgrade of ${id}`;
  const text = `${what} has ended${stays}: ${reason}`;
  const kind = cancelled ? 'migrationCancelled' : 'migrationFailed';
  return done(kind, text, { agent: id, since, target, reason }, [id]);
}

/** Only one agent of a type at a time is upgraded or watched; back they all may go. */
function beginUpgrade(
  state: ClusterState,
  agent: AgentRecord,
  {
    target,
    boot,
    reason,
    version,
    atMs,
  }: { target: string; boot: number; reason: string; version: number; atMs: number },
  index: number,
): Applied {
  const { id } = agent;
  const type = state.types.get(agent.type);
  const why = whyNotVersion(agent, type?.rollout, version);
  if (type?.rollout === undefined || why !== undefined) return refuse(why ?? 'the rollout is over');
  const { rollout } = type;
  if (versionOf(agent) === version) return refuse(`agent ${id} runs that version already`);
  if (agent.placement?.host !== target || agent.placement.boot !== boot) return refuse('the agent is elsewhere');
  const { at } = rollout;
  if (rollout.phase === 'forward' && at !== undefined && at.agent !== id && isBusy(state, at.agent, rollout.since)) {
    return refuse(`${at.agent} is upgraded first`);
  }
  const migration = { since: index, sinceMs: atMs, target, boot, reason, preparedBytes: undefined, epoch: undefined };
  state.changeAgent(agent, { migration: { ...migration, version } });
  const failures = at?.agent === id ? at.failures : 0;
  if (rollout.phase === 'forward') {
    state.types.set(type.type, { ...type, rollout: { ...rollout, at: { agent: id, failures } } });
  }
  const details = { agent: id, since: index, host: target, target, reason, version };
  return done('migrationBegun', `${id} is to run version ${version}: ${reason}`, details, [id]);
}

function upgradeFailed(state: ClusterState, { id, type: name }: AgentRecord, blame: boolean): void {
  const type = state.types.get(name);
  const at = type?.rollout?.at;
  if (type?.rollout === undefined || at?.agent !== id) return;
  const next = { agent: id, failures: at.failures + (blame ? 1 : 0) };
  state.types.set(name, { ...type, rollout: { ...type.rollout, at: next } });
}

/** Why an agent may not be moved to a node at this place in the log; undefined when it may. */
function whyNotTarget(
  state: ClusterState,
  { capabilities }: AgentRecord,
  target: string,
  boot: number,
): string | undefined {
  const member = state.members.get(target);
  if (member?.membership !== 'alive' || member.boot !== boot) return 'it is not alive';
  if (member.drain !== undefined) return 'it is draining';
  const missing = capabilities.filter((capability) => !offers(member.profile.capabilities, capability));
  if (missing.length > 0) return `it lacks ${missing.join(', ')}`;
  const coming = [...state.agents.values()].filter(
    ({ migration, placement }) => migration?.target === target && placement?.host !== target,
  ).length;
  if ((state.agentsByHost().get(target) ?? 0) + coming >= member.profile.agentsMax) return 'it is full';
  return undefined;
}

/** What a placement does to the migration of its agent: it is the switch, leaves the host as it was, or ends it. */
export function migrationAfterPlacement(
  agent: AgentRecord,
  {
    host,
    boot,
    epoch,
    migration: named,
    version,
  }: { host: string; boot: number; epoch: number; migration: number | undefined; version: number | undefined },
): Pick<AgentRecord, 'migration' | 'migrationEnd'> | string {
  const { migration, migrationEnd, placement } = agent;
  if (named !== undefined) {
    if (migration?.since !== named || migration.epoch !== undefined) return 'that migration is over';
    if (migration.target !== host || migration.boot !== boot) return 'that migration has another target';
    return { migration: { ...migration, epoch }, migrationEnd };
  }
  if (migration === undefined) return { migration, migrationEnd };
  // Another decision about its version takes the place of an upgrade that is being prepared.
  const isOvertaken = version !== undefined && migration.version !== undefined;
  if (placement?.host === host && migration.epoch === undefined && !isOvertaken) return { migration, migrationEnd };
  const { since } = migration;
  return { migration: undefined, migrationEnd: { since, cancelled: false, reason: 'the agent was placed anew' } };
}
