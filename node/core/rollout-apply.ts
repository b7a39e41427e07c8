import { type Applied, done, refuse } from './applied.ts';
import type { AgentRecord, ClusterState, TypeRecord } from './cluster-state.ts';
import type { Command, CommandOf } from './command.ts';
import { errors } from './errors.ts';
import type { Rollout, RolloutCommand, RolloutEnd } from './rollout.ts';
import { limits } from './settings.ts';
import { isSameCode, runtimeName, runtimeOf } from './type-capability.ts';
import { agentsOf, codeOf, hasRoom, pruned, versionOf, versionWith, withPresent } from './type-version.ts';

type RolloutAppliers = {
  [K in RolloutCommand['kind']]: (
    state: ClusterState,
    command: Extract<Command, { kind: K }>,
    index: number,
  ) => Applied;
};

const over = (): Applied => refuse('that rollout is over');

/** Applies the decisions about rollouts; pure, as `apply` is. */
export const rolloutAppliers: RolloutAppliers = {
  rolloutBegin(state, command, index) {
    const { type: name, request, atMs, maxFailures, settleMs } = command;
    if (request !== undefined && state.requests.has(request)) {
      return done('rolloutBegun', 'asked for twice, begun once', { type: name });
    }
    const type = state.types.get(name);
    if (type === undefined) return { ok: false, error: errors.typeUnknown({ type: name }) };
    if (type.rollout !== undefined) return { ok: false, error: errors.typeUpgrading({ type: name }) };
    const target = command.previous === true ? previousOf(type) : addVersion(state, type, command);
    if ('ok' in target) return target;
    const { type: next, to } = target;
    const isThere = agentsOf(state, name).every((agent) => versionOf(agent) === to);
    if (to === versionOf(type) && isThere)
      return { ok: false, error: errors.typeUnchanged({ type: name, version: to }) };
    const from = versionOf(type);
    const rollout: Rollout = { since: index, sinceMs: atMs, from, to, maxFailures, settleMs, phase: 'forward' };
    state.types.set(name, { ...next, rollout });
    if (request !== undefined) state.rememberRequest(request, []);
    const text = `version ${to} of ${name} is rolled out`;
    return done('rolloutBegun', text, { type: name, since: index, from, to });
  },

  rolloutTurn(state, { type: name, since, agent, reason }) {
    const type = state.types.get(name);
    const rollout = type?.rollout;
    if (type === undefined && since === undefined) return { ok: false, error: errors.typeUnknown({ type: name }) };
    if (type === undefined || rollout?.phase !== 'forward' || (since !== undefined && rollout.since !== since)) {
      return since === undefined ? { ok: false, error: errors.rolloutUnknown({ type: name }) } : over();
    }
    state.types.set(name, { ...type, rollout: { ...rollout, phase: 'back', at: undefined, reason, failed: agent } });
    for (const each of agentsOf(state, name)) forgetLeft(state, each, rollout);
    const text = `the rollout of version ${rollout.to} of ${name} goes back${agent ? ` because of ${agent}` : ''}: ${reason}`;
    return done('rolloutTurned', text, { type: name, since: rollout.since, to: rollout.to, agent, reason });
  },

  rolloutSettled(state, { type: name, since, agent: id, epoch }) {
    const type = state.types.get(name);
    const agent = state.agents.get(id);
    const rollout = type?.rollout;
    if (type === undefined || rollout?.since !== since || rollout.phase !== 'forward') return over();
    if (agent?.upgrade?.rollout !== since || agent.upgrade.settled) return refuse('that agent is not watched');
    if (agent.active?.epoch !== epoch || agent.placement?.epoch !== epoch)
      return refuse('it was placed anew meanwhile');
    state.changeAgent(agent, { upgrade: { ...agent.upgrade, settled: true } });
    state.types.set(name, { ...type, rollout: { ...rollout, at: undefined } });
    return done('rolloutSettled', `${id} holds on version ${rollout.to}`, { type: name, since, agent: id }, [id]);
  },

  rolloutLeave(state, { type: name, since, agent: id, reason }) {
    const type = state.types.get(name);
    const agent = state.agents.get(id);
    const rollout = type?.rollout;
    if (type === undefined || rollout?.since !== since) return over();
    if (agent?.type !== name) return refuse('there is no such agent');
    if (isDone(agent, rollout)) return refuse('that agent is done');
    if (!isAway(state, agent)) return refuse('that agent answers again');
    const known = agent.upgrade?.rollout === since ? agent.upgrade : undefined;
    const upgrade = { rollout: since, from: known?.from ?? versionOf(agent), stays: known?.stays, settled: true };
    state.changeAgent(agent, { upgrade: { ...upgrade, left: reason } });
    if (rollout.at?.agent === id) state.types.set(name, { ...type, rollout: { ...rollout, at: undefined } });
    const text = `the rollout of version ${rollout.to} of ${name} goes on without ${id}: ${reason}`;
    return done('rolloutLeft', text, { type: name, since, agent: id, reason }, [id]);
  },

  rolloutEnd(state, { type: name, since }) {
    const type = state.types.get(name);
    const rollout = type?.rollout;
    if (type === undefined || rollout?.since !== since) return over();
    const agents = agentsOf(state, name);
    const waits = agents.find((agent) => !isDone(agent, rollout));
    if (waits !== undefined) return refuse(`${waits.id} is not done`);
    return end(state, type, rollout, agents);
  },
};

