import type { Console } from './up.ts';

const everyMs = 100;

/** One line that is written over again and again, on a terminal; elsewhere nothing. */
export class StatusLine {
  readonly #console: Console;
  readonly #isShown: boolean;
  #shownMs = 0;
  #length = 0;

  constructor(console: Console, isWanted: boolean) {
    this.#console = console;
    this.#isShown = isWanted && (console.err as { isTTY?: boolean }).isTTY === true;
  }

  show(text: () => string): void {
    const nowMs = performance.now();
    if (!this.#isShown || nowMs - this.#shownMs < everyMs) return;
    this.#shownMs = nowMs;
    const line = text();
    this.#console.err.write(`\r${line.padEnd(this.#length)}`);
    this.#length = line.length;
  }

  clear(): void {
    if (this.#length === 0) return;
    this.#console.err.write(`\r${' '.repeat(this.#length)}\r`);
    this.#length = 0;
  }
}
