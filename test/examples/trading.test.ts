import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import trading from '../../examples/trading/agent.ts';
import { createWorkerRunner } from '../../node/runtime/worker-runner.ts';
import { stateAfter } from '../state-after.ts';
import { bookAfter, differences, expectedStatistics, readTicks, type Tick, taskContext } from './reference.ts';

const context = taskContext({ agent: 'trading-1', type: 'trading', epoch: 1 });
const ticks = readTicks();
const expected = expectedStatistics(ticks);

/** The ticks of all symbols dealt in turns: the order within each symbol stays. */
function interleaved(): Tick[] {
  const bySymbol = [...Map.groupBy(ticks, ({ symbol }) => symbol).values()].reverse();
  const longest = Math.max(...bySymbol.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => bySymbol.flatMap((own) => own[at] ?? [])).flat();
}

describe('the input', () => {
  test('is all rows of both files', () => {
    const counts = [...expected].map(([symbol, { count }]) => `${symbol} ${count}`);
    expect(counts).toEqual(['MSFT 123', 'AMZN 123', 'IBM 123', 'GOOG 68', 'AAPL 123', 'SP500 5105']);
    expect(ticks.every(({ price, date }) => Number.isFinite(price) && price > 0 && date !== '')).toBe(true);
  });

  test('makes the position rise and fall, so that comparing it means something', () => {
    expect(new Set([...expected.values()].map(({ position }) => position)).size).toBeGreaterThan(2);
  });
});

describe('what both sides of a partition saw', () => {
  const about = { ...context, branch: 'b1', both: [] };
  const parts = [ticks.slice(0, 2_000), ticks.slice(2_000, 4_000), ticks.slice(4_000)] as const;

  test('is in the figures once, whichever side saw it', async () => {
    const [before, first, second] = parts;
    const base = await bookAfter(before);
    const ours = await bookAfter([...before, ...first]);
    const theirs = await bookAfter([...before, ...second]);
    const merged = await trading.merge?.(structuredClone(base), structuredClone(ours), structuredClone(theirs), about);
    const all = await bookAfter([...before, ...first, ...second]);
    expect(Object.keys(merged ?? {})).toEqual(Object.keys(all));
    for (const [symbol, { count, mean, squares, high, low }] of Object.entries(all)) {
      const own = merged?.[symbol];
      expect([own?.count, own?.high, own?.low]).toEqual([count, high, low]);
      expect(own?.mean).toBeCloseTo(mean, 6);
      expect((own?.squares ?? 0) / squares).toBeCloseTo(1, 6);
    }
  });

  test('is no merge where they saw the same price: that would count twice', async () => {
    const book = await bookAfter(ticks.slice(0, 10));
    expect(() => trading.merge?.({}, book, book, { ...about, both: ['t1'] })).toThrow(/both sides have seen 1/);
  });
});

describe('the trading agent', () => {
  test('ends, fed with all rows, in the state that was computed without it', async () => {
    expect(differences(await bookAfter(ticks), expected)).toEqual([]);
  });

  test('ends in the same bytes however the symbols are mixed', async () => {
    expect(JSON.stringify(await bookAfter(interleaved()))).toBe(JSON.stringify(await bookAfter(ticks)));
  });

  test('ends in another state when one row is lost, counted twice or out of its order', async () => {
    const last = ticks.at(-1) as Tick;
    expect(differences(await bookAfter(ticks.slice(1)), expected)).not.toEqual([]);
    expect(differences(await bookAfter([...ticks, last]), expected)).not.toEqual([]);
    expect(differences(await bookAfter([last, ...ticks.slice(0, -1)]), expected)).not.toEqual([]);
    expect(differences({}, expected)).not.toEqual([]);
    expect(differences(undefined, expected)).not.toEqual([]);
  });

  test('stays exact where the variance is small against the prices', async () => {
    const prices = Array.from({ length: 1_000 }, (_, at) => ({ symbol: 'X', price: 1e8 + (at % 2), date: '' }));
    expect(differences(await bookAfter(prices), expectedStatistics(prices))).toEqual([]);
  });

  test('answers a tick with the figures of its symbol', async () => {
    const state = await bookAfter([{ symbol: 'IBM', price: 10, date: '' }]);
    const { result } = await trading.handle(state, { symbol: 'IBM', price: 12 }, context);
    expect(result).toEqual({
      symbol: 'IBM',
      count: 2,
      mean: 11,
      squares: 2,
      variance: 2,
      high: 12,
      low: 10,
      last: 12,
      position: 1,
    });
  });

  test.each([
    [{ symbol: 'MSFT', price: Number.NaN }, /price of MSFT/],
    [{ symbol: 'MSFT', price: Number.POSITIVE_INFINITY }, /price of MSFT/],
    [{ symbol: 'MSFT', price: -1 }, /price of MSFT/],
    [{ symbol: 'MSFT', price: '39.81' }, /price of MSFT/],
    [{ symbol: 'MSFT' }, /price of MSFT/],
    [{ symbol: '__proto__', price: 1 }, /symbol must/],
    [{ symbol: ['MSFT'], price: 1 }, /symbol must/],
    [{ price: 1 }, /symbol must/],
    [{ symbol: 'MSFT', price: 1, date: 7 }, /date must/],
    [null, /looks like/],
  ])('refuses %j and says why', (tick, why) => {
    expect(() => trading.handle({}, tick, context)).toThrow(why);
  });
});

test('the trading agent as it is deployed, in its own thread and moved half-way, ends in the same state', async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../examples/trading/agent.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node22',
  });
  const source = outputFiles[0]?.text ?? '';
  const directory = await mkdtemp(join(tmpdir(), 'trading-'));
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const moveAt = Math.floor(ticks.length / 2);
  const agent = { agent: 'trading-1', agentType: 'trading', source };
  let next = 0;
  let kept: Uint8Array = new Uint8Array(0);
  const ended = await new Promise<unknown>((resolve, reject) => {
    const feed = (epoch: number) =>
      runner.run('trading-1', epoch, `t${next}`, encoder.encode(JSON.stringify(ticks[next])));
    const runner = createWorkerRunner({
      workerUrl: new URL('../../node/runtime/worker.ts', import.meta.url),
      directory,
      events: {
        ahead() {},
        returned() {},
        started: (_, epoch, first) => {
          if (epoch === 1) kept = first;
          feed(epoch);
        },
        progress() {},
        prepared() {},
        ran: (_, epoch, task, ok, value, update) => {
          kept = stateAfter(kept, update);
          if (!ok) return reject(new Error(`${task}: ${decoder.decode(value)}`));
          next += 1;
          if (next === moveAt) {
            runner.stop('trading-1', epoch);
            return runner.start({ ...agent, epoch: epoch + 1, state: kept });
          }
          if (next < ticks.length) return feed(epoch);
          return void runner.stopAll().then(() => resolve({ epoch, state: JSON.parse(decoder.decode(kept)) }));
        },
        failed: (_, epoch, reason) => reject(new Error(`epoch ${epoch}: ${reason}`)),
      },
    });
    runner.start({ ...agent, epoch: 1, state: undefined });
  }).finally(() => rm(directory, { recursive: true, force: true }));
  const { epoch, state } = ended as { epoch: number; state: unknown };
  expect(epoch).toBe(2);
  expect(differences(state, expected)).toEqual([]);
  expect(JSON.stringify(state)).toBe(JSON.stringify(await bookAfter(ticks)));
});
