import type { ClusterState } from './cluster-state.ts';
import { nameOf } from './member-name.ts';
import { majorityOf } from './replication.ts';
import { limits } from './settings.ts';

/** Why an agent answers nothing now, as far as the log says: without a full stop, bounded; undefined when it should answer. */
export function whySilent(state: ClusterState, id: string): string | undefined {
  return reasonOf(state, id)?.slice(0, limits.reasonLengthMax);
}

function reasonOf(state: ClusterState, id: string): string | undefined {
  const agent = state.agents.get(id);
  if (agent === undefined) return undefined;
  const { placement, active, crashLoop, reason } = agent;
  const missing = active?.holders.filter((node) => !state.isAlive(node)) ?? [];
  const isActive = placement !== undefined && active?.epoch === placement.epoch && state.stands(placement);
  if (!isActive && active !== undefined && active.holders.length - missing.length < majorityOf(active.holders.length)) {
    const names = missing.map((node) => nameOf(state, node)).join(', ');
    return `it is stuck, as most of its holders are missing (${names}), and goes on when one is back; see "conclave agent ${id}"`;
  }
  if (crashLoop !== undefined) return `it has failed ${crashLoop.failures} times in a row: ${crashLoop.reason}`;
  if (isActive) return undefined;
  return placement === undefined ? `it has no node: ${reason}` : `it is being recovered: ${reason}`;
}
