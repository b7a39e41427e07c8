import { type Applied, done, refuse } from './applied.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Command } from './command.ts';
import { errors } from './errors.ts';
import { nameOf } from './member-name.ts';
import type { MigrationCommand } from './migration.ts';

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
  migrationBegin(state, { agent: id, after, target, boot, reason, atMs }, index) {
    const agent = state.agents.get(id);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    const { placement, active } = agent;
    if (placement?.epoch !== after || active?.epoch !== after || agent.migration !== undefined) {
      return { ok: false, error: errors.agentBusyMoving({ agent: id }) };
    }
    if (placement.host === target) return refuse(`agent ${id} is there already`);
    const problem = whyNotTarget(state, agent, target, boot);
    if (problem !== undefined) {
      return { ok: false, error: errors.nodeNotEligible({ node: nameOf(state, target), reason: problem }) };
    }
    const migration = { since: index, sinceMs: atMs, target, boot, reason, preparedBytes: undefined, epoch: undefined };
    state.changeAgent(agent, { migration });
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

  migrationFail(state, { agent: id, since, reason }) {
    const agent = state.agents.get(id);
    if (agent?.migration?.since !== since) return over();
    return end(state, agent, false, reason);
  },

  migrationCancel(state, { agent: id }) {
    const agent = state.agents.get(id);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    const { migration } = agent;
    if (migration === undefined) return { ok: false, error: errors.migrationUnknown({ agent: id }) };
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
  const text = `the move of ${id} to ${nameOf(state, target)} has ended${stays}: ${reason}`;
  const kind = cancelled ? 'migrationCancelled' : 'migrationFailed';
  return done(kind, text, { agent: id, since, target, reason }, [id]);
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
  const missing = capabilities.filter((capability) => !member.profile.capabilities.includes(capability));
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
  { host, boot, epoch, migration: named }: { host: string; boot: number; epoch: number; migration: number | undefined },
): Pick<AgentRecord, 'migration' | 'migrationEnd'> | string {
  const { migration, migrationEnd, placement } = agent;
  if (named !== undefined) {
    if (migration?.since !== named || migration.epoch !== undefined) return 'that migration is over';
    if (migration.target !== host || migration.boot !== boot) return 'that migration has another target';
    return { migration: { ...migration, epoch }, migrationEnd };
  }
  if (migration === undefined) return { migration, migrationEnd };
  if (placement?.host === host && migration.epoch === undefined) return { migration, migrationEnd };
  const { since } = migration;
  return { migration: undefined, migrationEnd: { since, cancelled: false, reason: 'the agent was placed anew' } };
}
