import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

interface Locked {
  version?: string;
  resolved?: string;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
}

const wanted = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const listed = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)];
const declared = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) =>
  Object.entries(wanted[kind] ?? {}),
);

/** Every version of a package in the lock file, wherever it is installed and under whatever name it came. */
const lockedVersions = (name: string): string[] =>
  Object.entries(packages)
    .filter(([place]) => place === `node_modules/${name}` || place.endsWith(`/node_modules/${name}`))
    .map(([, { version }]) => version ?? '');

const numbers = (version: string): number[] => version.split(/[.-]/).slice(0, 3).map(Number);

function isAtLeast(version: string, least: string): boolean {
  const [have, need] = [numbers(version), numbers(least)];
  const at = need.findIndex((part, place) => have[place] !== part);
  return at === -1 || (have[at] ?? 0) > (need[at] ?? 0);
}

describe('docs/dependencies.md', () => {
  it('lists every dependency once and no other', () => {
    expect(listed.map(([, name]) => name).sort()).toEqual(declared.map(([name]) => name).sort());
  });

  it('names what an alias stands for', () => {
    const silent = declared.filter(([name, range]) => {
      const target = /^npm:(.+)@/.exec(range)?.[1];
      const why = listed.find(([, each]) => each === name)?.[2] ?? '';
      return target !== undefined && !why.includes(`an alias of \`${target}\``);
    });
    expect(silent).toEqual([]);
  });
});

describe('what is installed', () => {
  // Loading them is the test: an alias to a package of another generation fails here first.
  const load: Record<string, () => Promise<object>> = {
    libp2p: () => import('libp2p'),
    '@chainsafe/libp2p-gossipsub': () => import('@chainsafe/libp2p-gossipsub'),
    '@chainsafe/libp2p-noise': () => import('@chainsafe/libp2p-noise'),
    '@libp2p/tcp': () => import('@libp2p/tcp'),
    dockerode: () => import('dockerode'),
    level: () => import('level'),
    vitest: () => import('vitest'),
  };

  it.each(Object.keys(load))('%s can be imported', async (name) => {
    expect(Object.keys((await load[name]?.()) ?? {})).not.toEqual([]);
  });
});

describe('known advisories', () => {
  // No audit service may be in reach of a test, so the versions that mended them stand here.
  const least: [name: string, version: string, optional?: 'optional'][] = [
    ['@chainsafe/libp2p-gossipsub', '16.0.5'],
    ['fastify', '5.8.1'],
    ['@fastify/static', '9.1.1', 'optional'],
    ['jose', '4.15.5'],
  ];

  it.each(least)('%s is %s or newer', (name, version, optional) => {
    const versions = lockedVersions(name);
    if (optional === undefined) expect(versions).not.toEqual([]);
    expect(versions.filter((each) => !isAtLeast(each, version))).toEqual([]);
  });

  it('tar-fs is one that CVE-2025-59343 does not concern', () => {
    const mended: Record<string, string> = { '1': '1.16.6', '2': '2.1.4', '3': '3.1.1' };
    const versions = lockedVersions('tar-fs');
    expect(versions).not.toEqual([]);
    expect(versions.filter((each) => !isAtLeast(each, mended[each.split('.')[0] ?? ''] ?? '4.0.0'))).toEqual([]);
  });

  it('versions are compared by number', () => {
    expect(isAtLeast('5.12.8', '5.8.1')).toBe(true);
    expect(isAtLeast('5.8.1', '5.8.1')).toBe(true);
    expect(isAtLeast('6.0.0-rc.1', '5.8.1')).toBe(true);
    expect(isAtLeast('5.8.0', '5.8.1')).toBe(false);
    expect(isAtLeast('4.15.4', '4.15.5')).toBe(false);
  });
});

describe('the lock file', () => {
  it('names no place to download from', () => {
    expect(Object.keys(packages).filter((place) => packages[place]?.resolved?.includes('://'))).toEqual([]);
  });

  it('has the optional packages of every platform, without which "npm ci" refuses', () => {
    const missing = Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          packages[`node_modules/${name}`] === undefined && packages[`${place}/node_modules/${name}`] === undefined,
      ),
    );
    expect(missing).toEqual([]);
  });
});
