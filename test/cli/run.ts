import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ServerInit } from '../../node/api/server.ts';
import { runCommandLine } from '../../node/cli/program.ts';
import { FakeNode, makeToken } from '../api/fake-node.ts';

/** A place to print to that remembers. */
export class Printed extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }

  get lines(): string[] {
    return this.text.trimEnd().split('\n');
  }
}

export interface Served {
  node: FakeNode;
  server: FastifyInstance;
  url: string;
}

/** The real HTTP server on a port of its own, in front of a node that is not one. */
export async function serve(changes: Partial<ServerInit> = {}): Promise<Served> {
  const node = new FakeNode();
  const server = await node.serve(changes);
  await server.listen({ host: '127.0.0.1', port: 0 });
  return { node, server, url: `http://127.0.0.1:${(server.server.address() as AddressInfo).port}` };
}

/** Runs a command line against the nodes at these addresses. */
export async function run(urls: readonly string[], ...argv: string[]) {
  const console = { out: new Printed(), err: new Printed() };
  const token = await makeToken();
  const code = await runCommandLine([...argv, '--admin', urls.join(','), '--token', token], console);
  return { code, out: console.out.text, err: console.err.text, json: () => JSON.parse(console.out.text) as unknown };
}
