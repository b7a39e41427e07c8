import type { ContainerSpec } from '../core/container-spec.ts';

/** What marks a container as an agent's of a node of ours. */
export const labels = {
  agent: 'conclave.agent',
  epoch: 'conclave.epoch',
  node: 'conclave.node',
  /** Tells apart what this start of the node made from what an earlier one left. */
  instance: 'conclave.instance',
} as const;

/** Under which name whoever made the node looks for what it left. */
export const ownerLabel = 'conclave.owner';

/** Of a container's own processor time, as the kernel counts it. */
const cpuPeriodUs = 100_000;
/** Weight beside others; a container has 1024 if nothing else is said. */
const cpuShares = 256;
const mb = 1024 * 1024;
/** Nobody, on every Linux; belongs to no group that owns anything. */
const user = '65534:65534';
const temporaryMb = 16;
const sharedMemoryMb = 8;
const filesOpenMax = 256;

/** Options for making an agent's container. A spec chooses limits; what keeps the host safe is the same for all. */
export function containerOptions(
  { image, command, memoryMb, cpus, pids, env = {} }: ContainerSpec,
  marks: Readonly<Record<keyof typeof labels, string>>,
  owner?: string,
): object {
  const variables = { HOME: '/tmp', TMPDIR: '/tmp', ...env };
  return {
    Image: image,
    // Both, or the image's own entry point would take the command as its arguments.
    ...(command !== undefined && { Entrypoint: command, Cmd: [] }),
    Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    Labels: {
      ...Object.fromEntries(Object.entries(labels).map(([key, label]) => [label, marks[key as keyof typeof labels]])),
      ...(owner !== undefined && { [ownerLabel]: owner }),
    },
    User: user,
    Hostname: 'agent',
    Tty: false,
    OpenStdin: true,
    // Its input ends when the node that talks with it does.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // What an image has run to look after itself is no part of an agent.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'none',
      IpcMode: 'private',
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': `rw,noexec,nosuid,nodev,size=${temporaryMb}m,mode=1777` },
      ShmSize: sharedMemoryMb * mb,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: pids,
      Memory: memoryMb * mb,
      // Together with swap: so there is none.
      MemorySwap: memoryMb * mb,
      CpuPeriod: cpuPeriodUs,
      CpuQuota: Math.round(cpus * cpuPeriodUs),
      // Where processors are short on the machine, a node goes on before its agents: one that starves is taken for dead, and
      // everything that it had starts elsewhere, which takes even more.
      CpuShares: cpuShares,
      // Where memory is short on the machine, an agent goes before a node.
      OomScoreAdj: 500,
      Ulimits: [
        { Name: 'nofile', Soft: filesOpenMax, Hard: filesOpenMax },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
    },
  };
}
