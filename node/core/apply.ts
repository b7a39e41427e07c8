import { offers } from '../../strategies/capability.ts';
import { applyRecover, whyOvertaken } from './agent-recovery-apply.ts';
import { type Applied, done, refuse } from './applied.ts';
import { lineageAfter } from './branch.ts';
import { branchAppliers } from './branch-apply.ts';
import type { AgentRecord, ClusterState, TypeRecord } from './cluster-state.ts';
import type { Command, CommandKind, CommandOf } from './command.ts';
import { crashLoopAppliers } from './crash-loop-apply.ts';
import { drainAppliers, drainOfNextStart } from './drain-apply.ts';
import { errors } from './errors.ts';
import type { Isolation } from './isolation.ts';
import { kvAppliers } from './kv-apply.ts';
import { firstVersion } from './mailbox.ts';
import { nameOf } from './member-name.ts';
import type { NodeId } from './message.ts';
import { migrationAfterPlacement, migrationAppliers } from './migration-apply.ts';
import { majorityOf } from './replication.ts';
import { noteUpgrade, rolloutAppliers, upgradeAfterPlacement } from './rollout-apply.ts';
import { limits } from './settings.ts';
import { topicsAppliers } from './topics.ts';
import { isSameCode, isSameRuntime, neededCapabilities, runtimeName, runtimeOf } from './type-capability.ts';
import { capabilitiesAt, hasRoom, pruned, versionOf, withPresent } from './type-version.ts';
import type { TypeCode } from './version-change.ts';

type Appliers = { [K in CommandKind]: (state: ClusterState, command: CommandOf<K>, index: number) => Applied };

/** Whether what was applied says that somebody came or went. */
export const changesMembers = (kind: string): boolean => kind.startsWith('member') || kind === 'clusterRecovered';

/**
 * Applies one command to the state at its place in the log. Pure: the same state and command give the same result on
 * every node, and a command that no longer fits is refused here, whatever its proposer believed.
 */
export function apply(state: ClusterState, command: Command, index: number): Applied {
  const applier = appliers[command.kind] as ((s: ClusterState, c: Command, i: number) => Applied) | undefined;
  return applier?.(state, command, index) ?? refuse(`unknown kind of decision "${String(command.kind)}"`);
}

