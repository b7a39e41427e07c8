import type { ClusterState, Member } from './cluster-state.ts';
import type { NodeId } from './message.ts';

/** What people call a node; the end of its id where the log knows no name. */
export function nameOf(state: ClusterState, node: NodeId): string {
  return state.members.get(node)?.profile.name ?? node.slice(-8);
}

/** Why what stands on a start of a node is to go elsewhere. */
export function whyHostIsGone(host: Member | undefined, boot: number): string {
  if (host === undefined) return 'its host is unknown';
  if (host.membership === 'left') return `its host ${host.profile.name} left`;
  if (host.membership === 'dead') return `its host ${host.profile.name} died`;
  return host.boot === boot ? 'its host is gone' : `its host ${host.profile.name} started again`;
}
