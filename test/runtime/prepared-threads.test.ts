import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAgents } from './agents-kit.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

let directory: string;
let stage: RunnerStage;

const start = (agent: string, source: string, state?: Uint8Array) => {
  stage.runner.start({ agent, agentType: 'counter', epoch: 3, source, state });
  return stage.first('started', (one) => one.agent === agent);
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'prepared-'));
  stage = new RunnerStage((events, log) => createAgents({ directory, limits: { sparesMax: 0 }, log, events }));
});

afterEach(async () => {
  await stage.runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

test('a thread that is made ready is taken by the next start with the same code, unless it was released', async () => {
  const source = 'const at = Date.now(); export default { init: () => 0, handle: (state) => ({ state, result: at }) };';
  const prepare = async (agent: string, migration: number): Promise<number> => {
    stage.runner.prepare({ agent, agentType: 'counter', source, migration });
    const told = await stage.first('prepared', (one) => one.migration === migration);
    expect(told).toMatchObject({ agent, reason: '' });
    return Date.now();
  };
  /** When the code was loaded that an agent runs. */
  const loadedAt = async (agent: string): Promise<number> => {
    await start(agent, source, bytes(5));
    return Number((await stage.run(agent, 'at', null, 3)).value);
  };
  const readyAt = await prepare('a', 7);
  expect(await loadedAt('a')).toBeLessThanOrEqual(readyAt);
  const releasedAt = await prepare('b', 8);
  stage.runner.release('b', 7);
  stage.runner.release('b', 8);
  expect(await loadedAt('b')).toBeGreaterThan(releasedAt);
  await prepare('c', 9);
  // Another version of it came meanwhile.
  await start('c', 'export default { init: () => 2, handle: (state) => ({ state, result: state }) };');
  expect(await stage.run('c', 't', null, 3)).toMatchObject({ value: 2 });
});

test('a thread that cannot load its code is told as not ready', async () => {
  stage.runner.prepare({ agent: 'a', agentType: 'counter', source: 'throw new Error("no")', migration: 7 });
  expect((await stage.first('prepared')).reason).toMatch(/cannot be loaded: Error: no/);
  expect(stage.happened).toHaveLength(1);
});
