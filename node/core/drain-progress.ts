import type { AgentRecord, ClusterState, Placement } from './cluster-state.ts';
import type { DrainView } from './drain.ts';
import type { LoadBoard } from './load-board.ts';
import { nameOf } from './member-name.ts';
import type { NodeId } from './message.ts';
import { candidatesFor, decide, drainingKept } from './placement.ts';
import { majorityOf } from './replication.ts';

/** Of so many agents it is said why they are still there. */
const explainedMax = 16;
const refusalsMax = 8;

/** Who leads and votes, which the log's state does not say. */
export interface Roles {
  leader: NodeId;
  voters: readonly NodeId[];
}

/** The task that has to end before an agent can be switched over, where that is what it waits for. */
export type TaskBefore = (agent: AgentRecord) => string | undefined;

interface Seen {
  loads: LoadBoard;
  roles: Roles;
  placed: ReadonlyMap<NodeId, number>;
  taskBefore: TaskBefore;
}

interface Left {
  agents: AgentRecord[];
  /** Decided to go, and not yet answering elsewhere. */
  moving: AgentRecord[];
  states: AgentRecord[];
  /** What they acknowledged others get only once they run. */
  failing: AgentRecord[];
  keptStates: number;
}

/** How far the drains of these nodes have come, by what the log says. */
export function drainsProgress(
  state: ClusterState,
  loads: LoadBoard,
  roles: Roles,
  nodes: readonly NodeId[],
  taskBefore: TaskBefore = () => undefined,
): Map<NodeId, DrainView> {
  const left = new Map(
    nodes.map((node): [NodeId, Left] => [node, { agents: [], moving: [], states: [], failing: [], keptStates: 0 }]),
  );
  if (nodes.length > 0) for (const agent of state.agents.values()) sortOut(state, agent, left);
  const placed = state.agentsByHost();
  return new Map(
    nodes.map((node) => [node, viewOf(state, { loads, roles, placed, taskBefore }, node, left.get(node) as Left)]),
  );
}

function sortOut(state: ClusterState, agent: AgentRecord, left: Map<NodeId, Left>): void {
  const { placement, active } = agent;
  if (placement === undefined) return;
  left.get(placement.host)?.agents.push(agent);
  const isMoving = active !== undefined && active.host !== placement.host && agent.crashLoop === undefined;
  if (isMoving) left.get(active.host)?.moving.push(agent);
  for (const node of new Set([...placement.holders, ...(active?.holders ?? [])])) {
    const there = left.get(node);
    if (there === undefined || placement.host === node || (isMoving && active.host === node)) continue;
    if (!isKeptWithout(state, agent, placement, node)) {
      (active !== undefined && agent.crashLoop !== undefined ? there.failing : there.states).push(agent);
    } else if (active !== undefined) there.keptStates += 1;
  }
}

/** Nothing of the agent that others need is to leave the node, nor could. */
function isKeptWithout(state: ClusterState, agent: AgentRecord, placement: Placement, node: NodeId): boolean {
  const { active, crashLoop } = agent;
  if (placement.holders.includes(node) && !isKept(state, agent, placement)) return false;
  // An epoch that never became active has acknowledged nothing: that is with the holders of the last one that did.
  if (active === undefined || active.epoch === placement.epoch || !active.holders.includes(node)) return true;
  // They stay until the agent runs. Who knows when that is where it fails again and again: a majority of them is enough.
  return crashLoop !== undefined && staying(state, active.holders) >= majorityOf(active.holders.length);
}

const staying = (state: ClusterState, holders: readonly NodeId[]): number =>
  holders.filter((node) => state.isAlive(node) && !state.isDraining(node)).length;

/** Nobody can take a draining holder's place, and the others are a majority without it. */
function isKept(state: ClusterState, agent: AgentRecord, { holders }: Placement): boolean {
  const rest = staying(state, holders);
  const draining = holders.filter((node) => state.isDraining(node)).length;
  if (spareFor(state, holders) && rest < agent.holdersWanted) return false;
  return rest >= majorityOf(holders.length) && drainingKept(rest, draining, agent.holdersWanted) >= draining;
}

