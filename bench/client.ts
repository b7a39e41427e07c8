import { Agent, request } from 'node:http';

const bodyBytesMax = 16 * 1024 * 1024;

export interface Answer {
  /** 0 when there was none: refused, broken off, or out of time. */
  status: number;
  text: string;
}

/** JSON over HTTP on connections that stay open, without the set-up costs that a first `fetch` has. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 });
  readonly #headers: Record<string, string>;

  readonly #signal: AbortSignal;

  /** Requests end when `signal` is aborted. */
  constructor(signal: AbortSignal, headers: Record<string, string> = {}) {
    this.#signal = signal;
    this.#headers = headers;
  }

  /** Never rejects: what went wrong is a status of 0. */
  send(method: string, url: string, body?: unknown, timeoutMs = 5_000): Promise<Answer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' };
    return new Promise((resolve) => {
      const fail = (error: Error): void => resolve({ status: 0, text: error.message });
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(timeoutMs)]);
      const asked = request(url, { method, agent: this.#agent, headers, signal });
      asked.on('error', fail);
      asked.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
          if (text.length > bodyBytesMax) response.destroy(new Error('the answer is too long'));
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', fail);
      });
      asked.end(payload);
    });
  }

  /** Like `send`; throws unless the answer is 200 or 201. */
  async ask<T>(method: string, url: string, body?: unknown, timeoutMs?: number): Promise<T> {
    const { status, text } = await this.send(method, url, body, timeoutMs);
    if (status === 200 || status === 201) return JSON.parse(text) as T;
    throw new Error(`${method} ${url} was answered with ${status}: ${text.slice(0, 300)}`);
  }

  close(): void {
    this.#agent.destroy();
  }
}
