import type { AgentModule } from '../../node/runtime/agent.ts';

/** One price of one symbol: a task of this agent. */
export interface Tick {
  symbol: string;
  price: number;
  /** Passed along for the reader's sake; the figures do not depend on it. */
  date?: string;
}

/** What is known of one symbol. */
export interface Figures {
  count: number;
  mean: number;
  /** Sum of the squared distances from the mean: the variance is this over (count - 1). */
  squares: number;
  high: number;
  low: number;
  last: number;
  /** Shares held. */
  position: number;
}

/** The agent's state: the figures of each symbol, symbols in alphabetical order. */
export type Book = Record<string, Figures>;

/** The answer to a tick: the figures of its symbol, this tick included. */
export type Quote = Figures & { symbol: string; variance: number };

const symbolPattern = /^[A-Z][A-Z0-9.-]{0,15}$/;
const symbolsMax = 1_000;
const dateLengthMax = 40;

/** Tasks come from outside: whatever is not a tick is refused, in words for its sender. */
function checkedTick(task: unknown): Tick {
  if (typeof task !== 'object' || task === null)
    throw new TypeError('a tick looks like {"symbol":"MSFT","price":39.81}');
  const { symbol, price, date } = task as Record<string, unknown>;
  if (typeof symbol !== 'string' || !symbolPattern.test(symbol)) {
    throw new TypeError('symbol must be a capital and up to 15 capitals, digits, "." or "-", such as "MSFT"');
  }
  if (typeof price !== 'number' || !Number.isFinite(price) || price <= 0) {
    throw new TypeError(`price of ${symbol} must be a number above 0`);
  }
  if (date === undefined) return { symbol, price };
  if (typeof date !== 'string' || date.length > dateLengthMax) {
    throw new TypeError(`date must be a text of up to ${dateLengthMax} characters, or left out`);
  }
  return { symbol, price, date };
}

/** Sample variance; 0 for fewer than two prices. */
const varianceOf = ({ count, squares }: Figures): number => (count < 2 ? 0 : squares / (count - 1));

/**
 * The position rule, from what was known before this price: one more share when the price is above both the last one
 * and the mean; none when it is below the mean by more than one standard deviation; else as it was.
 */
function positionAfter(before: Figures, price: number): number {
  if (price < before.mean - Math.sqrt(varianceOf(before))) return 0;
  return price > before.last && price > before.mean ? before.position + 1 : before.position;
}

/** Mean and squares by B. P. Welford, Technometrics 4 (1962): one pass, and no difference of large sums. */
function after(before: Figures | undefined, price: number): Figures {
  if (before === undefined) {
    return { count: 1, mean: price, squares: 0, high: price, low: price, last: price, position: 0 };
  }
  const count = before.count + 1;
  const mean = before.mean + (price - before.mean) / count;
  return {
    count,
    mean,
    squares: before.squares + (price - before.mean) * (price - mean),
    high: Math.max(before.high, price),
    low: Math.min(before.low, price),
    last: price,
    position: positionAfter(before, price),
  };
}

/** Alphabetical, so that the state does not tell which symbol came first, only what became of each. */
function withSymbol(book: Book, symbol: string, figures: Figures): Book {
  if (Object.hasOwn(book, symbol)) return { ...book, [symbol]: figures };
  const entries = [...Object.entries(book), [symbol, figures] as const];
  if (entries.length > symbolsMax) throw new RangeError(`the book has its most symbols (${symbolsMax})`);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The prices of `whole` that are not among those of `part`: Welford's sums of two sets, backwards. */
function without(whole: Figures, part: Figures): Pick<Figures, 'count' | 'mean' | 'squares'> {
  const count = whole.count - part.count;
  if (count <= 0) return { count: 0, mean: 0, squares: 0 };
  const mean = (whole.count * whole.mean - part.count * part.mean) / count;
  const squares = whole.squares - part.squares - ((mean - part.mean) ** 2 * count * part.count) / whole.count;
  return { count, mean, squares: Math.max(0, squares) };
}

/** What both sides of a partition saw of a symbol since `base`: the sums of two sets by T. F. Chan et al. (1979). */
function together(base: Figures | undefined, ours: Figures, theirs: Figures): Figures {
  const { count: more, mean, squares } = base === undefined ? theirs : without(theirs, base);
  if (more === 0) return ours;
  const count = ours.count + more;
  const apart = mean - ours.mean;
  const isOursNew = base === undefined || ours.count > base.count;
  return {
    count,
    mean: ours.mean + (apart * more) / count,
    squares: ours.squares + squares + (apart ** 2 * ours.count * more) / count,
    high: Math.max(ours.high, theirs.high),
    low: Math.min(ours.low, theirs.low),
    // Nobody knows whose was the last one: the majority's, if it had one.
    last: isOursNew ? ours.last : theirs.last,
    position: Math.max(0, ours.position + theirs.position - (base?.position ?? 0)),
  };
}

const trading: AgentModule<Book, unknown, Quote> = {
  init: () => ({}),
  handle(book, task) {
    const { symbol, price } = checkedTick(task);
    const figures = after(book[symbol], price);
    const result = { symbol, ...figures, variance: varianceOf(figures) };
    return { state: withSymbol(book, symbol, figures), result };
  },
  merge(base, ours, theirs, { both }) {
    // The figures do not tell which prices they are made of: one that both sides saw would count twice.
    if (both.length > 0) throw new Error(`both sides have seen ${both.length} of the same prices`);
    let book = ours;
    for (const [symbol, figures] of Object.entries(theirs)) {
      const own = book[symbol];
      book = withSymbol(book, symbol, own === undefined ? figures : together(base[symbol], own, figures));
    }
    return book;
  },
};

export default trading;
