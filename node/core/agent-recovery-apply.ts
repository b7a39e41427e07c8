import { type AgentLoss, type AgentRecoverCommand, isOvertaken, lostText } from './agent-loss.ts';
import { type Applied, done } from './applied.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import { errors } from './errors.ts';
import { nameOf } from './member-name.ts';

type Decided = AgentRecoverCommand & { readonly atMs: number };

/** Applies the decision; pure, as `apply` is. */
export function applyRecover(state: ClusterState, command: Decided, index: number): Applied {
  const { agent: id, active: epochThen, from, epoch, sequence, missing, lost, knownAgeMs, fenced, atMs } = command;
  const agent = state.agents.get(id);
  if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
  const { active } = agent;
  if (active?.epoch !== epochThen) return { ok: false, error: errors.agentNotStuck({ agent: id }) };
  if (fenced && agent.loss?.index !== command.after) return { ok: false, error: errors.agentNotStuck({ agent: id }) };
  if (!state.isAlive(from))
    return {
      ok: false,
      error: errors.checkpointChanged({ agent: id, now: `none at ${nameOf(state, from)}, which is gone` }),
    };
  const known = knownAgeMs !== undefined && { knownAgeMs };
  const loss: AgentLoss = { index, from, epoch, sequence, missing, lost, atMs, ...known, ...(fenced && { fenced }) };
  state.changeAgent(agent, { active: { ...active, holders: [from] }, loss });
  const names = missing.map((node) => nameOf(state, node)).join(', ');
  const text =
    `an operator let ${id} go on without ${names}, from step ${sequence} of epoch ${epoch} at ${nameOf(state, from)}; ` +
    lostText(command);
  return done('agentRecovered', text, { agent: id, from, epoch, sequence, missing, lost, ...known }, [id]);
}

/** Why nothing that was decided before an operator let the agent go on may come true after it; undefined when it may. */
export function whyOvertaken(agent: AgentRecord, loss?: number): string | undefined {
  if (agent.loss?.fenced !== true || !isOvertaken(agent) || agent.loss.index === loss) return undefined;
  return 'an operator decided about the agent meanwhile';
}
