import { type Applied, done } from './applied.ts';
import type { ClusterState } from './cluster-state.ts';
import { errors } from './errors.ts';

/** From here on what is sent to these topics comes to an agent, too, and what is sent to others does not. */
export interface TopicsCommand {
  kind: 'agentTopics';
  agent: string;
  topics: string[];
}

/** The kind of the report by which everybody learns of it. */
export const topicsChanged = 'topicsChanged';

/** Applies it; pure, as `apply` is. */
export const topicsAppliers = {
  agentTopics(state: ClusterState, { agent: id, topics: wanted }: TopicsCommand): Applied {
    const agent = state.agents.get(id);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    const topics = [...new Set(wanted)];
    state.changeAgent(agent, { topics });
    const text = topics.length === 0 ? `${id} has no topics any more` : `${id} has the topics ${topics.join(', ')}`;
    return done(topicsChanged, text, { agent: id, topics }, [id]);
  },
};
