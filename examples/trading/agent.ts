import type { AgentModule } from '../../node/runtime/agent.ts';

/** A price as it comes in. */
interface Tick {
  symbol: string;
  price: number;
  date?: string;
}

/** What is known of one symbol. Mean and variance by Welford's method (1962): stable, one pass. */
interface Figures {
  count: number;
  mean: number;
  /** Sum of the squared distances from the mean. */
  squares: number;
  high: number;
  low: number;
  last: number;
  /** Shares held: one more after each rise above the running mean, none after a fall below it by one deviation. */
  position: number;
}

type Book = Record<string, Figures>;

const symbolPattern = /^[A-Z0-9.^-]{1,16}$/;
const symbolsMax = 1_000;

function checked(tick: Tick): Tick {
  if (typeof tick !== 'object' || tick === null || !symbolPattern.test(tick.symbol)) {
    throw new TypeError('a tick needs a symbol of up to 16 capitals, digits, ".", "^" or "-", such as "MSFT"');
  }
  if (!Number.isFinite(tick.price) || tick.price <= 0) {
    throw new TypeError(`the price of ${tick.symbol} must be a number above 0`);
  }
  return tick;
}

/** Sample variance; 0 for fewer than two prices. */
const variance = ({ count, squares }: Figures): number => (count < 2 ? 0 : squares / (count - 1));

function after(before: Figures | undefined, price: number): Figures {
  if (before === undefined) {
    return { count: 1, mean: price, squares: 0, high: price, low: price, last: price, position: 0 };
  }
  const deviation = Math.sqrt(variance(before));
  const rises = price > before.last && price > before.mean;
  const falls = price < before.mean - deviation;
  const count = before.count + 1;
  const mean = before.mean + (price - before.mean) / count;
  return {
    count,
    mean,
    squares: before.squares + (price - before.mean) * (price - mean),
    high: Math.max(before.high, price),
    low: Math.min(before.low, price),
    last: price,
    position: falls ? 0 : before.position + (rises ? 1 : 0),
  };
}

const trading: AgentModule<Book, Tick> = {
  init: () => ({}),
  handle(book, task) {
    const { symbol, price } = checked(task);
    if (book[symbol] === undefined && Object.keys(book).length >= symbolsMax) {
      throw new RangeError(`the book has its ${symbolsMax} symbols`);
    }
    const figures = after(book[symbol], price);
    book[symbol] = figures;
    return { state: book, result: { symbol, ...figures, variance: variance(figures) } };
  },
};

export default trading;
