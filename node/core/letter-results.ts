import { type LetterName, readLetterId } from './letter-id.ts';
import type { TaskResult } from './message.ts';
import { limits } from './settings.ts';

interface Sender {
  /** Its letters from steps below this one have settled. */
  below: number;
  /** By task: what became of the others, as far as they came, and the sender's step of each. */
  results: Map<string, { result: TaskResult; step: number }>;
}

/** A letter that came, as its sender's host gave it. */
export interface LetterAsk {
  task: string;
  /** What the sender says of its earlier ones; a version that says nothing of them has its letters known as any task. */
  settledBelow?: number | undefined;
}

/** What is not kept any more for its sender's sake. */
export interface LetGo {
  result: TaskResult;
  /** Its sender said that it is over: whatever comes of it is taken for done. */
  isOver: boolean;
}

/**
 * What became of the tasks that other agents gave, until each says that it needs it no more: every letter tells from which
 * step on its sender still has some under way here. One from an earlier step is over, whatever it was. Of each sender the
 * newest is always kept, with what it told, so whoever reads the results anew comes to the same.
 */
export class LetterResults {
  readonly #senders = new Map<string, Sender>();
  /** Of all senders, oldest first. */
  readonly #all = new Map<string, TaskResult>();
  /** What letters told that have no step yet, by sender. */
  readonly #heard = new Map<string, number>();

  /** Takes note of what a letter tells, for the step that it leads to. */
  hear({ task, settledBelow }: LetterAsk): void {
    const letter = settledBelow === undefined ? undefined : readLetterId(task);
    if (letter === undefined || settledBelow === undefined) return;
    const { sender } = letter;
    const below = Math.max(settledBelow, this.#heard.get(sender) ?? 0);
    this.#heard.delete(sender);
    this.#heard.set(sender, below);
    if (this.#heard.size <= limits.letterResultsMax) return;
    for (const oldest of this.#heard.keys()) {
      this.#heard.delete(oldest);
      break;
    }
  }

  /** Whether its sender said that it is over. */
  isSettled(task: string): boolean {
    const letter = readLetterId(task);
    return letter !== undefined && letter.step < (this.#senders.get(letter.sender)?.below ?? 0);
  }

  /** Whether as many of its sender's are kept as may be. That one goes through which all others wait for to be let go. */
  isFullFor(task: string): boolean {
    const letter = readLetterId(task);
    if (letter === undefined || this.#all.has(task)) return false;
    const { sender, step } = letter;
    const { results, below } = this.#senders.get(sender) ?? nobody;
    const from = Math.max(below, this.#heard.get(sender) ?? 0);
    if (step <= from) return false;
    let kept = 0;
    for (const other of results.values()) if (other.step >= from) kept += 1;
    return kept >= limits.letterResultsOfSenderMax;
  }

  /** The step's result with what its sender told; as it is of any other task. */
  marked(result: TaskResult): TaskResult {
    const letter = readLetterId(result.task);
    const below = letter && this.#belowOf(letter);
    return below === undefined ? result : { ...result, settledBelow: below };
  }

  #belowOf({ sender, step }: LetterName): number | undefined {
    const heard = this.#heard.get(sender);
    const known = this.#senders.get(sender)?.below;
    if (heard === undefined && known === undefined) return undefined;
    // So that it is itself kept with what it tells.
    return Math.min(step, Math.max(heard ?? 0, known ?? 0));
  }

  // ---- what is kept ----

  keeps(result: TaskResult): boolean {
    return this.#all.get(result.task) === result;
  }

  /** The same step from now on stands there as `after`. */
  replace(before: TaskResult, after: TaskResult): void {
    if (!this.keeps(before)) return;
    this.#all.set(after.task, after);
    const { sender = '', step = 0 } = readLetterId(after.task) ?? {};
    this.#senders.get(sender)?.results.set(after.task, { result: after, step });
  }

  /** Adds the newest step. Returns what is not kept any more for a sender's sake. */
  add(result: TaskResult): LetGo[] {
    const { settledBelow, endedSender } = result;
    if (endedSender !== undefined) return this.#forget(endedSender);
    const letter = settledBelow === undefined ? undefined : readLetterId(result.task);
    if (letter === undefined || settledBelow === undefined) return [];
    return this.#keep(letter, settledBelow, result);
  }

  #keep({ sender: name, step }: LetterName, below: number, result: TaskResult): LetGo[] {
    const gone: LetGo[] = [];
    const sender = this.#senders.get(name) ?? { below: 0, results: new Map() };
    this.#senders.set(name, sender);
    const before = sender.results.get(result.task);
    if (before !== undefined) gone.push({ result: before.result, isOver: false });
    // The newest comes last.
    this.#all.delete(result.task);
    this.#all.set(result.task, result);
    sender.results.set(result.task, { result, step });
    if (below > sender.below) {
      sender.below = below;
      for (const other of sender.results.values()) {
        if (other.step >= below) continue;
        this.#remove(name, other.result);
        gone.push({ result: other.result, isOver: true });
      }
    }
    if (this.#all.size > limits.letterResultsMax) gone.push(...this.#letGoOldest());
    return gone;
  }

  #letGoOldest(): LetGo[] {
    for (const [task, result] of this.#all) {
      this.#remove(readLetterId(task)?.sender ?? '', result);
      return [{ result, isOver: false }];
    }
    return [];
  }

  #forget(name: string): LetGo[] {
    const results = [...(this.#senders.get(name)?.results.values() ?? [])].map(({ result }) => result);
    for (const result of results) this.#remove(name, result);
    this.#heard.delete(name);
    return results.map((result) => ({ result, isOver: false }));
  }

  #remove(name: string, { task }: TaskResult): void {
    const sender = this.#senders.get(name);
    this.#all.delete(task);
    sender?.results.delete(task);
    if (sender?.results.size === 0) this.#senders.delete(name);
  }

  /** Of which something is kept. */
  senders(): string[] {
    return [...this.#senders.keys()];
  }

  /** Oldest first. */
  values(): IterableIterator<TaskResult> {
    return this.#all.values();
  }
}

const nobody: Sender = { below: 0, results: new Map() };
