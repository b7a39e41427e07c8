import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../node/cli/program.ts';
import { Printed } from './run.ts';

vi.setConfig({ testTimeout: 120_000 });

const root = join(import.meta.dirname, '..', '..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sim-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function sim(...argv: string[]) {
  const console = { out: new Printed(), err: new Printed() };
  const code = await runCommandLine(['sim', ...argv, '--out', folder], console);
  return { code, out: console.out.text, err: console.err.text, json: () => JSON.parse(console.out.text) };
}

const short = ['--nodes', '3', '--minutes', '0.1'];

describe('one run', () => {
  test('is told as a story with a verdict', async () => {
    const { code, out } = await sim('--seed', '42', ...short);
    expect(code).toBe(0);
    expect(out).toContain('Seed 42');
    expect(out).toMatch(/leads in term/);
    expect(out).toContain('Every promise held.');
  });

  test('is the same again, and one object for programs', async () => {
    const [one, other] = [await sim('--seed', '7', ...short, '--json'), await sim('--seed', '7', ...short, '--json')];
    expect(one.json()).toMatchObject({ seed: '7', ok: true, nodes: 3 });
    expect(one.json().hash).toMatch(/^[0-9a-f]{16}$/);
    expect(other.json().hash).toBe(one.json().hash);
  });

  test('has only the faults that were asked for', async () => {
    const { out } = await sim('--seed', '3', '--minutes', '1', '--faults', 'clock');
    const faults = out.split('\n').filter((line) => line.includes('✗') && Number.parseFloat(line) < 60);
    for (const fault of faults) expect(fault).toMatch(/clock/);
  });

  test('becomes a page that needs nothing else', async () => {
    const file = join(folder, 'out.html');
    const { code } = await sim('--seed', '5', ...short, '--report', file);
    expect(code).toBe(0);
    const page = readFileSync(file, 'utf8');
    expect(page).toContain('<!doctype html>');
    expect(page).not.toMatch(/(src|href)="https?:/);
  });
});

describe('many runs', () => {
  test('are summed up, with the marks that were never hit', async () => {
    const { code, out } = await sim('--runs', '3', '--jobs', '2', '--seed', '10', ...short);
    expect(code).toBe(0);
    expect(out).toMatch(/3 of 3 seeds/);
    expect(out).toMatch(/Coverage marks: \d+ of \d+ hit\. Never hit:/);
  });
});

describe('a scenario', () => {
  test.each(['split-brain', 'host-suspended', 'rolling-restart'])('%s holds', async (name) => {
    const { code, out, err } = await sim(
      '--scenario',
      join(root, 'examples', 'scenarios', `${name}.ts`),
      '--seed',
      '1',
    );
    expect(code, out + err).toBe(0);
  });

  test('that cuts off a node that does not exist is a mistake, not a broken promise', async () => {
    const file = join(folder, 'mistake.ts');
    writeFileSync(
      file,
      `export default { title: 'x', nodes: 3, story(stage) { stage.settle(); stage.partition([['n9']]); } };`,
    );
    const { code, err } = await sim('--scenario', file);
    expect(code).toBe(2);
    expect(err).toContain('There is no node n9. There are n1, n2, n3.');
  });

  test('whose expectation fails breaks a promise', async () => {
    const file = join(folder, 'fails.ts');
    const story = `stage.settle(); stage.expect('the moon is made of cheese', false);`;
    writeFileSync(file, `export default { title: 'x', nodes: 3, story(stage) { ${story} } };`);
    const { code, out } = await sim('--scenario', file);
    expect(code).toBe(1);
    expect(out).toContain('the moon is made of cheese');
  });

  test('that is none is refused', async () => {
    const file = join(folder, 'none.ts');
    writeFileSync(file, 'export default 7;');
    expect(await sim('--scenario', file)).toMatchObject({ code: 2 });
  });
});

describe("a user's agents", () => {
  const tasks = (): string => {
    const file = join(folder, 'ticks.jsonl');
    writeFileSync(file, '{"symbol":"MSFT","price":39.81}\n{"symbol":"AAPL","price":25.94}\n');
    return file;
  };

  test('are judged by what they answer undisturbed', async () => {
    const agent = join(root, 'examples', 'trading');
    const { code, json } = await sim('--seed', '4', '--minutes', '0.3', '--agent', agent, '--tasks', tasks(), '--json');
    expect(code).toBe(0);
    const { guests } = json();
    expect(guests).toHaveLength(3);
    for (const guest of guests) {
      expect(guest.tasks).toBeGreaterThan(5);
      expect(guest).not.toHaveProperty('notCompared');
    }
  });

  test('need tasks', async () => {
    const { code, err } = await sim('--agent', join(root, 'examples', 'trading'));
    expect(code).toBe(2);
    expect(err).toContain('--tasks');
  });
});

describe('a replay', () => {
  /** A broken promise, found in a scenario's place: a workload that nobody can serve in time. */
  const replayOf = async (changes: object): Promise<string> => {
    const { readReplay: _unused, ...simulator } = (await import(
      join(root, 'dist', 'sim.mjs')
    )) as typeof import('../../sim/main.ts');
    const plan = simulator.drawPlan('9', { nodes: 3, minutes: 0.1 });
    const { hash, steps } = simulator.runPlan(plan);
    const program = simulator.programHash();
    const file = join(folder, `replay-${Object.keys(changes).join('-')}.json`);
    const replay = { version: 'unbuilt', program, plan, modules: {}, hash, steps, footprints: '', ...changes };
    writeFileSync(file, simulator.replayText(replay));
    return file;
  };

  test('comes to the same event', async () => {
    const { code, out, err } = await sim('--replay', await replayOf({}));
    expect(code, err).toBe(0);
    expect(out).toContain('The same run, to the same event');
  });

  test('of a changed program is refused, and run with --force', async () => {
    const file = await replayOf({ program: 'another' });
    const refused = await sim('--replay', file);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('--force');
    expect((await sim('--replay', file, '--force')).code).toBe(0);
  });

  test('that takes another course says so', async () => {
    const { out } = await sim('--replay', await replayOf({ hash: '0000000000000000' }));
    expect(out).toContain('another course');
  });

  test('that is damaged is refused', async () => {
    const file = await replayOf({ plan: { seed: '1', nodes: 0 } });
    expect(await sim('--replay', file)).toMatchObject({ code: 2 });
  });
});

describe('wrong usage ends with 2 and runs nothing', () => {
  test.each([
    [['--runs', '0'], 'whole number'],
    [['--seed', 'x'], 'whole number'],
    [['--minutes', '-1'], 'above 0'],
    [['--faults', 'gremlins'], 'There is no fault "gremlins"'],
    [['--replay', 'nowhere.json'], 'There is no file'],
    [['--scenario', 'nowhere.ts'], 'There is no file'],
    [['--replay', 'package.json'], 'not a replay file'],
    [['--runs', '2', '--replay', 'x.json'], 'leave --runs out'],
  ])('%j', async (argv, words) => {
    const { code, out, err } = await sim(...argv);
    expect(code).toBe(2);
    expect(err).toContain(words);
    expect(out).toBe('');
  });

  test('and the faults can be listed', async () => {
    const { code, out } = await sim('--faults', 'list');
    expect(code).toBe(0);
    expect(out).toMatch(/partition +the nodes are cut in two/);
    expect(existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('conclave-sim'))).toBe(false);
  });
});
