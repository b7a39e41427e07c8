import { StringDecoder } from 'node:string_decoder';
import { PrintedLines, type PrintedLinesInit } from './printed-lines.ts';

export interface AgentOutputInit {
  /** Bytes of a line of the protocol. */
  lineBytesMax: number;
  printed: PrintedLinesInit;
  onLine(line: string): void;
  /** Once: it said what cannot be a line, or whoever has this output said that it is over. */
  onBroken(reason: string): void;
}

const mb = 1024 * 1024;
const newline = 0x0a;

/** What an agent says: lines of the protocol on its output, lines for people on its error stream. */
export class AgentOutput {
  readonly #init: AgentOutputInit;
  readonly #printed: PrintedLines;
  readonly #decoder = new StringDecoder('utf8');
  #parts: Buffer[] = [];
  #partialBytes = 0;
  #lastPrinted = '';
  #over = false;

  constructor(init: AgentOutputInit) {
    this.#init = init;
    const write = (line: string): void => {
      this.#lastPrinted = line;
      init.printed.write(line);
    };
    this.#printed = new PrintedLines({ ...init.printed, write });
  }

  /** Nothing more is passed on of the protocol. */
  get over(): boolean {
    return this.#over;
  }

  /** Takes a piece of the output. */
  take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1 && !this.#over; end = chunk.indexOf(newline, from)) {
      const line = Buffer.concat([...this.#parts, chunk.subarray(from, end)]);
      this.#parts = [];
      this.#partialBytes = 0;
      from = end + 1;
      if (line.byteLength > this.#init.lineBytesMax) this.#sayTooLong();
      else this.#init.onLine(line.toString('utf8'));
    }
    if (this.#over) return;
    this.#partialBytes += chunk.byteLength - from;
    if (this.#partialBytes > this.#init.lineBytesMax) this.#sayTooLong();
    else if (from < chunk.byteLength) this.#parts.push(chunk.subarray(from));
  }

  /** Takes a piece of the error stream. */
  takeErrors(chunk: Buffer): void {
    this.#printed.push(this.#decoder.write(chunk), performance.now());
  }

  endErrors(): void {
    this.#printed.end(performance.now());
  }

  /** Says that it is over, with what it printed last. */
  break(reason: string): void {
    this.#break(this.#lastPrinted === '' ? reason : `${reason}: ${this.#lastPrinted}`);
  }

  /** Nobody listens any more. */
  close(): void {
    this.#over = true;
  }

  #sayTooLong(): void {
    this.#break(`it said a line of more than ${Math.round(this.#init.lineBytesMax / mb)} MB`);
  }

  #break(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts = [];
    this.#init.onBroken(reason);
  }
}
