import { describe, expect, test } from 'vitest';
import trading from '../../examples/trading/agent.ts';
import { differences, expectedStatistics, readTicks } from './reference.ts';

const context = { agent: 'trading-1', type: 'trading', epoch: 1 };

async function book(ticks: readonly { symbol: string; price: number }[]): Promise<unknown> {
  let state = await trading.init(context);
  for (const tick of ticks) state = (await trading.handle(structuredClone(state), tick, context)).state;
  return state;
}

describe('the trading example', () => {
  const ticks = readTicks();

  test('reads all rows of both files', () => {
    expect(ticks.filter(({ symbol }) => symbol !== 'SP500')).toHaveLength(560);
    expect(new Set(ticks.map(({ symbol }) => symbol)).size).toBe(6);
    expect(ticks.every(({ price }) => Number.isFinite(price) && price > 0)).toBe(true);
  });

  test('ends, fed with all rows, in the state that was computed without it', async () => {
    expect(differences(await book(ticks), expectedStatistics(ticks))).toEqual([]);
  });

  test('does not end in that state when one row is lost, or counted twice', async () => {
    const expected = expectedStatistics(ticks);
    expect(differences(await book(ticks.slice(1)), expected)).not.toEqual([]);
    expect(differences(await book([...ticks, ...ticks.slice(-1)]), expected)).not.toEqual([]);
  });

  test.each([
    [{ symbol: 'MSFT', price: Number.NaN }, /price/],
    [{ symbol: 'MSFT', price: -1 }, /price/],
    [{ symbol: '<script>', price: 1 }, /symbol/],
    [null, /symbol/],
  ])('refuses %j and says why', (tick, why) => {
    expect(() => trading.handle({}, tick as never, context)).toThrow(why);
  });
});
