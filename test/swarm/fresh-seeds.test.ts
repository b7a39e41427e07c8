import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const program = join(root, 'dist', 'cli.mjs');
/** Real time that the fresh seeds take, s: some minute of one core. More on demand. */
const forS = Number(process.env.SIM_FRESH_S ?? 30);
const seedsMax = 100_000;

test('every promise holds in fresh seeds', () => {
  expect(existsSync(program), 'the program is built').toBe(true);
  // Other seeds each time: what one run of the checks does not find, the next may.
  const first = Math.floor(Math.random() * 1_000_000_000);
  const args = ['sim', '--seed', String(first), '--runs', String(seedsMax), '--for', String(forS), '--jobs', '2'];
  const out = mkdtempSync(join(tmpdir(), 'fresh-seeds-'));
  const run = spawnSync(process.execPath, [program, ...args, '--collect', '--json', '--no-shrink', '--out', out], {
    cwd: out,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  rmSync(out, { recursive: true, force: true });
  const told = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '{}') as {
    runs: number;
    virtualMs: number;
    broken: { seed: string; violation: { checker: string; what: string } }[];
  };
  const hours = (told.virtualMs / 3_600_000).toFixed(1);
  console.log(`fresh seeds ${first} to ${first + told.runs - 1}: ${told.runs} runs, ${hours} virtual hours`);
  const broken = told.broken.map(({ seed, violation: { checker, what } }) => `seed ${seed}: ${checker}: ${what}`);
  expect(broken, run.stderr).toEqual([]);
  expect(told.runs).toBeGreaterThan(5);
});