const some = (agents: readonly AgentRecord[]): string =>
  `${agents
    .slice(0, 3)
    .map(({ id }) => id)
    .join(', ')}${agents.length > 3 ? ', …' : ''}`;

/** It does not answer, and nothing can be done about its version meanwhile. */
export function isAway(state: ClusterState, { placement, active }: AgentRecord): boolean {
  return placement === undefined || active?.epoch !== placement.epoch || !state.stands(placement);
}

/** Once a rollout goes back, those that it went on without are waited for anew. */
function forgetLeft(state: ClusterState, agent: AgentRecord, { since, to }: Rollout): void {
  const { upgrade } = agent;
  if (upgrade?.rollout !== since || upgrade.left === undefined) return;
  const { left: _, ...rest } = upgrade;
  state.changeAgent(agent, { upgrade: versionOf(agent) === to ? rest : undefined });
}

/** Whether a rollout has nothing more to do with an agent. */
export function isDone(agent: AgentRecord, { since, to, phase }: Rollout): boolean {
  const { upgrade, placement, active } = agent;
  const isOf = upgrade?.rollout === since;
  const isAnswering = placement !== undefined && active?.epoch === placement.epoch;
  if (isOf && upgrade.left !== undefined && !isAnswering) return true;
  if (phase === 'forward') return versionOf(agent) === to && (!isOf || upgrade.settled);
  if (!isOf) return agent.migration?.version === undefined;
  const answers = isAnswering && agent.migration?.version === undefined;
  return answers && versionOf(agent) === (upgrade.stays === undefined ? upgrade.from : to);
}

function end(state: ClusterState, type: TypeRecord, rollout: Rollout, agents: readonly AgentRecord[]): Applied {
  const { since, from, to, phase, reason = 'all agents run it', failed } = rollout;
  const isComplete = phase === 'forward';
  const staying = agents.filter(({ upgrade }) => upgrade?.rollout === since && upgrade.stays !== undefined);
  const stays = staying
    .slice(0, limits.staysListedMax)
    .map(({ id, upgrade }) => ({ agent: id, reason: upgrade?.stays ?? '' }));
  const outcome = isComplete ? 'complete' : 'rolledBack';
  const isLeft = ({ upgrade }: AgentRecord): boolean => upgrade?.rollout === since && upgrade.left !== undefined;
  const away = agents.filter((agent) => isLeft(agent) && isAway(state, agent));
  const left = away
    .slice(0, limits.staysListedMax)
    .map(({ id, upgrade }) => ({ agent: id, reason: upgrade?.left ?? '' }));
  const named = { ...(failed !== undefined && { failed }), stays, ...(left.length > 0 && { left }) };
  const rolloutEnd: RolloutEnd = { since, from, to, outcome, reason, ...named };
  for (const agent of agents) endUpgrade(state, agent, rollout);
  const { rollout: _, ...rest } = type;
  const ended: TypeRecord = { ...rest, rolloutEnd };
  state.types.set(type.type, isComplete && to !== from ? withPresent(state, ended, to, from) : pruned(state, ended));
  const kept = staying.length === 0 ? '' : `, but ${staying.length} agents could not go back`;
  const without = away.length === 0 ? '' : `, but ${away.length} that did not answer: ${some(away)}`;
  const text = isComplete
    ? `version ${to} of ${type.type} is rolled out to all its agents${without}`
    : `version ${to} of ${type.type} was rolled back${kept}${without}: ${reason}`;
  const ids = { stays: staying.map(({ id }) => id), left: away.map(({ id }) => id) };
  const details = { type: type.type, since, from, to, outcome, reason, failed, ...ids };
  return done(
    'rolloutEnded',
    text,
    details,
    agents.map(({ id }) => id),
  );
}

