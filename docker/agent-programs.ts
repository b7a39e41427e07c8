import { stat } from 'node:fs/promises';
import type { Engine } from './engine.ts';
import { FleetError } from './fleet.ts';

/** What nodes may run agents in beside their own threads: nothing, unless the operator says so. */
export interface AgentPrograms {
  /** Of `process` agents: `name=/absolute/path`, as a node finds it. */
  interpreters?: readonly string[] | undefined;
  /** References of the images of `container` agents. Whoever names one gives the nodes the engine. */
  containers?: readonly string[] | undefined;
}

/** Where a node in a container finds the engine. The root file system is read-only, so not where it may be a link. */
const socketInNode = '/run/docker.sock';

/** What the container of a node needs for it. */
export interface NodeEngine {
  /** The engine's socket on its machine. */
  socketPath: string;
  /** Number of the group that may use the socket. */
  group: string;
}

/** The engine for nodes that run container agents; undefined when they run none. Throws `FleetError`. */
export async function nodeEngine(engine: Engine, { containers = [] }: AgentPrograms): Promise<NodeEngine | undefined> {
  if (containers.length === 0) return undefined;
  const { socketPath: known } = engine.modem as unknown as { socketPath?: string | (() => Promise<string>) };
  const socketPath = typeof known === 'function' ? await known() : known;
  const refused = (reason: string): FleetError =>
    new FleetError(
      `The nodes cannot be given the Docker engine: ${reason}. Nothing was changed. Leave "--containers" out, or use an ` +
        'engine of this machine, with DOCKER_HOST=unix:///var/run/docker.sock.',
    );
  if (socketPath === undefined) throw refused('it does not listen on a socket of this machine');
  try {
    return { socketPath, group: String((await stat(socketPath)).gid) };
  } catch (error) {
    throw refused((error as Error).message);
  }
}

/** The settings of a node that may run these. */
export function programVariables(
  { interpreters = [], containers = [] }: AgentPrograms,
  socketPath = socketInNode,
): Record<string, string> {
  return {
    ...(interpreters.length > 0 && { CONCLAVE_INTERPRETERS: interpreters.join(',') }),
    ...(containers.length > 0 && { CONCLAVE_CONTAINERS: socketPath, CONCLAVE_CONTAINER_IMAGES: containers.join(',') }),
  };
}

/** What makes a container's user one of those that may use the engine; nothing without one. */
export function engineAccess(engine: NodeEngine | undefined) {
  if (engine === undefined) return { mounts: [], hostConfig: {} };
  const mount = { Type: 'bind' as const, Source: engine.socketPath, Target: socketInNode };
  return { mounts: [mount], hostConfig: { GroupAdd: [engine.group] } };
}
