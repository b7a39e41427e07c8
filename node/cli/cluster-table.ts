import Table from 'cli-table3';
import colors from 'picocolors';
import type { FleetNode } from '../../docker/fleet.ts';
import type { Status, StatusNode } from './bring-up.ts';

/** The end of a peer id: its beginning is the same for every node. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** What a node is for the leader's majority. */
export function roleOf(node: Pick<StatusNode, 'leader' | 'voter'>): 'leader' | 'voter' | 'learner' {
  if (node.leader) return 'leader';
  return node.voter ? 'voter' : 'learner';
}

/** The members of a cluster, one row each, in the order of their names. */
export function clusterTable(status: Status): string {
  const table = new Table({
    head: ['node', 'id', 'role', 'status', 'agents', 'admin address'].map((title) => colors.bold(title)),
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: colors.isColorSupported ? ['gray'] : [] },
  });
  for (const node of inOrder(status.nodes.filter(({ membership }) => membership !== 'left'))) {
    const role = roleOf(node);
    table.push([
      node.name,
      shortId(node.id),
      role === 'leader' ? colors.green(role) : role,
      node.status === 'active' ? node.status : colors.yellow(node.status),
      String(node.agents),
      node.admin,
    ]);
  }
  return table.toString();
}

function inOrder(nodes: readonly StatusNode[]): StatusNode[] {
  return [...nodes].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

/** What to say below the table: who leads, where to go, what to try. */
export function afterUp(status: Status, nodes: readonly FleetNode[], name: string): string {
  const leader = status.leader?.name ?? 'nobody';
  const admin = nodes[0]?.admin ?? '';
  const option = name === 'conclave' ? '' : ` --name ${name}`;
  return [
    `${colors.bold(leader)} leads. Every node answers; the first is at ${colors.cyan(admin)}`,
    '',
    'Try next:',
    `  npx conclave deploy examples/trading --count 5${option}`,
    `  npx conclave task trading-1 '{"symbol":"MSFT","price":39.81}'${option}`,
    `  npx conclave kill ${leader}${option}`,
  ].join('\n');
}
