import type { ClusterState } from './cluster-state.ts';
import type { NodeId } from './message.ts';

/** What people call a node; the end of its id where the log knows no name. */
export function nameOf(state: ClusterState, node: NodeId): string {
  return state.members.get(node)?.profile.name ?? node.slice(-8);
}
