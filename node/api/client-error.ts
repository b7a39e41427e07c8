import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errors } from '../core/errors.ts';
import { problemOf } from './problem.ts';

/** As fastify's `clientErrorHandler` gets it. */
interface ConnectionError extends Error {
  code?: string;
}

/**
 * Answers what came over a connection and is no whole request, in the form of all errors: no route saw it, so nothing was done.
 * A connection that was opened and long not used ends so, too, perhaps at the moment at which it is used.
 */
export function answerClientError(
  error: ConnectionError,
  socket: Pick<Socket, 'destroyed' | 'writable' | 'end' | 'destroy'>,
  headers: Record<string, string>,
  withinMs: number,
): void {
  if (socket.destroyed) return;
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const reason = `it is no HTTP request (${error.code ?? error.message})`;
  const problem = problemOf(isLate ? errors.requestIncomplete({ withinMs }) : errors.bodyMalformed({ reason }));
  const body = JSON.stringify(problem.body);
  const all = {
    ...headers,
    ...problem.headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n`;
  socket.end(head + body, () => socket.destroy());
}
