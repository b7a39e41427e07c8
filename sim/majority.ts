import type { NodeId } from '../node/core/message.ts';
import type { Ledger } from './ledger.ts';
import type { Losses } from './losses.ts';
import type { World } from './world.ts';

/** A random set that is enough: a majority of the voters, or everybody while there are none. */
export function chooseMajority({ world, losses, ledger }: { world: World; losses: Losses; ledger: Ledger }): NodeId[] {
  const intact = world.nodes.filter((node) => !losses.isLost(node));
  if (ledger.voters.length === 0) return intact;
  const chosen: NodeId[] = [];
  for (const node of world.random.fork('majority').shuffle(intact)) {
    if (losses.isQuorum(new Set(chosen))) break;
    chosen.push(node);
  }
  return chosen.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}
