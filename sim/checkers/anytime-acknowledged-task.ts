import type { AcceptedLosses } from '../accepted-losses.ts';
import type { CounterState } from '../counter.ts';
import { Violation } from './checker.ts';

interface Asked {
  /** Highest total that was acknowledged before this task was first sent: its own must be higher. */
  above: number;
  /** `forfeited`: an operator gave up what it led to; if it is done once more, then once. */
  fate: 'unknown' | 'acknowledged' | 'promised' | 'refused' | 'forfeited';
  /** Of what another task led to: that one. */
  by?: Sender | undefined;
  /**
   * How often what led to it may have been given up. What was sent before may be on its way still: it may come beside what the
   * same task sends when it is done once more, under another id.
   */
  givenUp: number;
}

interface Sender {
  agent: string;
  serial: number;
}

interface Book {
  asked: Map<number, Asked>;
  totals: Map<number, number>;
  highest: number;
  acknowledged: number;
}

const name = 'anytime-acknowledged-task';

/**
 * The clients' own knowledge of counter agents: which serials they sent, and what became of them. An acknowledged task
 * took effect exactly once and is in all later states; one whose answer is missing took effect once or not at all.
 */
export class AcknowledgedTasks {
  readonly #agents = new Map<string, Book>();
  /** What operators gave up. */
  losses: Pick<AcceptedLosses, 'isLost' | 'mayBeLost'> | undefined;

  /** How many tasks were acknowledged. */
  acknowledgedCount(agent?: string): number {
    const books = [...this.#agents].filter(([id]) => agent === undefined || id === agent);
    return books.reduce((sum, [, { acknowledged }]) => sum + acknowledged, 0);
  }

  /** `by`: the task that leads to it. Returns whether it may come twice. */
  asked(agent: string, serial: number, by?: Sender): boolean {
    const book = this.#book(agent);
    // Until it goes on the host before may send it, too.
    const givenUp = by !== undefined && this.losses?.mayBeLost(by.agent) ? 1 : 0;
    if (!book.asked.has(serial)) book.asked.set(serial, { above: book.highest, fate: 'unknown', by, givenUp });
    return givenUp > 0;
  }

  /** Whether an operator gave up what this answer is from. */
  isGivenUp(agent: string, serial: number, total: number): boolean {
    return this.losses?.isLost(agent, `task-${serial}`, total) === true;
  }

  /** The answer of a task: the total after it. A later task sees more than whatever was acknowledged before it was sent. */
  acknowledged(agent: string, serial: number, total: number): void {
    const book = this.#book(agent);
    const asked = book.asked.get(serial);
    if (asked === undefined) throw new Violation(name, `${agent} acknowledged serial ${serial}, which nobody sent`);
    if (this.isGivenUp(agent, serial, total)) {
      asked.fate = 'forfeited';
      return;
    }
    if (!(total > asked.above)) {
      const what = `${agent} answered serial ${serial} with total ${total}`;
      throw new Violation(name, `${what}, but ${asked.above} was acknowledged before it was sent: effects were lost`);
    }
    const other = book.totals.get(total);
    if (other !== undefined && other !== serial) {
      throw new Violation(name, `${agent} answered serials ${other} and ${serial} with the same total ${total}`);
    }
    asked.fate = 'acknowledged';
    book.acknowledged += 1;
    book.totals.set(total, serial);
    book.highest = Math.max(book.highest, total);
  }

  /** What led to it was acknowledged: it takes effect once, sooner or later. */
  promised(agent: string, serial: number, by?: Sender): void {
    const asked = this.#book(agent).asked.get(serial);
    if (asked === undefined) return;
    const isLost = by !== undefined && this.#book(by.agent).asked.get(by.serial)?.fate === 'forfeited';
    asked.fate = isLost ? 'forfeited' : 'promised';
    asked.by = by;
  }

  /**
   * An operator let an agent go on from that state, or from one that nobody knows. What is in it stays; of the rest the
   * promises are void, also of what it led to elsewhere. Returns whom some of that may reach once more.
   */
  goBack(agent: string, state: CounterState | undefined): Set<string> {
    const book = this.#book(agent);
    const isIn = (serial: number): boolean => state?.counts[serial] !== undefined;
    book.highest = state?.total ?? 0;
    for (const [total, serial] of book.totals) if (!isIn(serial)) book.totals.delete(total);
    for (const [serial, asked] of book.asked) {
      asked.above = Math.min(asked.above, book.highest);
      if (asked.fate !== 'unknown' && !isIn(serial)) asked.fate = 'forfeited';
    }
    const again = new Set<string>();
    for (const [owner, { asked }] of this.#agents) {
      for (const each of asked.values()) {
        if (each.by?.agent !== agent || isIn(each.by.serial)) continue;
        if (each.fate === 'promised') each.fate = 'forfeited';
        each.givenUp += 1;
        again.add(owner);
      }
    }
    return again;
  }

  /** Whether something that was promised is not in a state yet. */
  isOwed(agent: string, { counts }: CounterState): boolean {
    return [...this.#book(agent).asked].some(
      ([serial, { fate }]) => fate === 'promised' && counts[serial] === undefined,
    );
  }

  refused(agent: string, serial: number): void {
    const asked = this.#book(agent).asked.get(serial);
    if (asked !== undefined) asked.fate = this.losses?.mayBeLost(agent) ? 'forfeited' : 'refused';
  }

  /** Judges a state that was read after all answers so far. */
  judge(agent: string, state: CounterState): void {
    const { asked } = this.#book(agent);
    let total = 0;
    for (const [serial, count] of Object.entries(state.counts)) {
      total += count;
      if (!asked.has(Number(serial))) throw new Violation(name, `${agent} counted serial ${serial}, which nobody sent`);
    }
    if (total !== state.total)
      throw new Violation(name, `${agent} has total ${state.total}, its serials add up to ${total}`);
    for (const [serial, { fate, givenUp }] of asked) {
      const count = state.counts[serial] ?? 0;
      const lost = (fate === 'acknowledged' || fate === 'promised') && count === 0;
      if (lost || count > 1 + givenUp || (fate === 'refused' && count > givenUp)) {
        throw new Violation(name, `${agent} counted serial ${serial}, which was ${fate}, ${count} times`);
      }
    }
  }

  #book(agent: string): Book {
    let book = this.#agents.get(agent);
    if (book === undefined) {
      book = { asked: new Map(), totals: new Map(), highest: 0, acknowledged: 0 };
      this.#agents.set(agent, book);
    }
    return book;
  }
}
