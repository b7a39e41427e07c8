import type { ServerResponse } from 'node:http';
import { errors } from '../core/errors.ts';
import type { Outcome, Results } from '../core/operation.ts';
import { asProblem } from './problem.ts';
import { jsonText, taskText, toSafeJson } from './views.ts';

export interface TaskStreamLimits {
  streamsMax: number;
  /** A comment goes out this often, so that both ends notice a dead connection. */
  heartbeatMs: number;
  /** Bytes that wait for a slow reader; beyond them it misses what the task says. The result always follows. */
  waitingBytesMax: number;
}

export const taskStreamLimits: TaskStreamLimits = {
  streamsMax: 256,
  heartbeatMs: 15_000,
  waitingBytesMax: 1024 * 1024,
};

type Ask = (progress: (number: number, value: Uint8Array) => void) => Promise<Outcome>;

/**
 * Answers to tasks as server-sent events (WHATWG HTML, section 9.2): `progress` for each thing that the task says, numbered,
 * then `result` or `error`. Who goes away early misses the rest; the task goes on.
 */
export class TaskStreams {
  readonly #limits: TaskStreamLimits;
  readonly #open = new Set<ServerResponse>();

  constructor(limits: TaskStreamLimits) {
    this.#limits = limits;
  }

  /** Throws `backlogFull` when there are enough; call it before the response is taken over. */
  admit(): void {
    const { streamsMax } = this.#limits;
    if (this.#open.size < streamsMax) return;
    throw errors.backlogFull({ what: 'tasks that are followed at this node', max: streamsMax });
  }

  async run(response: ServerResponse, headers: Record<string, string>, ask: Ask): Promise<void> {
    const { heartbeatMs, waitingBytesMax } = this.#limits;
    // Who has gone already is told nothing, and its task is done all the same.
    if (!response.destroyed) this.#open.add(response);
    response.on('close', () => this.#open.delete(response));
    response.on('error', () => this.#open.delete(response));
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(': conclave\n\n');
    const heartbeat = setInterval(() => response.write(': still here\n\n'), heartbeatMs).unref();
    try {
      const outcome = await ask((number, value) => {
        if (response.writableLength > waitingBytesMax || response.destroyed) return;
        response.write(eventText('progress', jsonText(value), number));
      });
      response.end(lastEvent(outcome));
    } finally {
      clearInterval(heartbeat);
    }
  }

  close(): void {
    for (const response of this.#open) response.destroy();
  }
}

function lastEvent(outcome: Outcome): string {
  if (outcome.ok) return eventText('result', taskText(outcome.result as Results['task']));
  const { status, body } = asProblem(outcome.error);
  return eventText('error', toSafeJson({ status, ...body }));
}

/** A line break inside the text begins another line of the same event. */
function eventText(event: string, data: string, id?: number): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}${lines.join('')}\n`;
}
