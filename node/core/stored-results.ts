import type { Write } from './effect.ts';
import type { MessageOf, TaskResult } from './message.ts';
import { keys, writeResult } from './records.ts';
import { ResultTable } from './result-table.ts';

/** Results on their way to the disk before the step that they belong to, in a table of their own. */
export class ResultsAhead {
  readonly number: number;
  readonly table = new ResultTable();
  readonly #agent: string;
  readonly #all: readonly TaskResult[];
  #written = 0;

  constructor(agent: string, number: number, all: readonly TaskResult[]) {
    this.#agent = agent;
    this.number = number;
    this.#all = all;
  }

  /** The next of them, no more than `most`; none when all are written. */
  next(most: number): Write[] {
    const some = this.#all.slice(this.#written, this.#written + most);
    this.#written += some.length;
    for (const result of some) this.table.add(result);
    return some.map((result) => writeResult(this.#agent, result, this.number));
  }

  /** What it has on the disk. */
  *keys(): Iterable<string> {
    for (const { sequence } of this.#all.slice(0, this.#written)) yield keys.result(this.#agent, sequence, this.number);
  }
}

/**
 * An agent's results in memory and on the disk, where the holder's record names the table that has them. Many at once are
 * written to another table, some in each turn, and are the agent's when a record names that one.
 */
export class StoredResults {
  readonly #agent: string;
  #number: number;
  #next: number;
  #table: ResultTable;

  constructor(agent: string, number = 0, results: Iterable<TaskResult> = []) {
    this.#agent = agent;
    this.#number = number;
    this.#next = number + 1;
    this.#table = new ResultTable(results);
  }

  /** Of the table on the disk. */
  get number(): number {
    return this.#number;
  }

  all(): TaskResult[] {
    return this.#table.all();
  }

  /** Takes others in their place, all at once. What is there already is not written again. */
  replace(results: readonly TaskResult[]): Write[] {
    const rest = new Map(this.all().map((result) => [result.sequence, result]));
    const writes: Write[] = [];
    for (const result of results) {
      const before = rest.get(result.sequence);
      rest.delete(result.sequence);
      if (before === undefined || !isSame(before, result)) writes.push(writeResult(this.#agent, result, this.#number));
    }
    for (const sequence of rest.keys()) writes.push(this.#delete(sequence));
    this.#table = new ResultTable(results);
    return writes;
  }

  /** Adds those of the next steps. */
  extend({ results, resultsFrom }: Pick<MessageOf<'replicate'>, 'results' | 'resultsFrom'>): Write[] {
    const writes: Write[] = [];
    for (const result of results) {
      writes.push(writeResult(this.#agent, result, this.#number));
      const { removed, stripped } = this.#table.add(result);
      for (const { sequence } of removed) writes.push(this.#delete(sequence));
      for (const older of stripped) writes.push(writeResult(this.#agent, older, this.#number));
    }
    for (const { sequence } of this.#table.forgetBelow(resultsFrom)) writes.push(this.#delete(sequence));
    return writes;
  }

  #delete(sequence: number): Write {
    return { key: keys.result(this.#agent, sequence, this.#number), value: undefined };
  }

  /** Begins to write these ahead of their step; undefined where neither they nor those that are here are more than `most`. */
  ahead(results: readonly TaskResult[], most: number): ResultsAhead | undefined {
    if (results.length <= most && this.all().length <= most) return undefined;
    this.#next += 1;
    return new ResultsAhead(this.#agent, this.#next - 1, results);
  }

  /** Takes those that were written ahead. Returns what is to go from the disk once a record names their table. */
  take({ number, table }: ResultsAhead): Iterable<string> {
    const before = this.keys();
    this.#number = number;
    this.#table = table;
    return before;
  }

  /** Has none any more, in another table. Returns what is to go from the disk once a record names that one. */
  clear(): Iterable<string> {
    return this.take(new ResultsAhead(this.#agent, this.#next++, []));
  }

  /** What the disk has of them, as it is now. */
  keys(): Iterable<string> {
    const [agent, number, all] = [this.#agent, this.#number, this.all()];
    return (function* () {
      for (const { sequence } of all) yield keys.result(agent, sequence, number);
    })();
  }
}

/** Whether the record would have the same bytes. */
function isSame(a: TaskResult, b: TaskResult): boolean {
  if (a === b) return true;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof TaskResult>;
  for (const name of names) {
    const [one, other] = [a[name], b[name]];
    if (one === other) continue;
    if (!(one instanceof Uint8Array && other instanceof Uint8Array)) return false;
    if (one.byteLength !== other.byteLength || one.some((byte, at) => byte !== other[at])) return false;
  }
  return true;
}
