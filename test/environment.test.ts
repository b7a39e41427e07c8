import { describe, expect, test } from 'vitest';
import { EnvironmentError, readEnvironment } from '../node/environment.ts';

const needed = { CONCLAVE_DATA: 'data', CONCLAVE_NAME: 'n', CONCLAVE_TOKEN_PUBLIC_KEY_FILE: 'key.pem' };
const peer = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';

function problemWith(variables: Record<string, string>): string {
  try {
    readEnvironment({ ...needed, ...variables });
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    return (error as Error).message;
  }
  return '';
}

/** What a setting makes no sense without. */
const beside = (name: string): Record<string, string> =>
  name.startsWith('CONCLAVE_CONTAINER')
    ? { CONCLAVE_CONTAINERS: '/run/docker.sock', CONCLAVE_CONTAINER_IMAGES: 'talk:1' }
    : {};

const wrong: [string, string, RegExp][] = [
  ['CONCLAVE_LISTEN', 'nonsense', /has "nonsense", not a multiaddr of a host and a TCP port/],
  ['CONCLAVE_LISTEN', '/ip4/0.0.0.0/tcp/7000,/ip4/0.0.0.0/udp/7000', /has "\/ip4\/0\.0\.0\.0\/udp\/7000"/],
  ['CONCLAVE_LISTEN', '/ip4/0.0.0.0', /not a multiaddr of a host/],
  ['CONCLAVE_LISTEN', '/ip4/300.0.0.1/tcp/1', /not a multiaddr of a host/],
  ['CONCLAVE_LISTEN', '/ip4/0.0.0.0/tcp/70000', /not a multiaddr of a host/],
  ['CONCLAVE_ANNOUNCE', 'node-1:7000', /has "node-1:7000", not a multiaddr/],
  ['CONCLAVE_ANNOUNCE', '/ip4/10.0.0.7/tcp/0', /not a multiaddr/],
  ['CONCLAVE_ANNOUNCE', `/ip4/10.0.0.7/tcp/7000/p2p/${peer}`, /not a multiaddr/],
  ['CONCLAVE_LOG_LEVEL', 'verbose', /is "verbose", not one of trace, debug, info, warn, error, fatal, silent/],
  ['CONCLAVE_LOG_LEVEL', '', /is "", not one of/],
  ['CONCLAVE_VOTERS', '2', /is "2", not a whole number from 3 to 7/],
  ['CONCLAVE_VOTERS', '9', /is "9", not a whole number from 3 to 7/],
  ['CONCLAVE_LEASE_READS', 'yes', /is "yes", not one of/],
  ['CONCLAVE_ON_DAMAGE', 'ignore', /is "ignore", not one of rejoin, stop/],
  ['CONCLAVE_INTERPRETERS', 'python3', /has "python3", not a name and the absolute path/],
  ['CONCLAVE_INTERPRETERS', 'python3=bin/python3', /not a name and the absolute path/],
  ['CONCLAVE_INTERPRETERS', '../x=/bin/x', /not a name/],
  ['CONCLAVE_CONTAINERS', 'docker.sock', /is no absolute path/],
  ['CONCLAVE_CONTAINERS', '', /is no absolute path/],
  ['CONCLAVE_CONTAINER_OWNER', 'a b', /not up to 128 letters/],
  ['CONCLAVE_JOIN', 'host:notaport', /has "host:notaport", neither host:port nor a multiaddr/],
  ['CONCLAVE_JOIN', 'node-1,a:b:c', /has "a:b:c"/],
  ['CONCLAVE_JOIN', 'host:', /has "host:"/],
  ['CONCLAVE_JOIN', 'host:0', /has "host:0"/],
  ['CONCLAVE_JOIN', 'host:70000', /has "host:70000"/],
  ['CONCLAVE_JOIN', '10.0.0.300:7000', /has "10\.0\.0\.300:7000"/],
  ['CONCLAVE_JOIN', 'a host:7000', /has "a host:7000"/],
  ['CONCLAVE_JOIN', '/dns4/node-1/tcp/7000/p2p/nobody', /has "\/dns4/],
];

describe('the environment of a node', () => {
  test.each(wrong)('%s=%s is refused', (name, value, problem) => {
    const message = problemWith({ ...beside(name), [name]: value });
    expect(message).toMatch(problem);
    expect(message).toMatch(new RegExp(`^${name} .*Nothing was started\\. Set it, for example: ${name}=\\S+$`));
    const example = message.slice(message.lastIndexOf(`${name}=`) + name.length + 1);
    expect(problemWith({ ...beside(name), [name]: example })).toBe('');
  });

  test('allows containers by a socket and images together', () => {
    const [socketPath, image] = ['/var/run/docker.sock', `a.example:5000/talk@sha256:${'0a'.repeat(32)}`];
    const both = { CONCLAVE_CONTAINERS: socketPath, CONCLAVE_CONTAINER_IMAGES: `talk:1, ${image}` };
    expect(readEnvironment({ ...needed, ...both }).containers).toEqual({ socketPath, images: ['talk:1', image] });
    const owner = 'conclave/node-1';
    expect(readEnvironment({ ...needed, ...both, CONCLAVE_CONTAINER_OWNER: owner }).containers?.owner).toBe(owner);
    expect(readEnvironment(needed).containers).toBeUndefined();
    expect(problemWith({ CONCLAVE_CONTAINERS: socketPath })).toMatch(/^CONCLAVE_CONTAINER_IMAGES is missing beside/);
    expect(problemWith({ CONCLAVE_CONTAINER_IMAGES: 'talk:1' })).toMatch(/^CONCLAVE_CONTAINERS is missing beside/);
    const many = Array.from({ length: 17 }, (_, at) => `talk:${at}`).join(',');
    for (const images of [many, '../x', 'Talk', 'talk 1']) {
      expect(problemWith({ ...both, CONCLAVE_CONTAINER_IMAGES: images })).toMatch(/^CONCLAVE_CONTAINER_IMAGES has /);
    }
  });

  test('leaves room among the capabilities for what the node can run', () => {
    const capabilities = Array.from({ length: 70 }, (_, at) => `c${at}`).join(',');
    const runs = {
      ...{ CONCLAVE_INTERPRETERS: 'python3=/usr/bin/python3', CONCLAVE_CONTAINERS: '/var/run/docker.sock' },
      CONCLAVE_CONTAINER_IMAGES: 'talk:1,talk:2',
    };
    const read = readEnvironment({ ...needed, CONCLAVE_CAPABILITIES: capabilities, ...runs });
    expect(read.capabilities).toHaveLength(61);
  });

  test('takes every level of the log', () => {
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']) {
      expect(readEnvironment({ ...needed, CONCLAVE_LOG_LEVEL: level }).logLevel).toBe(level);
    }
    expect(readEnvironment(needed).logLevel).toBe('info');
  });

  test('takes addresses in every form that the documents name', () => {
    const listen = '/ip4/0.0.0.0/tcp/7000, /ip6/::/tcp/0,/ip6zone/eth0/ip6/fe80::1/tcp/7000';
    const announce = '/dns4/node-1.example.org/tcp/7000';
    const join = `node_1,10.0.0.7:7001,node-2:7002,/ip6/fd00::1/tcp/7003,/dns4/node-3/tcp/7004/p2p/${peer},`;
    const variables = { CONCLAVE_LISTEN: listen, CONCLAVE_ANNOUNCE: announce, CONCLAVE_JOIN: join };
    const environment = readEnvironment({ ...needed, ...variables });
    expect(environment.listen).toEqual(listen.split(',').map((address) => address.trim()));
    expect(environment.announce).toEqual([announce]);
    expect(environment.join).toEqual([
      '/dns4/node_1/tcp/7000',
      '/ip4/10.0.0.7/tcp/7001',
      '/dns4/node-2/tcp/7002',
      '/ip6/fd00::1/tcp/7003',
      `/dns4/node-3/tcp/7004/p2p/${peer}`,
    ]);
    expect(readEnvironment(needed)).toMatchObject({ listen: ['/ip4/0.0.0.0/tcp/7000'], announce: [], join: [] });
  });
});
