import type { ContainerCreateOptions, ContainerInfo } from 'dockerode';
import tar from 'tar-stream';
import { type AgentPrograms, engineAccess, type NodeEngine, programVariables } from './agent-programs.ts';
import type { FleetNode, NodeSecrets, NodeState } from './fleet.ts';

/** What marks a container, network or volume as a cluster's. */
export const labels = {
  cluster: 'conclave.cluster',
  node: 'conclave.node',
  /** Founding members that the node was told to expect. */
  expect: 'conclave.expect',
  portFirst: 'conclave.port-first',
  /** State directory of the cluster on the host, where the secrets are. */
  home: 'conclave.home',
  /** On containers of agents: which cluster's node made them, `cluster/node`. */
  owner: 'conclave.owner',
  /** The earlier system found its agents' containers by this one. */
  agentCapable: 'autogen.agent.capable',
} as const;

export const peerPort = 7000;
const adminPort = 8000;
const stopTimeoutS = 10;
const secretsDirectory = 'secrets';
const nodeUser = 1000;

/** What a node of a cluster in Docker is made from. */
export interface NodePlan {
  cluster: string;
  number: number;
  image: string;
  /** Founding members; 0 for a node that only joins. */
  expect: number;
  portFirst: number;
  /** Numbers of the nodes that it dials first. */
  join: number[];
  home: string;
  programs: AgentPrograms;
  /** Only where nodes may run agents in containers. */
  engine: NodeEngine | undefined;
}

/** What marks the containers that a node makes for agents as its own, whatever its id is. */
export const ownerOf = (cluster: string, number: number): string => `${cluster}/${nodeNameOf(number)}`;

export const nodeNameOf = (number: number): string => `node-${number}`;
/** The network between the nodes. It has no way out, so that its end is the only thing that `disconnect` changes. */
export const networkOf = (cluster: string): string => `conclave-${cluster}`;
/** The network of the published admin ports, in which nodes cannot reach each other. */
export const adminNetworkOf = (cluster: string): string => `conclave-${cluster}.admin`;
/** Name in the network between the nodes, and only there: the container's name is known in both networks. */
export const hostOf = (cluster: string, number: number): string => `${nodeNameOf(number)}.${cluster}`;
export const containerNameOf = (cluster: string, number: number): string =>
  cluster === 'conclave' ? `conclave-${nodeNameOf(number)}` : `conclave-${cluster}-${nodeNameOf(number)}`;
export const volumeOf = (cluster: string, number: number): string => `${containerNameOf(cluster, number)}-data`;

const addressOf = (cluster: string, number: number): string => `/dns4/${hostOf(cluster, number)}/tcp/${peerPort}`;

/** Options for creating the container. Nothing secret is among them: `docker inspect` shows them to anyone. */
export function containerOptions(plan: NodePlan): ContainerCreateOptions & { name: string } {
  const { cluster, number, image, expect, portFirst, join, home, programs } = plan;
  const access = engineAccess(plan.engine);
  const name = containerNameOf(cluster, number);
  const hostPort = portFirst + number - 1;
  const shared = { [labels.cluster]: cluster, [labels.node]: nodeNameOf(number), [labels.home]: home };
  const environment = {
    CONCLAVE_NAME: nodeNameOf(number),
    CONCLAVE_ANNOUNCE: addressOf(cluster, number),
    CONCLAVE_JOIN: join.map((other) => addressOf(cluster, other)).join(','),
    CONCLAVE_EXPECT: String(expect),
    CONCLAVE_ADMIN_URL: `http://127.0.0.1:${hostPort}`,
    CONCLAVE_NETWORK_KEY_FILE: `/data/${secretsDirectory}/network.key`,
    CONCLAVE_TOKEN_PUBLIC_KEY_FILE: `/data/${secretsDirectory}/token-public.pem`,
    ...programVariables(programs),
    ...(plan.engine !== undefined && { CONCLAVE_CONTAINER_OWNER: ownerOf(cluster, number) }),
  };
  return {
    name,
    Image: image,
    Hostname: name,
    Env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
    Labels: {
      ...shared,
      [labels.expect]: String(expect),
      [labels.portFirst]: String(portFirst),
      [labels.agentCapable]: 'true',
    },
    ExposedPorts: { [`${adminPort}/tcp`]: {} },
    StopSignal: 'SIGTERM',
    StopTimeout: stopTimeoutS,
    HostConfig: {
      PortBindings: { [`${adminPort}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(hostPort) }] },
      Mounts: [
        { Type: 'volume', Source: volumeOf(cluster, number), Target: '/data', VolumeOptions: volumeOptions(shared) },
        ...access.mounts,
      ],
      ...access.hostConfig,
      Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=64m,mode=1777' },
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
      NetworkMode: adminNetworkOf(cluster),
    },
  };
}

function volumeOptions(shared: Record<string, string>) {
  return { NoCopy: false, Labels: shared, DriverConfig: { Name: 'local', Options: {} } };
}

/** The secrets as an archive for /data, readable by the node's user alone. */
export function secretsArchive({ networkKey, tokenPublicKey }: NodeSecrets): NodeJS.ReadableStream {
  const pack = tar.pack();
  const owner = { uid: nodeUser, gid: nodeUser };
  pack.entry({ name: secretsDirectory, type: 'directory', mode: 0o700, ...owner });
  pack.entry({ name: `${secretsDirectory}/network.key`, mode: 0o400, ...owner }, Buffer.from(networkKey));
  pack.entry({ name: `${secretsDirectory}/token-public.pem`, mode: 0o400, ...owner }, Buffer.from(tokenPublicKey));
  pack.finalize();
  return pack as unknown as NodeJS.ReadableStream;
}

const states: Record<string, NodeState> = { created: 'created', running: 'running', paused: 'paused' };

/** The node that a listed container is; `undefined` for one without our labels. */
export function readContainer(info: ContainerInfo): FleetNode | undefined {
  const name = info.Labels[labels.node] ?? '';
  const number = Number(/^node-(\d+)$/.exec(name)?.[1]);
  const portFirst = Number(info.Labels[labels.portFirst]);
  if (!Number.isInteger(number) || !Number.isInteger(portFirst)) return undefined;
  const exitCode = /^Exited \((\d+)\)/.exec(info.Status)?.[1];
  return {
    name,
    number,
    state: states[info.State] ?? 'exited',
    exitCode: exitCode === undefined ? undefined : Number(exitCode),
    admin: `http://127.0.0.1:${portFirst + number - 1}`,
    handle: info.Id,
    connected: networkOf(info.Labels[labels.cluster] ?? '') in (info.NetworkSettings?.Networks ?? {}),
  };
}

/**
 * The text in a log of a container without a terminal: the engine sends frames of an 8-byte header (stream number,
 * three zeros, big-endian length) and that many bytes, both streams mixed in order.
 */
export function readLogFrames(frames: Buffer): string {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 8 <= frames.length) {
    const end = at + 8 + frames.readUInt32BE(at + 4);
    parts.push(frames.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString('utf8');
}
