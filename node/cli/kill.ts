import { type Fleet, FleetError, type FleetNode } from '../../docker/fleet.ts';
import { askAny } from './bring-up.ts';
import { openFleet } from './fleet.ts';
import type { Home } from './home.ts';
import { signToken } from './token.ts';
import { type ClusterOptions, fleetOptions, guarded, standardConsole } from './up.ts';

/** Characters of an id that are enough to mean it. */
const idPartMin = 4;

/**
 * `conclave kill <node>`: SIGKILL to the node of that name, or whose id begins or ends so. Returns the exit code.
 */
export async function kill(node: string, options: ClusterOptions = {}, console = standardConsole): Promise<number> {
  return guarded(console, options.json, async () => {
    const { fleet, home } = await openFleet(fleetOptions(options));
    const target = await resolveNode(fleet, home, node);
    if (target.state === 'exited') {
      throw new FleetError(`${target.name} is down already. Nothing was changed. "conclave up" starts it again.`);
    }
    await fleet.kill(target.name);
    if (options.json) console.out.write(`${JSON.stringify({ ok: true, name: fleet.name, killed: target.name })}\n`);
    else console.out.write(`${target.name} was killed. "conclave status" shows who took over.\n`);
  });
}

/** The fleet's node that a user means by a name, the beginning or the end of its id. Throws `FleetError`. */
export async function resolveNode(fleet: Fleet, home: Home, wanted: string): Promise<FleetNode> {
  const nodes = await fleet.list();
  const byName = nodes.find((node) => node.name === wanted);
  if (byName !== undefined) return byName;
  const byHandle = fleet.kind === 'docker' ? nodes.filter((node) => meant(node.handle, wanted)) : [];
  const status = nodes.length > 0 && byHandle.length === 0 ? await askAny(nodes, await signToken(home)) : undefined;
  const names = (status?.nodes ?? []).filter((node) => meant(node.id, wanted)).map((node) => node.name);
  const found = [...byHandle, ...nodes.filter((node) => names.includes(node.name))];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const known = nodes.map((node) => node.name).join(', ') || 'none; "conclave up 5" makes some';
  throw new FleetError(
    found.length > 1
      ? `"${wanted}" means ${found.map((node) => node.name).join(' or ')}. Nothing was changed. Give the name.`
      : `There is no node "${wanted}" in cluster "${fleet.name}". Nothing was changed. Its nodes: ${known}.`,
  );
}

function meant(id: string, wanted: string): boolean {
  return wanted.length >= idPartMin && (id.startsWith(wanted) || id.endsWith(wanted));
}
