import { readFileSync } from 'node:fs';
import trading, { type Book } from '../../examples/trading/agent.ts';
import type { AgentContext, TaskContext } from '../../node/runtime/agent.ts';

/** A row of the input: a task for the agent, as it stands. */
export interface Tick {
  symbol: string;
  price: number;
  date: string;
}

/** The figures of one symbol as they must be. */
export interface Expected {
  count: number;
  mean: number;
  variance: number;
  high: number;
  low: number;
  last: number;
  position: number;
}

const data = new URL('../data/', import.meta.resolve('vega-datasets'));

/** The rows of a file of the package vega-datasets, each by column. Its files quote nothing. */
function readCsv(name: string): Record<string, string>[] {
  const [head = '', ...lines] = readFileSync(new URL(name, data), 'utf8').trim().split(/\r?\n/);
  const columns = head.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, at) => [columns[at] ?? '', cell])));
}

/** Every row of both files: monthly prices of five symbols, and daily closes of the S&P 500, in file order. */
export function readTicks(): Tick[] {
  const stocks = readCsv('stocks.csv').map((row) => ({
    symbol: row['symbol'] ?? '',
    price: Number(row['price']),
    date: row['date'] ?? '',
  }));
  const index = readCsv('sp500-2000.csv').map((row) => ({
    symbol: 'SP500',
    price: Number(row['close']),
    date: row['date'] ?? '',
  }));
  return [...stocks, ...index];
}

const meanOf = (prices: readonly number[]): number => prices.reduce((sum, price) => sum + price, 0) / prices.length;

/** Two passes over all the prices before: slow, and plainly what the words say. */
function varianceOf(prices: readonly number[]): number {
  if (prices.length < 2) return 0;
  const mean = meanOf(prices);
  return prices.reduce((sum, price) => sum + (price - mean) ** 2, 0) / (prices.length - 1);
}

/** One more share at a price above the last and the mean before it; none at one deviation below that mean. */
function positionOf(prices: readonly number[]): number {
  let position = 0;
  for (let at = 1; at < prices.length; at++) {
    const before = prices.slice(0, at);
    const price = prices[at] ?? Number.NaN;
    const mean = meanOf(before);
    if (price < mean - Math.sqrt(varianceOf(before))) position = 0;
    else if (price > mean && price > (before.at(-1) ?? 0)) position += 1;
  }
  return position;
}

/** What an agent must have for each symbol once it has seen these ticks. Shares no code with the agent. */
export function expectedStatistics(ticks: readonly Tick[]): Map<string, Expected> {
  const symbols = [...new Set(ticks.map(({ symbol }) => symbol))];
  return new Map(
    symbols.map((symbol) => {
      const prices = ticks.filter((tick) => tick.symbol === symbol).map(({ price }) => price);
      const expected = {
        count: prices.length,
        mean: meanOf(prices),
        variance: varianceOf(prices),
        high: Math.max(...prices),
        low: Math.min(...prices),
        last: prices.at(-1) ?? Number.NaN,
        position: positionOf(prices),
      };
      return [symbol, expected];
    }),
  );
}

/** Relative, so that a variance near 0 is held to the same digits as one in the thousands. */
const isClose = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** In what an agent's state differs from what is expected: one line each, none when it is right. */
export function differences(state: unknown, expected: ReadonlyMap<string, Expected>): string[] {
  if (!isRecord(state)) return [`the state is ${JSON.stringify(state)}, not a book of symbols`];
  const found: string[] = [];
  const symbols = Object.keys(state).sort().join(' ');
  const wanted = [...expected.keys()].sort().join(' ');
  if (symbols !== wanted) found.push(`symbols are ${symbols}, not ${wanted}`);
  for (const [symbol, want] of expected) {
    const have = state[symbol];
    if (!isRecord(have)) continue;
    for (const field of ['count', 'high', 'low', 'last', 'position'] as const) {
      if (have[field] !== want[field]) found.push(`${symbol} ${field} is ${have[field]}, not ${want[field]}`);
    }
    const mean = Number(have['mean']);
    const variance = want.count < 2 ? 0 : Number(have['squares']) / (want.count - 1);
    if (!isClose(mean, want.mean)) found.push(`${symbol} mean is ${mean}, not ${want.mean}`);
    if (!isClose(variance, want.variance)) found.push(`${symbol} variance is ${variance}, not ${want.variance}`);
  }
  return found;
}

/** What a task is told, for an agent that is called directly. */
export const taskContext = (told: AgentContext): TaskContext => ({
  ...told,
  taskId: 'task',
  signal: new AbortController().signal,
  progress() {},
});

/** The book that the trading agent comes to, called with these ticks and no cluster around it. */
export async function bookAfter(ticks: readonly Tick[]): Promise<Book> {
  const context = taskContext({ agent: 'local', type: 'trading', epoch: 0 });
  let book = await trading.init(context);
  for (const tick of ticks) book = (await trading.handle(book, tick, context)).state;
  return book;
}
