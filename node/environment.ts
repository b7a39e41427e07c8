import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import { imagePattern } from './core/container-spec.ts';
import { interpreterPattern } from './core/type-capability.ts';
import { toAnnouncedAddress, toJoinAddress, toListenAddress } from './peer-address.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const onDamages = ['rejoin', 'stop'] as const;
/** What a node does that finds its store damaged: come back as a new member, or end and leave all as it is. */
export type OnDamage = (typeof onDamages)[number];

/** One name for all containers of a machine: they share its kernel, and that its name of this boot. */
function machineName(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
  } catch {
    return hostname();
  }
}

/** What the environment says about this node, checked. */
export interface Environment {
  dataDirectory: string;
  name: string;
  listen: string[];
  announce: string[];
  join: string[];
  expect: number;
  /** How many nodes shall vote. */
  voters: number;
  /** Whether leaders answer reads without asking a majority each time: rests on clocks. */
  leaseReads: boolean;
  adminHost: string;
  adminPort: number;
  adminUrl: string;
  networkKeyFile: string | undefined;
  tokenPublicKeyFile: string;
  site: string;
  /** Nodes of a site with the same one fail together. */
  machine: string;
  capabilities: string[];
  agentsMax: number;
  typesDirectory: string | undefined;
  /** Programs that may run `process` agents: name → absolute path. */
  interpreters: Map<string, string>;
  /** Where agents may run as containers: the engine's socket, and the images that are allowed. */
  containers: { socketPath: string; images: string[]; owner: string | undefined } | undefined;
  onDamage: OnDamage;
  logLevel: LogLevel;
}

/** A setting that cannot be used; nothing has been started or written. */
export class EnvironmentError extends Error {
  constructor(name: string, problem: string, example: string) {
    super(`${name} ${problem}. Nothing was started. Set it, for example: ${name}=${example}`);
    this.name = 'EnvironmentError';
  }
}

interface AddressKind {
  /** The address as a multiaddr; undefined when it is none of this kind. */
  read(text: string): string | undefined;
  problem: string;
  example: string;
}

const listened: AddressKind = {
  read: toListenAddress,
  problem: 'not a multiaddr of a host and a TCP port',
  example: '/ip4/0.0.0.0/tcp/7000',
};
const announced: AddressKind = { ...listened, read: toAnnouncedAddress, example: '/ip4/10.0.0.7/tcp/7000' };
const joined: AddressKind = {
  read: toJoinAddress,
  problem: 'neither host:port nor a multiaddr of a host and a TCP port',
  example: 'node-1:7000',
};

/** Of a node, all together. */
const capabilitiesMax = 64;
const interpretersMax = 16;

/** Throws `EnvironmentError`. */
function readInterpreters(parts: readonly string[]): Map<string, string> {
  const wrong = (problem: string): EnvironmentError =>
    new EnvironmentError('CONCLAVE_INTERPRETERS', problem, 'python3=/usr/bin/python3');
  if (parts.length > interpretersMax) throw wrong(`has ${parts.length} programs, at most ${interpretersMax} are taken`);
  return new Map(
    parts.map((part): [string, string] => {
      const [name = '', path = ''] = part.split(/=(.*)/s);
      if (interpreterPattern.test(name) && isAbsolute(path)) return [name, path];
      throw wrong(`has ${JSON.stringify(part)}, not a name and the absolute path of a program`);
    }),
  );
}

const imagesMax = 16;
const ownerPattern = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

