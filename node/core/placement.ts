import type { Candidate } from '../../strategies/candidate.ts';
import { choose } from '../../strategies/choose.ts';
import { mixOf } from '../../strategies/mix.ts';
import { strategies } from '../../strategies/registry.ts';
import type { Decision } from '../../strategies/strategy.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { LoadBoard } from './load-board.ts';
import type { NodeId } from './message.ts';
import { limits } from './settings.ts';
import { Places } from './spread.ts';

/** Everything about an agent that placing it needs; an agent that is only being thought about has no placement yet. */
export type Wanted = Pick<AgentRecord, 'id' | 'type' | 'strategy' | 'capabilities' | 'holdersWanted'> &
  Partial<Pick<AgentRecord, 'placement' | 'active' | 'migration'>>;

/** The nodes as a strategy sees them; `avoid` are living nodes that must not be chosen now, with the reason. */
export function candidatesFor(
  state: ClusterState,
  loads: LoadBoard,
  agent: Wanted,
  placedByHost: ReadonlyMap<NodeId, number>,
): Candidate[] {
  const holders = [...(agent.active?.holders ?? [])];
  // Should the host die now, what was prepared is not for nothing.
  if (agent.migration?.preparedBytes !== undefined) holders.push(agent.migration.target);
  return state.alive().map(({ node, profile, drain }) => ({
    node,
    name: profile.name,
    site: profile.site,
    capabilities: profile.capabilities,
    draining: drain !== undefined,
    agents: (placedByHost.get(node) ?? 0) - (agent.placement?.host === node ? 1 : 0),
    agentsMax: profile.agentsMax,
    cpu: loads.of(node)?.cpu ?? 0,
    measured: { agents: loads.of(node)?.agents ?? 0, ageMs: loads.ageMs(node) },
    holdsState: holders.includes(node),
  }));
}

/** Chooses a host. `turn` counts the placements that this leader has on its way too, so that turns do not repeat. */
export function decide(agent: Wanted, candidates: Candidate[], turn: number): Decision {
  const mix = mixOf(agent.strategy, strategies);
  if (mix === undefined) return { strategy: agent.strategy, node: undefined, ranked: [], rejected: [] };
  const request = { agent: agent.id, agentType: agent.type, capabilities: agent.capabilities, turn };
  return choose(mix, request, candidates);
}

/** What is kept of a decision: the log holds one for each agent, however many nodes there are. */
export function brief(decision: Decision): Decision {
  const { ranked, rejected } = decision;
  const omitted = {
    ranked: Math.max(0, ranked.length - limits.explainedMax),
    rejected: Math.max(0, rejected.length - limits.explainedMax),
  };
  if (omitted.ranked + omitted.rejected === 0) return decision;
  const kept = { ranked: ranked.slice(0, limits.explainedMax), rejected: rejected.slice(0, limits.explainedMax) };
  return { ...decision, ...kept, omitted };
}

/** How many agents' states each node keeps. */
export function statesByNode(state: ClusterState): Map<NodeId, number> {
  const held = new Map<NodeId, number>();
  for (const agent of state.agents.values()) {
    for (const node of agent.placement?.holders ?? []) held.set(node, (held.get(node) ?? 0) + 1);
  }
  return held;
}

/**
 * The nodes that keep the state: the host, then those on other sites first, then on other machines, then those that keep
 * it already, then those that keep least. Fewer than wanted where the cluster is smaller. Of those that drain, only who
 * keeps it already and has nobody to take its place.
 */
export function chooseHolders(
  state: ClusterState,
  agent: Wanted,
  host: NodeId,
  held: ReadonlyMap<NodeId, number>,
): NodeId[] {
  const holders = [host];
  const before = new Set([...(agent.placement?.holders ?? []), ...(agent.active?.holders ?? [])]);
  const rest = state
    .alive()
    .filter((member) => member.node !== host && member.drain === undefined)
    .sort((a, b) => {
      const kept = Number(before.has(b.node)) - Number(before.has(a.node));
      const load = (held.get(a.node) ?? 0) - (held.get(b.node) ?? 0);
      return kept || load || (a.node < b.node ? -1 : 1);
    });
  const places = new Places(state, holders);
  while (holders.length < agent.holdersWanted && rest.length > 0) {
    const distances = rest.map(({ node }) => places.distanceOf(node));
    const [next] = rest.splice(distances.indexOf(Math.max(...distances)), 1);
    if (next === undefined) break;
    holders.push(next.node);
    places.add(next.node);
  }
  const there = [...before].filter((node) => node !== host && state.isAlive(node) && state.isDraining(node));
  return [...holders, ...there.slice(0, drainingKept(holders.length, there.length, agent.holdersWanted))];
}

/** A node that drains waits for the next placement of the agent: its host, or a holder whose place another can take. */
export function holdsUpDrain(state: ClusterState, agent: Wanted, held: ReadonlyMap<NodeId, number>): boolean {
  const { host, holders = [] } = agent.placement ?? {};
  const draining = holders.filter((node) => state.isDraining(node));
  if (host === undefined || draining.length === 0) return false;
  if (draining.includes(host)) return true;
  const next = chooseHolders(state, agent, host, held);
  return draining.some((node) => !next.includes(node));
}

/**
 * How many holders that drain stay beside `rest` others, out of `there`: only while the others are a majority without
 * them, and only where one more makes no larger majority. A state that would be left in one place only stays in three.
 */
export function drainingKept(rest: number, there: number, wanted: number): number {
  const room = Math.max(0, Math.min(there, wanted - rest));
  if (rest <= 1) return room >= 2 ? 2 : 0;
  const kept = Math.min(room, rest - 1);
  return (rest + kept) % 2 === 1 ? kept : Math.max(0, kept - 1);
}
