import type { Console } from './up.ts';

const everyMs = 100;
/** Where lines stay, as in a log. */
const loggedEveryMs = 60_000;

/** How far long work is: one line that is written over again and again on a terminal, elsewhere a line now and then. */
export class StatusLine {
  readonly #console: Console;
  readonly #isWanted: boolean;
  readonly #isTerminal: boolean;
  #shownMs: number;
  #length = 0;

  constructor(console: Console, isWanted: boolean) {
    this.#console = console;
    this.#isWanted = isWanted;
    this.#isTerminal = (console.err as { isTTY?: boolean }).isTTY === true;
    // Short work has no line in a log.
    this.#shownMs = this.#isTerminal ? 0 : performance.now();
  }

  show(text: () => string): void {
    const nowMs = performance.now();
    if (!this.#isWanted || nowMs - this.#shownMs < (this.#isTerminal ? everyMs : loggedEveryMs)) return;
    this.#shownMs = nowMs;
    const line = text();
    if (!this.#isTerminal) {
      this.#console.err.write(`${line}\n`);
      return;
    }
    this.#console.err.write(`\r${line.padEnd(this.#length)}`);
    this.#length = line.length;
  }

  clear(): void {
    if (this.#length === 0) return;
    this.#console.err.write(`\r${' '.repeat(this.#length)}\r`);
    this.#length = 0;
  }
}