const appliers: Appliers = {
  ...kvAppliers,
  ...drainAppliers,
  ...migrationAppliers,
  ...branchAppliers,
  ...crashLoopAppliers,
  ...rolloutAppliers,
  ...topicsAppliers,
  agentRecover: applyRecover,

  memberJoin(state, { node, boot, start, profile }, index) {
    const known = state.members.get(node);
    if (state.isOutdated(node, boot, start)) return refuse(`node ${profile.name} asked to join from an older disk`);
    if (known === undefined && state.members.size >= limits.membersMax)
      return refuse('the cluster has its most members');
    if (known?.start === start && known.membership === 'alive')
      return refuse(`node ${profile.name} is a member already`);
    if (known !== undefined) state.changeMembership(known, 'alive', index);
    const drain = drainOfNextStart(known, index);
    state.members.set(node, { node, boot, start, profile, membership: 'alive', since: index, drain });
    state.sessions.open(String(index), index);
    const text = `${profile.name} joined${drain === undefined ? '' : ', and is drained as before'}`;
    return done('memberJoined', text, { node, boot, name: profile.name, draining: drain !== undefined });
  },

  memberDead(state, { node, boot, accusers }, index) {
    const member = state.members.get(node);
    if (member?.membership !== 'alive' || member.boot !== boot) return refuse('that node is not alive at that start');
    state.changeMembership(member, 'dead', index);
    const names = accusers.map((accuser) => nameOf(state, accuser));
    return done('memberDead', `${member.profile.name} is dead: ${names.join(', ')} cannot reach it`, {
      node,
      boot,
      accusers,
      name: member.profile.name,
    });
  },

  memberLeft(state, { node, boot }, index) {
    const member = state.members.get(node);
    if (member?.membership !== 'alive' || member.boot !== boot) return refuse('that node is not alive at that start');
    if (member.drain?.stopping !== true) return refuse('that node is not to stop');
    state.changeMembership(member, 'left', index);
    return done('memberLeft', `${member.profile.name} left`, { node, boot, name: member.profile.name });
  },

  voterNote(state, { node, votes, reason }) {
    if (!state.members.has(node)) return refuse('there is no such member');
    state.voterNote = { node, votes, reason };
    const name = nameOf(state, node);
    const text = `${name} is to ${votes ? 'vote' : 'vote no more'}: ${reason}`;
    return done('voterChosen', text, { node, votes, reason, name });
  },

  agentsCreate(state, command, index) {
    const remembered = command.request === undefined ? undefined : state.requests.get(command.request);
    if (remembered !== undefined) return done('agentsCreated', 'asked for twice, made once', {}, remembered);
    if (state.agents.size + state.ending.size + command.count > limits.agentsMax) {
      return { ok: false, error: errors.agentsTooMany({ agentsMax: limits.agentsMax }) };
    }
    if (command.name !== undefined && state.isNameTaken(command.name)) {
      return { ok: false, error: errors.agentExists({ agent: command.name }) };
    }
    const refused = defineType(state, command, index);
    if (refused !== undefined) return refused;
    const ids = command.name !== undefined ? [command.name] : freeNames(state, command.base, command.count);
    const type = state.types.get(command.agentType);
    const capabilities = neededCapabilities(command.capabilities, type ?? {});
    const version = versionOf(type ?? {});
    for (const id of ids) {
      state.agents.set(id, {
        id,
        type: command.agentType,
        strategy: command.strategy,
        capabilities,
        holdersWanted: command.holders,
        ...(command.topics !== undefined && command.topics.length > 0 && { topics: command.topics }),
        ...(command.partition === 'autonomous' && { partition: command.partition }),
        created: index,
        placement: undefined,
        active: undefined,
        reason: 'deployed',
        decision: undefined,
        ...(version !== firstVersion && { version }),
      });
    }
    if (command.request !== undefined) state.rememberRequest(command.request, ids);
    const text = `${ids.join(', ')} deployed (${command.strategy})`;
    const { agentType, strategy } = command;
    return done('agentsCreated', text, { agents: ids, type: agentType, strategy, version }, ids);
  },

  agentPlace(state, command, index) {
    const agent = state.agents.get(command.agent);
    if (agent === undefined) return refuse(`there is no agent ${command.agent}`);
    if ((agent.placement?.epoch ?? 0) !== command.after) return refuse('another decision about the agent came first');
    const overtaken = whyOvertaken(agent, command.loss);
    if (overtaken !== undefined) return refuse(overtaken);
    const { host, boot, holders, migration, version, stays } = command;
    const upgrade = upgradeAfterPlacement(state, agent, version, stays);
    if (typeof upgrade === 'string') return refuse(upgrade);
    const capabilities = capabilitiesFor(state, agent, version);
    const reason = whyNot(state, command, { ...agent, capabilities });
    if (reason !== undefined) return refuse(reason);
    const moves = migrationAfterPlacement(agent, { host, boot, epoch: index, migration, version });
    if (typeof moves === 'string') return refuse(moves);
    const moved = agent.placement === undefined || agent.placement.host !== host;
    const placement = { epoch: index, host, boot, holders };
    const { decision } = command;
    state.changeAgent(agent, { placement, capabilities, reason: command.reason, decision, ...moves, ...upgrade });
    noteUpgrade(state, agent, version);
    if (moved) state.turn += 1;
    return done(
      'agentPlaced',
      `${agent.id} on ${nameOf(state, host)}: ${command.reason}`,
      { agent: agent.id, host, epoch: index, holders, reason: command.reason, decision, migration, version, stays },
      [agent.id],
    );
  },

  agentPending(state, { agent: id, reason, decision }) {
    const agent = state.agents.get(id);
    if (agent === undefined) return refuse(`there is no agent ${id}`);
    state.changeAgent(agent, { reason, decision });
    return done('agentPending', `${id} waits: ${reason}`, { agent: id, reason, decision }, [id]);
  },

  agentActive(state, { agent: id, epoch, from }) {
    const agent = state.agents.get(id);
    if (agent?.placement?.epoch !== epoch) return refuse('the placement was decided anew meanwhile');
    if (agent.active?.epoch === epoch) return refuse('the epoch is active already');
    const overtaken = whyOvertaken(agent);
    if (overtaken !== undefined) return refuse(overtaken);
    const arrived = agent.migration?.epoch === epoch;
    const isAutonomous = agent.partition === 'autonomous';
    const lineage = isAutonomous ? lineageAfter(agent.lineage ?? [], { epoch, ...(from && { from }) }) : undefined;
    const more = { ...(arrived && { migration: undefined }), ...(lineage && { lineage }) };
    state.changeAgent(agent, { active: agent.placement, ...more });
    const host = nameOf(state, agent.placement.host);
    return done(
      'agentActive',
      `${id} answers on ${host} in epoch ${epoch}`,
      { agent: id, epoch, host: agent.placement.host },
      [id],
    );
  },

  agentDelete(state, { agent: id }, index) {
    const agent = state.agents.get(id);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    state.agents.delete(id);
    state.ending.set(id, { index, holders: agent.active?.holders ?? [] });
    return done('agentDeleted', `${id} deleted`, { agent: id }, [id]);
  },

  clusterRecovered(
    state,
    { from, cluster, lastTerm, lastIndex, survivors, lostVoters, olderState, otherLetters },
    index,
  ) {
    for (const member of state.members.values()) {
      if (member.membership !== 'alive' || survivors.includes(member.node)) continue;
      state.changeMembership(member, 'dead', index);
    }
    const [first = ''] = survivors;
    state.voterNote = { node: first, votes: true, reason: 'the cluster was recovered from its log' };
    const older = olderState ? goOnWith(state, survivors) : [];
    // Of any agent later epochs may be lost with this log's end.
    if (otherLetters) for (const agent of state.agents.values()) state.changeAgent(agent, { wentOnAt: index });
    const lost = lostVoters.map((node) => nameOf(state, node)).join(', ');
    const text =
      `cluster ${from} lost its majority (${lost}) and was recovered as ${cluster} by an operator, from the log of ` +
      `${nameOf(state, first)} up to index ${lastIndex} of term ${lastTerm}` +
      (older.length > 0 ? `; from a state that may be older: ${older.join(', ')}` : '');
    const details = { from, cluster, lastTerm, lastIndex, survivors, lostVoters, olderState: older };
    return done('clusterRecovered', text, details);
  },

  outcome: () => refuse('it decides nothing'),
  skip: () => refuse('it decides nothing'),

  agentGone(state, { agent: id, index }) {
    if (state.ending.get(id)?.index !== index) return refuse(`agent ${id} is not ending`);
    state.ending.delete(id);
    return done('agentGone', `${id} is gone`, { agent: id, index }, [id]);
  },
};

