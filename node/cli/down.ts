import { openFleet } from './fleet.ts';
import { claimHome } from './home-claim.ts';
import { type ClusterOptions, fleetOptions, guarded, standardConsole } from './up.ts';

/**
 * `conclave down`: removes what `up` made for this cluster: containers or processes, network, data, secrets. The image
 * stays, for the next `up`. Returns the exit code.
 */
export async function down(options: ClusterOptions = {}, console = standardConsole): Promise<number> {
  return guarded(console, options.json, async () => {
    const { fleet, home } = await openFleet(fleetOptions(options));
    const release = await claimHome(home);
    let removed: string[];
    try {
      removed = await fleet.down();
    } finally {
      await release();
    }
    if (options.json) console.out.write(`${JSON.stringify({ ok: true, name: fleet.name, removed })}\n`);
    else if (removed.length === 0) console.out.write(`There is nothing of cluster "${fleet.name}" to remove.\n`);
    else console.out.write(`Removed, with secrets and data:\n${removed.map((line) => `  ${line}\n`).join('')}`);
  });
}
