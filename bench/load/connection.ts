import { connect, type Socket } from 'node:net';

const headEnd = '\r\n\r\n';

/**
 * One HTTP/1.1 connection that stays open, with one request on its way at a time. It writes requests that are made
 * beforehand and looks at no more of an answer than its status and length: a generator of load shares the machine with
 * what it measures.
 */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** Of the answer that is coming; 0 until its head is there. */
  #expectedBytes = 0;
  #status = 0;
  #answered: ((status: number) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('close', () => this.#finish(0));
    socket.on('error', () => {});
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once('connect', () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  /** Resolves with the status of the answer; 0 when the connection is lost. */
  send(request: Buffer): Promise<number> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      if (this.#socket.destroyed) this.#finish(0);
      else this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.byteLength;
    if (this.#expectedBytes === 0) this.#readHead();
    if (this.#expectedBytes === 0 || this.#receivedBytes < this.#expectedBytes) return;
    this.#received = [];
    this.#receivedBytes = 0;
    this.#expectedBytes = 0;
    this.#finish(this.#status);
  }

  #readHead(): void {
    const text =
      (this.#received.length === 1 ? this.#received[0] : Buffer.concat(this.#received))?.toString('latin1') ?? '';
    const end = text.indexOf(headEnd);
    if (end === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1];
    if (length === undefined) {
      this.#socket.destroy(new Error('an answer without a length'));
      return;
    }
    this.#status = Number(text.slice(9, 12));
    this.#expectedBytes = end + headEnd.length + Number(length);
  }

  #finish(status: number): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(status);
  }
}