function capabilitiesFor(state: ClusterState, agent: AgentRecord, version: number | undefined): string[] {
  const type = state.types.get(agent.type);
  return version === undefined || type === undefined ? agent.capabilities : capabilitiesAt(type, agent, version);
}

/** Agents that lost most of their holders are content with the rest; returns which. */
function goOnWith(state: ClusterState, survivors: readonly NodeId[]): string[] {
  const older: string[] = [];
  for (const agent of state.agents.values()) {
    const { active } = agent;
    const left = active?.holders.filter((holder) => survivors.includes(holder)) ?? [];
    if (active === undefined || left.length === 0 || left.length >= majorityOf(active.holders.length)) continue;
    state.changeAgent(agent, { active: { ...active, holders: left } });
    older.push(agent.id);
  }
  return older;
}

/** Why a placement may not stand at this place in the log; undefined when it may. */
function whyNot(
  state: ClusterState,
  command: CommandOf<'agentPlace'>,
  { capabilities, placement: present, active }: AgentRecord,
): string | undefined {
  const host = state.members.get(command.host);
  if (host?.membership !== 'alive' || host.boot !== command.boot) return 'the host is not alive';
  const isSameStart = present?.host === command.host && present.boot === command.boot;
  if (host.drain !== undefined && !isSameStart) return 'the host is draining';
  const missing = capabilities.filter((capability) => !offers(host.profile.capabilities, capability));
  if (missing.length > 0) return `the host lacks ${missing.join(', ')}`;
  const stays = present?.host === command.host;
  if (!stays && (state.agentsByHost().get(command.host) ?? 0) >= host.profile.agentsMax) return 'the host is full';
  const distinct = new Set(command.holders);
  if (distinct.size !== command.holders.length || distinct.size === 0) return 'the holders are not distinct';
  if (distinct.size > limits.holdersMax) return 'there are too many holders';
  if (!distinct.has(command.host)) return 'the host is not among the holders';
  if (command.holders.some((holder) => !state.isAlive(holder))) return 'a holder is not alive';
  const known = [...(present?.holders ?? []), ...(active?.holders ?? [])];
  const isNew = (holder: NodeId): boolean => !known.includes(holder);
  if (command.holders.some((holder) => state.isDraining(holder) && isNew(holder))) return 'a new holder is draining';
  return undefined;
}