/** Who was left without an answer on its way back may have a state of the version that it came from, which stays for that. */
function endUpgrade(state: ClusterState, agent: AgentRecord, { to, phase }: Rollout): void {
  const { upgrade, writtenBy: before } = agent;
  if (upgrade === undefined && before === undefined) return;
  const isGoingBack = phase === 'back' && upgrade !== undefined && versionOf(agent) !== to;
  const after = isGoingBack ? to : before;
  state.changeAgent(agent, { upgrade: undefined, writtenBy: isAway(state, agent) ? after : undefined });
}

function previousOf(type: TypeRecord): { type: TypeRecord; to: number } | Applied {
  const to = type.previous;
  if (to !== undefined && codeOf(type, to) !== undefined) return { type, to };
  return { ok: false, error: errors.versionUnknown({ type: type.type }) };
}

function addVersion(
  state: ClusterState,
  known: TypeRecord,
  command: CommandOf<'rolloutBegin'>,
): { type: TypeRecord; to: number } | Applied {
  const { source = '' } = command;
  const code = { source, ...runtimeOf(command) };
  // The image is what a container's version changes.
  if (known.interpreter !== code.interpreter || (known.container === undefined) !== (code.container === undefined)) {
    const problem = `the type ${known.type} is run by ${runtimeName(known)}; give code for another runtime another type`;
    return refuse(problem);
  }
  const to = versionWith(known, (other) => isSameCode(other, code));
  if (to !== undefined) return { type: known, to };
  const type = pruned(state, known);
  if (!hasRoom(type))
    return { ok: false, error: errors.versionsTooMany({ type: type.type, max: limits.versionsOfTypeMax }) };
  const version = (type.lastVersion ?? versionOf(type)) + 1;
  return {
    type: { ...type, lastVersion: version, others: [...(type.others ?? []), { version, ...code }] },
    to: version,
  };
}

/** What a placement in a version does to its agent, or why it may not be. `stays`: why it cannot go back. */
export function upgradeAfterPlacement(
  state: ClusterState,
  agent: AgentRecord,
  version: number | undefined,
  stays: string | undefined,
): Partial<Pick<AgentRecord, 'version' | 'upgrade' | 'writtenBy'>> | string {
  if (version === undefined || (version === versionOf(agent) && stays === undefined)) return {};
  const rollout = state.types.get(agent.type)?.rollout;
  if (version === agent.writtenBy && version !== rollout?.to) return { version, writtenBy: undefined };
  const why = whyNotVersion(agent, rollout, version);
  if (why !== undefined || rollout === undefined) return why ?? 'there is no rollout';
  const { since, phase } = rollout;
  if (phase === 'forward' && agent.migration?.version !== version && isBusyWithAnother(state, rollout, agent.id)) {
    return 'another agent is upgraded first';
  }
  if (phase === 'forward') return { version, upgrade: { rollout: since, from: versionOf(agent), settled: false } };
  const { upgrade } = agent;
  return { version, upgrade: upgrade && { ...upgrade, ...(stays !== undefined && { stays }) } };
}

function isBusyWithAnother(state: ClusterState, { at, since }: Rollout, agent: string): boolean {
  return at !== undefined && at.agent !== agent && isBusy(state, at.agent, since);
}

/** Whether an agent is on its way to the version of a rollout, or watched. */
export function isBusy(state: ClusterState, id: string, rollout: number): boolean {
  const agent = state.agents.get(id);
  if (agent?.migration?.version !== undefined) return true;
  return agent?.upgrade?.rollout === rollout && !agent.upgrade.settled;
}

/** An agent was placed in the version of the rollout: it is the one that is watched. */
export function noteUpgrade(state: ClusterState, { id, type: name }: AgentRecord, version: number | undefined): void {
  const type = state.types.get(name);
  if (type?.rollout?.phase !== 'forward' || version !== type.rollout.to || type.rollout.at?.agent === id) return;
  state.types.set(name, { ...type, rollout: { ...type.rollout, at: { agent: id, failures: 0 } } });
}

/** Why an agent may not be brought to a version at this place in the log; undefined when it may. */
export function whyNotVersion(agent: AgentRecord, rollout: Rollout | undefined, version: number): string | undefined {
  if (rollout === undefined) return 'the rollout is over';
  const { since, to, phase } = rollout;
  if (phase === 'forward') return version === to ? undefined : 'that version is not rolled out';
  if (agent.upgrade?.rollout !== since) return 'the rollout goes back';
  if (agent.upgrade.stays !== undefined && version !== to) return 'it has no way back';
  return version === agent.upgrade.from || version === to ? undefined : 'that is not the version that it goes back to';
}
