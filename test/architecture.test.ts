import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const depcruise = join(root, 'node_modules', '.bin', 'depcruise');
const config = join(root, '.dependency-cruiser.cjs');

interface Result {
  modules: { source: string }[];
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
}

/** What the import rule says of the rooms of a folder. */
function cruise(folder: string, rooms: readonly string[]): Result {
  const args = [depcruise, '--config', config, '--output-type', 'json', ...rooms];
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (!stdout.startsWith('{')) throw new Error(`dependency-cruiser gave no result: ${stderr}`);
  return JSON.parse(stdout) as Result;
}

/** An import from a file to another, and the rule that forbids it; undefined where it is allowed. */
interface Import {
  from: string;
  to: string;
  how?: 'type';
  forbiddenBy?: string;
}

const imports: Import[] = [
  // the leaves
  { from: 'consensus/a1.ts', to: 'consensus/raft.ts' },
  { from: 'consensus/a2.ts', to: 'strategies/strategy.ts', forbiddenBy: 'leaves-know-nobody' },
  { from: 'strategies/a3.ts', to: 'node/core/node.ts', how: 'type', forbiddenBy: 'leaves-know-nobody' },
  { from: 'strategies/a4.ts', to: 'fastify', forbiddenBy: 'leaves-without-packages' },
  { from: 'consensus/a5.ts', to: 'node:fs', forbiddenBy: 'pure-without-builtins' },
  // the core
  { from: 'node/core/b1.ts', to: 'consensus/raft.ts' },
  { from: 'node/core/b2.ts', to: 'strategies/strategy.ts' },
  { from: 'node/core/b3.ts', to: 'node/runtime/store.ts', how: 'type', forbiddenBy: 'core-knows-leaves-only' },
  { from: 'node/core/b4.ts', to: 'sim/world.ts', forbiddenBy: 'core-knows-leaves-only' },
  { from: 'node/core/b5.ts', to: 'node:crypto', forbiddenBy: 'pure-without-builtins' },
  { from: 'node/core/b6.ts', to: 'fastify', forbiddenBy: 'core-with-pure-packages' },
  { from: 'node/core/b7.ts', to: 'protons-runtime' },
  { from: 'node/core/b8.ts', to: 'crypto', forbiddenBy: 'pure-without-builtins' },
  // the hosts
  { from: 'node/runtime/c1.ts', to: 'node/core/node.ts' },
  { from: 'node/runtime/c2.ts', to: 'node/api/server.ts', how: 'type', forbiddenBy: 'hosts-know-core-only' },
  { from: 'node/api/c3.ts', to: 'node/runtime/store.ts', forbiddenBy: 'hosts-know-core-only' },
  { from: 'sim/c4.ts', to: 'node/runtime/store.ts', how: 'type', forbiddenBy: 'hosts-know-core-only' },
  { from: 'sim/c5.ts', to: 'node/api/server.ts', forbiddenBy: 'hosts-know-core-only' },
  { from: 'sim/c6.ts', to: 'node/core/node.ts' },
  { from: 'node/api/c7.ts', to: 'node/main.ts', forbiddenBy: 'nobody-knows-main' },
  // who wires
  { from: 'node/main.ts', to: 'node/runtime/store.ts' },
  { from: 'node/main.ts', to: 'node/cli/up.ts', forbiddenBy: 'main-stays-inside' },
  { from: 'node/d1.ts', to: 'node/runtime/store.ts', forbiddenBy: 'only-main-wires' },
  // outside
  { from: 'docker/e1.ts', to: 'node/core/node.ts', how: 'type' },
  { from: 'docker/e2.ts', to: 'node/core/node.ts', forbiddenBy: 'outside-takes-types-only' },
  { from: 'docker/e3.ts', to: 'node/cli/up.ts', forbiddenBy: 'outside-stays-outside' },
  { from: 'node/cli/e4.ts', to: 'docker/fleet.ts' },
  { from: 'node/cli/e5.ts', to: 'node/api/server.ts', how: 'type' },
  { from: 'node/cli/e6.ts', to: 'node/api/server.ts', forbiddenBy: 'outside-takes-types-only' },
  { from: 'node/cli/e7.ts', to: 'node/runtime/store.ts', how: 'type', forbiddenBy: 'cli-stays-outside' },
  { from: 'web/e8.ts', to: 'node/core/node.ts', forbiddenBy: 'outside-takes-types-only' },
  { from: 'node/cli/e10.ts', to: 'node/recover/main.ts', how: 'type' },
  { from: 'node/cli/e11.ts', to: 'node/recover/main.ts', forbiddenBy: 'outside-takes-types-only' },
  { from: 'node/recover/e12.ts', to: 'node/runtime/store.ts' },
  { from: 'node/recover/e13.ts', to: 'node/api/server.ts', how: 'type', forbiddenBy: 'recover-knows-runtime' },
  { from: 'node/runtime/e14.ts', to: 'node/recover/main.ts', how: 'type', forbiddenBy: 'hosts-know-core-only' },
  { from: 'examples/e9/agent.ts', to: 'node/runtime/store.ts', how: 'type' },
  { from: 'examples/f1/agent.ts', to: 'node/runtime/store.ts', forbiddenBy: 'examples-take-types-only' },
  { from: 'sim/f2.ts', to: 'test/world.ts', forbiddenBy: 'product-without-tests' },
  // anywhere
  { from: 'sim/f3.ts', to: 'sim/absent.ts', forbiddenBy: 'nothing-missing' },
];

