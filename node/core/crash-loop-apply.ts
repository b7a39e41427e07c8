import { type Applied, done, refuse } from './applied.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Command } from './command.ts';
import type { CrashLoopCommand } from './crash-loop.ts';

type CrashLoopAppliers = {
  [K in CrashLoopCommand['kind']]: (
    state: ClusterState,
    command: Extract<Command, { kind: K }>,
    index: number,
  ) => Applied;
};

/** Applies the decisions about crash loops; pure, as `apply` is. */
export const crashLoopAppliers: CrashLoopAppliers = {
  agentCrashLooping(state, { agent: id, epoch, failures, earlier, placements, reason, retryInMs, atMs }, index) {
    const agent = state.agents.get(id);
    if (agent?.placement?.epoch !== epoch) return refuse('the placement was decided anew meanwhile');
    const { since = index, sinceMs = atMs } = agent.crashLoop ?? {};
    const counts = { failures, earlier, epoch, ...(placements !== undefined && { placements }) };
    const crashLoop = { since, sinceMs, ...counts, reason, nextMs: atMs + retryInMs };
    state.changeAgent(agent, { crashLoop });
    const text = `${id} fails again and again, ${failures} times so far: ${reason}; next try in ${retryInMs} ms`;
    return done('agentCrashLooping', text, { agent: id, epoch, failures, reason, retryInMs }, [id]);
  },

  agentHealed(state, { agent: id, epoch }) {
    const agent = state.agents.get(id);
    if (agent?.placement?.epoch !== epoch) return refuse('the placement was decided anew meanwhile');
    if (agent.crashLoop === undefined) return refuse('it is in no crash loop');
    const { failures } = agent.crashLoop;
    state.changeAgent(agent, { crashLoop: undefined });
    return done('agentHealed', `${id} holds again after ${failures} failures`, { agent: id, epoch, failures }, [id]);
  },
};
