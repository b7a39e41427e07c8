import { readLetterId } from './letter-id.ts';
import type { Letter } from './mailbox.ts';

/** The lowest step whose letters have not all settled, by receiver and sender, as it was after a step. */
interface Marks {
  sequence: number;
  lowest: ReadonlyMap<string, number>;
}

/**
 * Up to where an agent's letters have settled, for those who got them: they keep what became of a letter until then. It is
 * told once the step that settled them is durable, so a little later than it is known here: what a host that takes over
 * sends again is never called settled.
 */
export class LetterMarks {
  readonly #sender: string;
  #told: Marks = { sequence: 0, lowest: new Map() };
  #next: Marks | undefined;

  constructor(sender: string) {
    this.#sender = sender;
  }

  /** `letters` are under way after the step `sequence`. */
  look(letters: readonly Letter[], sequence: number, durableSequence: number): void {
    if (this.#next === undefined) this.#next = { sequence, lowest: this.#lowestOf(letters) };
    if (this.#next.sequence > durableSequence) return;
    this.#told = this.#next;
    this.#next = undefined;
  }

  /** All letters to that receiver from steps of this letter's sender below this one have settled. */
  below(letter: Letter): number {
    const { sender, step } = this.#nameOf(letter);
    const { lowest, sequence } = this.#told;
    // Those of a branch were sent in its own steps, of which this history knows no more than it has under way.
    const known = lowest.get(keyOf(letter.to, sender)) ?? (sender === this.#sender ? sequence + 1 : 0);
    return Math.min(step, known);
  }

  #lowestOf(letters: readonly Letter[]): Map<string, number> {
    const lowest = new Map<string, number>();
    for (const letter of letters) {
      const { sender, step } = this.#nameOf(letter);
      const key = keyOf(letter.to, sender);
      lowest.set(key, Math.min(step, lowest.get(key) ?? step));
    }
    return lowest;
  }

  #nameOf({ id }: Letter): { sender: string; step: number } {
    return readLetterId(id) ?? { sender: '', step: 0 };
  }

  /** Steps that are not durable may not be part of the history. */
  clear(): void {
    this.#next = undefined;
  }
}

const keyOf = (to: string, sender: string): string => `${to} ${sender}`;
