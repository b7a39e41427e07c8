import type { AgentRecord, ClusterState, TypeRecord } from './cluster-state.ts';
import type { AgentProgress, Rollout } from './rollout.ts';
import type { RolloutView, TypeView } from './rollout-view.ts';
import { runtimeName } from './type-capability.ts';
import { agentsOf, versionOf } from './type-version.ts';

const listedMax = 1_000;

export function typeView(state: ClusterState, type: TypeRecord): TypeView {
  const agents = agentsOf(state, type.type);
  const known = [versionOf(type), ...(type.others ?? []).map(({ version }) => version)].sort((a, b) => a - b);
  return {
    type: type.type,
    runtime: runtimeName(type),
    version: versionOf(type),
    previous: known.find((version) => version === type.previous),
    versions: known.map((version) => ({
      version,
      agents: agents.filter((agent) => versionOf(agent) === version).length,
    })),
    rollout: type.rollout && rolloutView(type.rollout, agents),
    rolloutEnd: type.rolloutEnd,
  };
}

export function typeViews(state: ClusterState): TypeView[] {
  return [...state.types.values()].map((type) => typeView(state, type)).sort((a, b) => (a.type < b.type ? -1 : 1));
}

function rolloutView(rollout: Rollout, agents: readonly AgentRecord[]): RolloutView {
  const { since, sinceMs, from, to, phase, maxFailures, settleMs, reason, failed } = rollout;
  const counts: RolloutView['counts'] = {};
  const told: RolloutView['agents'] = [];
  for (const agent of agents) {
    const progress = progressOf(agent, rollout);
    counts[progress] = (counts[progress] ?? 0) + 1;
    const isThere = progress === 'upgraded' || progress === 'back';
    if (isThere || told.length >= listedMax) continue;
    const why = agent.upgrade?.stays ?? agent.upgrade?.left ?? agent.crashLoop?.reason ?? agent.migrationEnd?.reason;
    told.push({ agent: agent.id, version: versionOf(agent), progress, reason: why });
  }
  return { since, sinceMs, from, to, phase, maxFailures, settleMs, reason, failed, counts, agents: told };
}

function progressOf(agent: AgentRecord, { since, to, phase }: Rollout): AgentProgress {
  const { upgrade, placement, active, migration } = agent;
  const isOf = upgrade?.rollout === since;
  const isThere = versionOf(agent) === to;
  if (isOf && upgrade.left !== undefined && active?.epoch !== placement?.epoch) return 'left';
  if (phase === 'forward') {
    if (!isThere) return migration?.version === to ? 'upgrading' : 'pending';
    if (!isOf || upgrade.settled) return 'upgraded';
    return active?.epoch === placement?.epoch ? 'settling' : 'upgrading';
  }
  if (!isOf) return isThere ? 'upgraded' : 'back';
  if (upgrade.stays !== undefined) return 'stays';
  return isThere || active?.epoch !== placement?.epoch ? 'going_back' : 'back';
}
