import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** A node of this machine or network accepts a connection in milliseconds; longer means that it is not there. */
const connectTimeoutMs = 1_000;
const answerBytesMax = 64 * 1024 * 1024;

export interface HttpRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}

/** Sends a request and resolves with the answer's head; rejects when there is no connection within a second. */
export function openRequest(url: string, { method = 'GET', headers = {}, body, signal }: HttpRequest = {}) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const secure = url.startsWith('https:');
    // A connection of its own, closed afterwards: the command ends when its work does.
    const options = { method, headers, agent: false, ...(signal && { signal }) } as const;
    const request = (secure ? requestHttps : requestHttp)(url, options);
    const timer = setTimeout(
      () => request.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    const connected = (): void => clearTimeout(timer);
    request.once('socket', (socket) => socket.once(secure ? 'secureConnect' : 'connect', connected));
    request.once('response', resolve);
    request.once('close', connected);
    request.once('error', reject);
    request.end(body);
  });
}

/** The whole of an answer. Throws when it breaks off or is larger than any that a node gives. */
export async function readBytes(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.byteLength;
    if (bytes > answerBytesMax) throw new Error(`the answer is larger than ${answerBytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export async function readText(answer: IncomingMessage): Promise<string> {
  return (await readBytes(answer)).toString('utf8');
}

/** Calls `onEvent` for each server-sent event, until the answer ends. */
export async function readServerEvents(
  answer: IncomingMessage,
  onEvent: (event: EventSourceMessage) => void,
): Promise<void> {
  const parser = createParser({ onEvent });
  const decoder = new TextDecoder();
  for await (const chunk of answer as AsyncIterable<Buffer>) parser.feed(decoder.decode(chunk, { stream: true }));
}

/** The status of `GET url`; throws when there is none within `timeoutMs`. */
export async function probe(url: string, timeoutMs: number): Promise<number> {
  const answer = await openRequest(url, { signal: AbortSignal.timeout(timeoutMs) });
  answer.resume();
  return answer.statusCode ?? 0;
}