/** Throws `EnvironmentError`. */
function readContainers(
  socketPath: string | undefined,
  images: string[],
  owner: string | undefined,
): Environment['containers'] {
  const wrongImages = (problem: string): EnvironmentError =>
    new EnvironmentError('CONCLAVE_CONTAINER_IMAGES', problem, 'conversation-agent:1');
  if (socketPath === undefined && images.length === 0) return undefined;
  if (socketPath === undefined || !isAbsolute(socketPath)) {
    const problem = socketPath === undefined ? 'is missing beside CONCLAVE_CONTAINER_IMAGES' : 'is no absolute path';
    throw new EnvironmentError('CONCLAVE_CONTAINERS', problem, '/var/run/docker.sock');
  }
  if (images.length === 0) throw wrongImages('is missing beside CONCLAVE_CONTAINERS');
  if (images.length > imagesMax) throw wrongImages(`has ${images.length} images, at most ${imagesMax} are taken`);
  const wrong = images.find((image) => !imagePattern.test(image));
  if (wrong !== undefined) throw wrongImages(`has ${JSON.stringify(wrong)}, not the reference of an image`);
  if (owner !== undefined && !ownerPattern.test(owner)) {
    const problem = `is ${JSON.stringify(owner)}, not up to 128 letters, digits, dots, dashes and slashes`;
    throw new EnvironmentError('CONCLAVE_CONTAINER_OWNER', problem, 'conclave/node-1');
  }
  return { socketPath, images, owner };
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads and checks the CONCLAVE_ variables. Throws `EnvironmentError` naming the first that is wrong. */
export function readEnvironment(variables: Variables): Environment {
  const text = (name: string, otherwise: string): string => variables[name] ?? otherwise;
  const list = (name: string, otherwise = ''): string[] =>
    text(name, otherwise)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  const needed = (name: string, example: string): string => {
    const value = variables[name];
    if (value === undefined || value === '') throw new EnvironmentError(name, 'is missing', example);
    return value;
  };
  const whole = (name: string, otherwise: number, min: number, max: number): number => {
    const value = Number(variables[name] ?? otherwise);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new EnvironmentError(
      name,
      `is "${variables[name]}", not a whole number from ${min} to ${max}`,
      String(otherwise),
    );
  };
  const oneOf = <T extends string>(name: string, known: readonly T[], otherwise: T): T => {
    const value = text(name, otherwise);
    const found = known.find((one) => one === value);
    if (found !== undefined) return found;
    throw new EnvironmentError(name, `is ${JSON.stringify(value)}, not one of ${known.join(', ')}`, otherwise);
  };
  const addresses = (name: string, otherwise: string, kind: AddressKind): string[] =>
    list(name, otherwise).map((part) => {
      const address = kind.read(part);
      if (address !== undefined) return address;
      throw new EnvironmentError(name, `has ${JSON.stringify(part)}, ${kind.problem}`, kind.example);
    });
  const name = needed('CONCLAVE_NAME', 'node-1');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    throw new EnvironmentError('CONCLAVE_NAME', `is "${name}", not letters, digits, dots and dashes`, 'node-1');
  }
  const interpreters = readInterpreters(list('CONCLAVE_INTERPRETERS'));
  const images = list('CONCLAVE_CONTAINER_IMAGES');
  const owner = variables['CONCLAVE_CONTAINER_OWNER'];
  const containers = readContainers(variables['CONCLAVE_CONTAINERS'], images, owner);
  const adminPort = whole('CONCLAVE_ADMIN_PORT', 8000, 0, 65_535);
  return {
    dataDirectory: needed('CONCLAVE_DATA', '/data'),
    name,
    listen: addresses('CONCLAVE_LISTEN', '/ip4/0.0.0.0/tcp/7000', listened),
    announce: addresses('CONCLAVE_ANNOUNCE', '', announced).slice(0, 8),
    join: addresses('CONCLAVE_JOIN', '', joined),
    expect: whole('CONCLAVE_EXPECT', 0, 0, 1_000),
    voters: whole('CONCLAVE_VOTERS', 5, 3, 7),
    leaseReads: oneOf('CONCLAVE_LEASE_READS', ['off', 'on'], 'off') === 'on',
    adminHost: text('CONCLAVE_ADMIN_HOST', '127.0.0.1'),
    adminPort,
    adminUrl: text('CONCLAVE_ADMIN_URL', `http://127.0.0.1:${adminPort}`),
    networkKeyFile: variables['CONCLAVE_NETWORK_KEY_FILE'],
    tokenPublicKeyFile: needed('CONCLAVE_TOKEN_PUBLIC_KEY_FILE', '/secrets/token-public.pem'),
    site: text('CONCLAVE_SITE', 'default'),
    machine: text('CONCLAVE_MACHINE', machineName()),
    capabilities: list('CONCLAVE_CAPABILITIES').slice(
      0,
      capabilitiesMax - interpreters.size - (containers?.images.length ?? 0),
    ),
    agentsMax: whole('CONCLAVE_AGENTS_MAX', 1_000, 1, 100_000),
    interpreters,
    containers,
    typesDirectory: variables['CONCLAVE_TYPES'],
    onDamage: oneOf('CONCLAVE_ON_DAMAGE', onDamages, 'rejoin'),
    logLevel: oneOf('CONCLAVE_LOG_LEVEL', logLevels, 'info'),
  };
}
