import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach } from 'vitest';
import { FakeNode, makeToken } from './fake-node.ts';

/** The HTTP server in front of a node that is not one, a fresh one for each test of the file that calls it. */
export class Served {
  readonly #base: string;
  node = new FakeNode();
  server!: FastifyInstance;
  token = '';

  /** `base`: what stands before each path that a test asks for, but for those under `/health`. */
  constructor(base: string) {
    this.#base = base;
    beforeEach(async () => {
      this.node = new FakeNode();
      this.server = await this.node.serve();
      this.token = await makeToken();
    });
    afterEach(() => this.server.close());
  }

  /** A request with a good token. */
  send(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    payload?: object | string | Buffer,
    headers: Record<string, string> = {},
  ) {
    return this.server.inject({
      method,
      url: path.startsWith('/health') ? path : this.#base + path,
      headers: { authorization: `Bearer ${this.token}`, ...headers },
      ...(payload !== undefined && { payload }),
    });
  }
}