const spareFor = (state: ClusterState, taken: readonly NodeId[]): boolean =>
  state.alive().some(({ node, drain }) => drain === undefined && !taken.includes(node));

function viewOf(
  state: ClusterState,
  seen: Seen,
  node: NodeId,
  { agents, moving, states, failing, keptStates }: Left,
): DrainView {
  const drain = state.members.get(node)?.drain;
  const waitsFor: string[] = [];
  const kept: string[] = [];
  for (const agent of agents.slice(0, explainedMax)) {
    waitsFor.push(`agent ${agent.id}: ${whyStill(state, seen, agent)}`);
  }
  if (agents.length > explainedMax) waitsFor.push(`${agents.length - explainedMax} more agents`);
  if (moving.length > 0) waitsFor.push(`agents on their way from it: ${namesOf(moving)}`);
  if (states.length > 0) waitsFor.push(`the state of ${namesOf(states)}: others are to keep it`);
  if (failing.length > 0) {
    const why =
      'they fail again and again, others can keep it only once they run, and are no majority without this node';
    waitsFor.push(`the state of ${namesOf(failing)}: ${why}`);
  }
  if (keptStates > 0) kept.push(`the state of ${keptStates} agents, of which the other holders are a majority`);
  const { roles } = seen;
  if (roles.leader === node) waitsFor.push('its leadership: another voter is to take it');
  const vote = voteOf(state, roles.voters, node);
  if (vote !== undefined) (vote.isKept ? kept : waitsFor).push(vote.text);
  return {
    stopping: drain?.stopping === true,
    deadlineMs: drain?.deadlineMs,
    overdue: drain?.overdue !== undefined,
    done: drain?.done === true,
    agents: agents.length + moving.length,
    states: states.length + failing.length,
    waitsFor,
    kept,
  };
}

function whyStill(state: ClusterState, { loads, placed, taskBefore }: Seen, agent: AgentRecord): string {
  const isActive = agent.active?.epoch === agent.placement?.epoch;
  if (!isActive && agent.crashLoop === undefined) return 'it is being placed right now';
  const target = agent.migration?.target;
  const task = taskBefore(agent);
  if (target !== undefined && task !== undefined) return `it waits for task "${task}" to end`;
  if (target !== undefined) return `${nameOf(state, target)} is being prepared for it`;
  const { node, rejected } = decide(agent, candidatesFor(state, loads, agent, placed), state.turn);
  if (node !== undefined) return 'it is to be moved next';
  const others = rejected.filter((one) => one.node !== agent.placement?.host);
  const told = others.slice(0, refusalsMax).map(({ name, reason }) => `${name} ${reason}`);
  if (others.length > told.length) told.push(`and ${others.length - told.length} more`);
  return `no other node can take it: ${told.join(', ') || 'there is none'}`;
}

/** A vote that others can take is to be given; one that they cannot is kept where the others are a majority without it. */
function voteOf(
  state: ClusterState,
  voters: readonly NodeId[],
  node: NodeId,
): { isKept: boolean; text: string } | undefined {
  if (!voters.includes(node)) return undefined;
  if (spareFor(state, voters)) return { isKept: false, text: 'its vote: another node is to take it' };
  const staying = voters.filter((voter) => state.isAlive(voter) && !state.isDraining(voter)).length;
  const needed = majorityOf(voters.length);
  if (staying < needed)
    return { isKept: false, text: `its vote: only ${staying} other voters stay, and ${needed} are needed. Add a node` };
  if (voters.length % 2 === 0) return { isKept: false, text: 'its vote: the others need it no more' };
  return {
    isKept: true,
    text: `its vote, because no other node can take it; ${staying} others are a majority without it`,
  };
}

function namesOf(agents: readonly AgentRecord[]): string {
  const names = agents.slice(0, refusalsMax).map(({ id }) => id);
  if (agents.length > names.length) names.push(`${agents.length - names.length} more`);
  return names.join(', ');
}
