import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { devNull, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guarded } from '../../sim/guard.ts';
import { drawPlan } from '../../sim/plan.ts';
import { runPlan, runSeed } from '../../sim/run.ts';
import { connectFromFirst, scriptedWorld, send } from './scripted-node.ts';

const wishes = { minutes: 0.3 };
const seeds = ['determinism 1', 'determinism 2'];
const outline = ({ hash, steps, counts, virtualMs }: ReturnType<typeof runSeed>) => ({
  hash,
  steps,
  counts,
  virtualMs,
});

describe('one seed, one run', () => {
  test('twice in one process', () => {
    for (const seed of seeds) expect(outline(runSeed(seed, wishes))).toEqual(outline(runSeed(seed, wishes)));
  });

  test('in between with others, and from a plan that was kept as JSON', () => {
    const [seed = '', other = ''] = seeds;
    const first = outline(runSeed(seed, wishes));
    runSeed(other, wishes);
    expect(outline(runPlan(JSON.parse(JSON.stringify(drawPlan(seed, wishes)))))).toEqual(first);
  });

  test('another seed gives another one', () => {
    const hashes = seeds.map((seed) => runSeed(seed, wishes).hash);
    expect(new Set(hashes).size).toBe(seeds.length);
  });

  test('with nodes that a script stands in for, too', () => {
    const hashOf = (seed: string) => {
      const { world } = scriptedWorld(
        (event, _at, init) => (event.type === 'connected' ? [send(event.node, 1)] : connectFromFirst(event, init)),
        { seed, nodes: 4 },
      );
      world.run(3_000);
      return world.trace.hash();
    };
    expect(hashOf('a')).toBe(hashOf('a'));
    expect(hashOf('a')).not.toBe(hashOf('b'));
  });
});

describe('in a fresh process', () => {
  let folder = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conclave-determinism-'));
    const driver = [
      `import { runSeed } from '../../sim/run.ts';`,
      `const verdicts = ${JSON.stringify(seeds)}.map((seed) => runSeed(seed, ${JSON.stringify(wishes)}));`,
      `process.stdout.write(JSON.stringify(verdicts));`,
    ].join('\n');
    await build({
      stdin: { contents: driver, resolveDir: import.meta.dirname, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: join(folder, 'driver.cjs'),
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('the same seed gives the same run', () => {
    // A time zone, a language and a heap of its own, and another order of hash tables.
    const env = { TZ: 'Pacific/Chatham', LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' };
    const flags = ['--hash-seed=4711', '--max-semi-space-size=1'];
    const output = execFileSync(process.execPath, [...flags, join(folder, 'driver.cjs')], { env, encoding: 'utf8' });
    const there = (JSON.parse(output) as ReturnType<typeof runSeed>[]).map(outline);
    expect(there).toEqual(seeds.map((seed) => outline(runSeed(seed, wishes))));
  });
});

describe('the guard around a world', () => {
  /** What it is called in the error, how code would use it, and what to clean up where it works. */
  const uses: [string, () => unknown, ((used: unknown) => void)?][] = [
    ['Date.now', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['process.hrtime', () => process.hrtime()],
    ['process.hrtime.bigint', () => process.hrtime.bigint()],
    ['process.uptime', () => process.uptime()],
    ['setTimeout', () => setTimeout(() => {}, 1), (timer) => clearTimeout(timer as NodeJS.Timeout)],
    ['setInterval', () => setInterval(() => {}, 1), (timer) => clearInterval(timer as NodeJS.Timeout)],
    ['setImmediate', () => setImmediate(() => {})],
    ['queueMicrotask', () => queueMicrotask(() => {})],
    ['process.nextTick', () => process.nextTick(() => {})],
    ['timers/promises.setTimeout', () => sleep(1)],
    ['crypto.randomUUID', () => crypto.randomUUID()],
    ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(1))],
    ['crypto.randomBytes', () => randomBytes(1)],
    ['fs.readFileSync', () => readFileSync(import.meta.filename)],
    ['fs.writeFileSync', () => writeFileSync(devNull, '')],
    ['fs.promises.readFile', () => readFile(import.meta.filename)],
    ['child_process.execFileSync', () => execFileSync(process.execPath, ['--version'])],
    ['dns.lookup', () => lookup('localhost', () => {})],
    ['os.hostname', () => hostname()],
    ['fetch', () => fetch('data:text/plain,x')],
    ['net.Socket.connect', () => connect({ port: 9, host: '127.0.0.1' }).on('error', () => {})],
  ];

  test.each(uses)('%s throws while nodes run and works again after', (name, use, cleanUp) => {
    const { world } = scriptedWorld((event) => {
      if (event.type === 'load') use();
      return [];
    });
    expect(() => world.run(100)).toThrow(`Error: ${name} was used inside the simulated world`);
    let used: unknown;
    expect(() => {
      used = use();
    }).not.toThrow();
    cleanUp?.(used);
  });

  test('everything is back as it was, also after something threw', () => {
    const owners = [globalThis, Math, process, performance, crypto];
    const seen = () => owners.map((owner) => Object.getOwnPropertyDescriptors(owner));
    guarded(() => 0);
    const before = seen();
    expect(() =>
      guarded(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(seen()).toEqual(before);
  });

  test('a given moment can still be turned into a date', () => {
    expect(guarded(() => new Date(0).toISOString())).toBe('1970-01-01T00:00:00.000Z');
    expect(guarded(() => new Date(2026, 0) instanceof Date)).toBe(true);
  });

  test('a guard within a guard neither costs nor opens anything', () => {
    guarded(() => {
      guarded(() => 0);
      expect(() => Math.random()).toThrow('inside the simulated world');
    });
    expect(Math.random()).toBeLessThan(1);
  });
});
