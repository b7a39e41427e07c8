import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentPrograms } from '../../docker/agent-programs.ts';
import { createDockerFleet, type DockerFleet } from '../../docker/docker-fleet.ts';
import { EngineUnreachable } from '../../docker/engine.ts';
import { type Fleet, FleetError } from '../../docker/fleet.ts';
import { type Home, homeDirectory, openHome } from './home.ts';
import { createProcessFleet } from './process-fleet.ts';

export { type DockerFleet } from '../../docker/docker-fleet.ts';
export { type Fleet, FleetError, type FleetNode, type OnProgress, type Progress } from '../../docker/fleet.ts';

export interface FleetOptions {
  /** The cluster's name. */
  name: string;
  /** State directory; default: see `homeDirectory`. */
  home?: string | undefined;
  /** What the nodes run in. Left out: what the cluster runs in already, else Docker if there is an engine, else processes. */
  kind?: 'docker' | 'processes' | undefined;
  portFirst?: number | undefined;
  /** Docker only: address range of the cluster's network. */
  subnet?: string;
  /** The built program; default: this package's dist/. */
  distDirectory?: string | undefined;
  dockerfile?: string;
  /** Docker only: see `ImageSource`. */
  base?: string | undefined;
  /** For nodes that are made or started. */
  programs?: AgentPrograms;
}

export interface ChosenFleet {
  fleet: Fleet | DockerFleet;
  home: Home;
  /** One line for the user when the choice is not what one would expect. */
  notice: string | undefined;
}

/** The nearest directory above this file, or above its bundle, that is the package. */
function packageDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json')) && dirname(directory) !== directory)
    directory = dirname(directory);
  return directory;
}

/** Chooses what the cluster's nodes run in. Nothing is started. Throws `FleetError`. */
export async function openFleet(options: FleetOptions): Promise<ChosenFleet> {
  const { name, kind, portFirst, subnet, base, programs } = options;
  const home = openHome(options.home ?? homeDirectory(name));
  const distDirectory = options.distDirectory ?? join(packageDirectory(), 'dist');
  const dockerfile = options.dockerfile ?? join(packageDirectory(), 'docker', 'Dockerfile');
  // Without a note, a command was ended hard; processes leave their records then.
  const leftOver = existsSync(join(home.directory, 'nodes')) ? 'processes' : undefined;
  const used = (await home.note())?.kind ?? leftOver;
  if (used !== undefined && kind !== undefined && used !== kind) {
    throw new FleetError(
      `Cluster "${name}" runs ${used === 'docker' ? 'in Docker' : 'as local processes'} already. Nothing was changed. ` +
        `Leave "--${kind}" out, or choose another cluster name with "--name".`,
    );
  }
  const processes = (): Fleet => {
    if (base === undefined) return createProcessFleet({ name, home, distDirectory, portFirst, programs });
    throw new FleetError(
      '"--base" is for nodes in Docker. Nothing was changed. Leave it out, or start a Docker engine.',
    );
  };
  if ((used ?? kind) === 'processes') return { fleet: processes(), home, notice: undefined };
  try {
    const made = { dockerfile, subnet, base, programs };
    const fleet = await createDockerFleet({ name, home, distDirectory, portFirst, ...made });
    return { fleet, home, notice: undefined };
  } catch (error) {
    if (!(error instanceof EngineUnreachable) || (used ?? kind) === 'docker') throw error;
    const notice = 'No Docker engine in reach: the nodes run as processes of this machine (--docker says why).';
    return { fleet: processes(), home, notice };
  }
}
