export interface PrintedLinesInit {
  write: (line: string) => void;
  /** Characters of a line that are passed on. */
  lineLengthMax: number;
  /** Lines passed on within a second. */
  linesPerSMax: number;
}

const windowMs = 1_000;

/** Cuts what a program prints into lines and passes them on, no more than a log can take. What is over is counted. */
export class PrintedLines {
  readonly #init: PrintedLinesInit;
  #partial = '';
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #written = 0;
  #dropped = 0;

  constructor(init: PrintedLinesInit) {
    this.#init = init;
  }

  /** Takes the next piece; `nowMs` is from a clock that does not jump. */
  push(text: string, nowMs: number): void {
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#append(text.slice(from, end));
      this.#write(nowMs);
      from = end + 1;
    }
    this.#append(text.slice(from));
  }

  /** Passes on a last line without an end, and how many were dropped. */
  end(nowMs: number): void {
    this.#write(nowMs);
    this.#tellDropped();
  }

  #append(text: string): void {
    this.#partial += text.slice(0, this.#init.lineLengthMax - this.#partial.length);
  }

  #write(nowMs: number): void {
    const line = this.#partial;
    this.#partial = '';
    if (line === '') return;
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#written = 0;
      this.#tellDropped();
    }
    if (this.#written >= this.#init.linesPerSMax) {
      this.#dropped += 1;
      return;
    }
    this.#written += 1;
    this.#init.write(line);
  }

  #tellDropped(): void {
    if (this.#dropped > 0) this.#init.write(`(${this.#dropped} lines were not kept: too many at once)`);
    this.#dropped = 0;
  }
}
