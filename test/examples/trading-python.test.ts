import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readModule } from '../../node/cli/deploy.ts';
import { createProcessRunner } from '../../node/runtime/process-runner.ts';
import { findPython } from '../python.ts';
import { bytes, RunnerStage } from '../runtime/runner-stage.ts';
import { bookAfter, differences, expectedStatistics, readTicks } from './reference.ts';

const folder = fileURLToPath(new URL('../../examples/trading-python', import.meta.url));
const python = findPython();
const ticks = readTicks();

describe.skipIf(python === undefined)('the trading agent in Python, where there is python3', () => {
  let directory: string;
  let stage: RunnerStage;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trading-python-'));
    const interpreters = new Map([['python3', python?.program ?? '']]);
    const limits = { tasksWaitingMax: ticks.length };
    stage = new RunnerStage((events, log) => createProcessRunner({ directory, interpreters, events, log, limits }));
  });

  afterEach(async () => {
    await stage.runner.stopAll();
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (epoch: number, state?: string): Promise<void> => {
    const { type, source = '', interpreter } = await readModule(folder);
    const given = state === undefined ? undefined : Buffer.from(state);
    stage.runner.start({ agent: 'a', agentType: type, epoch, source, interpreter, state: given });
    await stage.first('started', (one) => one.epoch === epoch);
  };

  test('ends, fed with all rows and moved half-way, in the state that was computed without it, and in the one of TypeScript', async () => {
    const feed = async (epoch: number, from: number, to: number): Promise<string> => {
      for (let at = from; at < to; at++) stage.runner.run('a', epoch, `t${at}`, bytes(ticks[at]));
      return (await stage.first('ran', (one) => one.task === `t${to - 1}`)).state;
    };
    const half = Math.floor(ticks.length / 2);
    await start(1);
    const moved = await feed(1, 0, half);
    stage.runner.stop('a', 1);
    await start(2, moved);
    const state: unknown = JSON.parse(await feed(2, half, ticks.length));
    expect(differences(state, expectedStatistics(ticks))).toEqual([]);
    expect(state).toEqual(await bookAfter(ticks));
  });

  test.each([
    [null, /looks like/],
    [{ price: 1 }, /symbol must/],
    [{ symbol: '__proto__', price: 1 }, /symbol must/],
    [{ symbol: 'MSFT', price: -1 }, /price of MSFT/],
    [{ symbol: 'MSFT', price: '1' }, /price of MSFT/],
    [{ symbol: 'MSFT', price: true }, /price of MSFT/],
  ])('refuses %j and says why', async (tick, why) => {
    await start(1);
    const { ok, value } = await stage.run('a', 't', tick);
    expect([ok, (value as { reason: string }).reason]).toEqual([false, expect.stringMatching(why)]);
  });

  test('has the protocol that the other example has', async () => {
    const protocolOf = (example: string) => readFile(join(folder, '..', example, 'conclave_agent.py'), 'utf8');
    expect(await protocolOf('trading-python')).toBe(await protocolOf('conversation'));
  });
});
