/** What is sent is encrypted at once, some 8 ms for 1 MiB: no more of it in one turn, for whatever peers. */
const turnBytesMax = 256 * 1024;

/** Shares each turn of the event loop among the links that have something to send. */
export class SendTurns {
  /** Begun in this turn, or in one before. */
  #sentBytes = 0;
  readonly #waiting = new Set<() => void>();
  #isWaiting = false;

  /** Whether there is room in this turn; if not, `goOn` is called in a later one, in the order in which they asked. */
  hasRoom(goOn: () => void): boolean {
    if (this.#sentBytes < turnBytesMax) return true;
    this.#waiting.add(goOn);
    return false;
  }

  /** So much has been sent: whoever comes in a later turn finds room again. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#isWaiting = false;
    this.#sentBytes = 0;
    for (const goOn of [...this.#waiting]) {
      if (this.#sentBytes >= turnBytesMax) return;
      this.#waiting.delete(goOn);
      goOn();
    }
  }
}
