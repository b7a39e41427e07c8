import { readFileSync } from 'node:fs';

export interface Tick {
  symbol: string;
  price: number;
  date: string;
}

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

/** The rows of a file of the package vega-datasets, each by column. */
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
  const bySymbol = new Map<string, number[]>();
  for (const { symbol, price } of ticks) bySymbol.set(symbol, [...(bySymbol.get(symbol) ?? []), price]);
  return new Map(
    [...bySymbol].map(([symbol, prices]) => [
      symbol,
      {
        count: prices.length,
        mean: meanOf(prices),
        variance: varianceOf(prices),
        high: Math.max(...prices),
        low: Math.min(...prices),
        last: prices.at(-1) ?? Number.NaN,
        position: positionOf(prices),
      },
    ]),
  );
}

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

type Book = Record<string, { squares: number; mean: number } & Record<string, number>>;

/** In what an agent's state differs from what is expected: one line each, none when it is right. */
export function differences(state: unknown, expected: ReadonlyMap<string, Expected>): string[] {
  const book = state as Book;
  const found: string[] = [];
  const symbols = Object.keys(book).sort().join(' ');
  const wanted = [...expected.keys()].sort().join(' ');
  if (symbols !== wanted) found.push(`symbols are ${symbols}, not ${wanted}`);
  for (const [symbol, want] of expected) {
    const have = book[symbol];
    if (have === undefined) continue;
    for (const field of ['count', 'high', 'low', 'last', 'position'] as const) {
      if (have[field] !== want[field]) found.push(`${symbol} ${field} is ${have[field]}, not ${want[field]}`);
    }
    const variance = want.count < 2 ? 0 : have.squares / (want.count - 1);
    if (!close(have.mean, want.mean)) found.push(`${symbol} mean is ${have.mean}, not ${want.mean}`);
    if (!close(variance, want.variance)) found.push(`${symbol} variance is ${variance}, not ${want.variance}`);
  }
  return found;
}
