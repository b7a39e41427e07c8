import { beforeEach, describe, expect, test } from 'vitest';
import trading, { type Book, type Quote } from '../../examples/trading/agent.ts';
import { TaskRefused, type TestedAgent, testAgent } from '../../node/runtime/tested-agent.ts';

describe('a desk of the trading agent', () => {
  let desk: TestedAgent<Book, unknown, Quote>;

  beforeEach(async () => {
    desk = await testAgent(trading, { agent: 'desk-1', type: 'trading' });
  });

  test('opens with an empty book', async () => {
    expect(await desk.state()).toEqual({});
  });

  test('quotes a symbol by all prices that it was given', async () => {
    await desk.task({ symbol: 'MSFT', price: 40 });
    const { result } = await desk.task({ symbol: 'MSFT', price: 42 });
    expect(result).toMatchObject({ symbol: 'MSFT', count: 2, mean: 41, high: 42, low: 40, variance: 2 });
  });

  test('buys on a rise, and sells when the price falls out of its range', async () => {
    for (const price of [10, 11, 12]) await desk.task({ symbol: 'IBM', price });
    expect((await desk.state())['IBM']?.position).toBe(2);
    expect((await desk.task({ symbol: 'IBM', price: 5 })).result.position).toBe(0);
  });

  test('refuses what is no price, and the book stays as it was', async () => {
    const { state } = await desk.task({ symbol: 'MSFT', price: 40 });
    await expect(desk.task({ symbol: 'MSFT', price: -1 })).rejects.toThrow(TaskRefused);
    await expect(desk.task({ symbol: 'MSFT', price: -1 })).rejects.toThrow('price of MSFT must be a number above 0');
    expect(await desk.state()).toEqual(state);
  });

  test('loses nothing when it crashes, and nothing when it is moved', async () => {
    await desk.task({ symbol: 'GOOG', price: 100 });
    const { state } = await desk.task({ symbol: 'AAPL', price: 50 });
    await desk.recover();
    expect(await desk.state()).toEqual(state);
    await desk.move();
    expect(desk.epoch).toBe(2);
    expect((await desk.task({ symbol: 'AAPL', price: 60 })).result.count).toBe(2);
  });

  test('goes on from the book of another desk', async () => {
    await desk.task({ symbol: 'AAPL', price: 50 });
    const next = await testAgent(trading, { checkpoint: desk.checkpoint });
    expect((await next.task({ symbol: 'AAPL', price: 70 })).result.mean).toBe(60);
  });
});