/** Takes up what the command says of its agents' type; returns why it cannot. */
function defineType(state: ClusterState, command: CommandOf<'agentsCreate'>, index: number): Applied | undefined {
  const { agentType: type } = command;
  const known = state.types.get(type);
  const isCode = command.source !== undefined || command.container !== undefined;
  if (!isCode && known === undefined) return { ok: false, error: errors.typeUnknown({ type }) };
  if (known === undefined && state.types.size >= limits.typesMax) return refuse('the cluster has its most agent types');
  // Agents of the type may live where the other runtime is not.
  if (known !== undefined && isCode && !isSameRuntime(known, command)) return refuse(otherRuntime(known));
  const given = { source: command.source ?? '', ...runtimeOf(command) };
  if (command.versioned === true && known !== undefined && isCode && isOtherVersion(known, given)) {
    return defineVersion(state, known, given, command.isolation, index);
  }
  const code = isCode || known === undefined ? given : known;
  const isolation = command.isolation ?? known?.isolation;
  const defined = { ...known, ...code, type, defined: index, ...(isolation !== undefined && { isolation }) };
  const isThread = defined.interpreter === undefined && defined.container === undefined;
  if (!isThread && isolation !== undefined) return refuse(`the type ${type} has no threads to share`);
  if (known === undefined || !isSameCode(known, defined) || known.isolation !== isolation)
    state.types.set(type, defined);
  return undefined;
}

/** The limits of containers are not code: they change for all. */
const isOtherVersion = (known: TypeRecord, code: TypeCode): boolean =>
  known.container === undefined && !isSameCode(known, code);

/** Other code for new agents; those that are there keep theirs until they are upgraded. */
function defineVersion(
  state: ClusterState,
  known: TypeRecord,
  code: TypeCode,
  isolation: Isolation | undefined,
  index: number,
): Applied | undefined {
  const { type } = known;
  if (known.rollout !== undefined) return { ok: false, error: errors.typeUpgrading({ type }) };
  const room = pruned(state, known);
  const max = limits.versionsOfTypeMax;
  if (!hasRoom(room)) return { ok: false, error: errors.versionsTooMany({ type, max }) };
  const version = (known.lastVersion ?? versionOf(known)) + 1;
  const added = {
    ...room,
    lastVersion: version,
    defined: index,
    others: [...(room.others ?? []), { version, ...code }],
  };
  if (isolation !== undefined && code.interpreter !== undefined)
    return refuse(`the type ${type} has no threads to share`);
  const next = withPresent(
    state,
    { ...added, ...(isolation !== undefined && { isolation }) },
    version,
    versionOf(known),
  );
  state.types.set(type, next);
  return undefined;
}

const otherRuntime = (known: TypeRecord): string =>
  `the type ${known.type} is run by ${runtimeName(known)}; give code for another runtime another type`;

function freeNames(state: ClusterState, base: string, count: number): string[] {
  const names: string[] = [];
  for (let n = 1; names.length < count; n++) {
    const name = `${base}-${n}`;
    if (!state.isNameTaken(name)) names.push(name);
  }
  return names;
}