const planted = mkdtempSync(join(tmpdir(), 'conclave-imports-'));
afterAll(() => rmSync(planted, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(planted, file)), { recursive: true });
  writeFileSync(join(planted, file), text, { flag: 'a' });
}

/** A tree in which every file exists and holds nothing but its one import. */
function plant(): Result {
  for (const name of ['fastify', 'protons-runtime']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, 'exports.x = 1;\n');
  }
  const names = ['fastify', 'protons-runtime'];
  write('package.json', JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])) }));
  for (const { from, to, how } of imports) {
    const isOurs = to.endsWith('.ts');
    if (isOurs && !to.includes('absent')) write(to, 'export interface T { x: 1 }\nexport const x = 1;\n');
    const path = isOurs ? `${'../'.repeat(from.split('/').length - 1)}${to}` : to;
    const line = how === 'type' ? `import type { T } from '${path}';\nexport type U = T;\n` : `import '${path}';\n`;
    write(from, line);
  }
  write('sim/loop.ts', "import type { B } from './loop-back.ts';\nexport interface A { b: B }\n");
  write('sim/loop-back.ts', "import type { A } from './loop.ts';\nexport interface B { a: A }\n");
  return cruise(planted, ['consensus', 'strategies', 'node', 'sim', 'docker', 'web', 'examples', 'test']);
}

describe('the import rule', () => {
  it('holds in the tree, and sees its sources', () => {
    const { modules, summary } = cruise(root, ['consensus', 'strategies', 'node', 'sim', 'docker', 'examples']);
    expect(summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
    const sources = modules.map(({ source }) => source);
    for (const room of ['consensus/', 'strategies/', 'node/core/', 'node/runtime/', 'node/api/', 'sim/', 'docker/']) {
      expect(sources.filter((source) => source.startsWith(room) && source.endsWith('.ts')).length).toBeGreaterThan(2);
    }
  });

  const { violations } = plant().summary;
  const against = (from: string, to: string): string[] =>
    violations
      .filter((each) => each.from === from && (each.to === to || each.to.includes(to.replace(/^node:/, ''))))
      .map(({ rule }) => rule.name);

  it.each(imports)('$from → $to ($how): $forbiddenBy', ({ from, to, forbiddenBy }) => {
    if (forbiddenBy === undefined) expect(against(from, to)).toEqual([]);
    else expect(against(from, to)).toContain(forbiddenBy);
  });

  it('forbids a cycle, also one of types', () => {
    // It is reported once, from either end.
    const cycles = violations.filter(({ rule }) => rule.name === 'no-cycle').map(({ from }) => from);
    expect(cycles.some((from) => from.startsWith('sim/loop'))).toBe(true);
  });
});
