/** What a fleet does at the moment; `text` is one line for people. */
export interface Progress {
  phase: 'image' | 'nodes' | 'cluster';
  text: string;
  /** The phase is over. */
  done?: boolean;
}

export type OnProgress = (progress: Progress) => void;

export type NodeState = 'created' | 'running' | 'paused' | 'exited';

/** One node of a fleet as its container or process shows it; what the cluster thinks of it is not known here. */
export interface FleetNode {
  /** `node-1`, `node-2`, … */
  name: string;
  number: number;
  state: NodeState;
  /** Only once it has exited, and only where the fleet can know it. */
  exitCode: number | undefined;
  /** Address of its HTTP API, as reached from this machine. */
  admin: string;
  /** Container id, or process id. */
  handle: string;
  /** Whether it is attached to the network of the cluster; always true for processes. */
  connected: boolean;
}

export interface UpResult {
  nodes: FleetNode[];
  /** Names of the nodes that this call made. */
  created: string[];
  /** Names of the nodes that were there and that this call started, unpaused or connected again. */
  revived: string[];
}

/** The nodes of one cluster on this machine, whatever they run in. Every method may throw `FleetError`. */
export interface Fleet {
  readonly kind: 'docker' | 'processes';
  /** The cluster's name. */
  readonly name: string;
  /**
   * Makes sure that nodes 1 to `count` run; those that run are left alone. Resolves when they are started, which is
   * before they have found each other. When it fails, what it made is removed.
   */
  up(count: number, onProgress?: OnProgress, signal?: AbortSignal): Promise<UpResult>;
  list(): Promise<FleetNode[]>;
  /** SIGKILL. */
  kill(node: string): Promise<void>;
  /** SIGTERM; resolves when the node has exited. After 10 s it is killed. */
  stop(node: string): Promise<void>;
  /** Starts a node that has exited, with the settings and the disk that it had. */
  start(node: string): Promise<void>;
  /** Freezes the node: it neither runs nor closes its connections. */
  pause(node: string): Promise<void>;
  unpause(node: string): Promise<void>;
  /** The last lines that the node wrote. */
  logs(node: string, linesMax?: number): Promise<string>;
  /** Removes everything that `up` made for this cluster, secrets included; returns what that was, one line each. */
  down(): Promise<string[]>;
}

/** Key material as the nodes need it. The private key of the tokens is not among it: it never leaves the host. */
export interface NodeSecrets {
  networkKey: Uint8Array;
  tokenPublicKey: Uint8Array;
}

/** The state directory of a cluster on the host. */
export interface FleetHome {
  readonly directory: string;
  secrets(): Promise<NodeSecrets | undefined>;
  makeSecrets(): Promise<NodeSecrets>;
  /** Removes the directory's contents that belong to the cluster, and the directory if it is empty then. */
  forget(): Promise<void>;
}

/** Something that a user of a fleet can act on: what was wrong, what is unchanged, what to do. */
export class FleetError extends Error {
  /** Exit code for the command line: 1 refused, 69 a service is not there (sysexits.h), 124 out of time, 130 interrupted. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FleetError';
    this.exitCode = exitCode;
  }
}

/** Most nodes of one fleet on one machine. */
export const fleetNodesMax = 100;

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?$/;

/** Throws `FleetError` for a cluster name that cannot be part of container, network and host names. */
export function checkClusterName(name: string): void {
  if (namePattern.test(name)) return;
  throw new FleetError(
    `"${name}" cannot name a cluster. Nothing was changed. Use up to 30 lower-case letters, digits and dashes.`,
  );
}

/** Throws `FleetError` when `count` is not a number of nodes or fewer than there are. */
export function checkCount(name: string, count: number, present: number): void {
  if (!Number.isInteger(count) || count < 1 || count > fleetNodesMax) {
    throw new FleetError(`${count} is not a number of nodes. Nothing was changed. Use 1 to ${fleetNodesMax}.`);
  }
  if (count >= present) return;
  throw new FleetError(
    `Cluster "${name}" has ${present} nodes, and "up" does not make it smaller. Nothing was changed. ` +
      `"conclave up ${present}" starts those that are down; for a cluster of ${count}, ` +
      `"conclave down --name ${name}" removes this one with its data and "conclave up ${count} --name ${name}" makes a new one.`,
  );
}

/** The node of that name; throws `FleetError` when there is none. */
export function findNode(nodes: readonly FleetNode[], name: string): FleetNode {
  const found = nodes.find((node) => node.name === name);
  if (found !== undefined) return found;
  const known = nodes.map((node) => node.name).join(', ');
  throw new FleetError(
    `There is no node "${name}". Nothing was changed. ${known === '' ? '"conclave up 5" makes some' : `There are ${known}`}.`,
  );
}
