import type { ServerResponse } from 'node:http';
import type { Report } from '../core/effect.ts';
import { errors } from '../core/errors.ts';
import type { ReportSource } from './report-log.ts';
import { reportJson, toSafeJson } from './views.ts';

export interface EventStreamLimits {
  subscribersMax: number;
  /** A comment goes out this often, so that both ends notice a dead connection. */
  heartbeatMs: number;
  /** Reports that wait for a slow reader, beyond those that were stored when it came. */
  queueMax: number;
}

export const eventStreamLimits: EventStreamLimits = { subscribersMax: 64, heartbeatMs: 15_000, queueMax: 1_000 };

/** Sends reports to all who follow them, as server-sent events (WHATWG HTML, section 9.2). */
export class EventStream {
  readonly #reports: ReportSource;
  readonly #limits: EventStreamLimits;
  readonly #followers = new Set<Follower>();

  constructor(reports: ReportSource, limits: EventStreamLimits) {
    this.#reports = reports;
    this.#limits = limits;
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Throws `backlogFull` when there are enough followers; call it before the response is taken over. */
  admit(): void {
    const { subscribersMax } = this.#limits;
    if (this.#followers.size < subscribersMax) return;
    throw errors.backlogFull({ what: 'followers of the events at this node', max: subscribersMax });
  }

  /** Sends what is stored behind log index `since`, then what comes, until either side closes. */
  follow(response: ServerResponse, headers: Record<string, string>, since: number): void {
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    const follower = new Follower(response, since, this.#reports.since(since), this.#limits.queueMax);
    const unsubscribe = this.#reports.subscribe((report) => follower.offer(report));
    const heartbeat = setInterval(() => follower.beat(), this.#limits.heartbeatMs).unref();
    this.#followers.add(follower);
    const end = (): void => {
      unsubscribe();
      clearInterval(heartbeat);
      this.#followers.delete(follower);
    };
    response.on('close', end);
    response.on('error', end);
    follower.begin();
  }

  close(): void {
    for (const follower of this.#followers) follower.end();
  }
}

/** One reader: what waits for it is bounded, and a reader that does not keep up is let go. It can resume elsewhere. */
class Follower {
  readonly #response: ServerResponse;
  readonly #queueMax: number;
  #queue: Report[];
  #sent = 0;
  #lastIndex: number;
  #blocked = false;
  #beatsBlocked = 0;

  constructor(response: ServerResponse, since: number, stored: Report[], queueMax: number) {
    this.#response = response;
    this.#lastIndex = since;
    this.#queue = stored;
    this.#queueMax = stored.length + queueMax;
  }

  begin(): void {
    this.#response.on('drain', () => {
      this.#blocked = false;
      this.#beatsBlocked = 0;
      this.#pump();
    });
    // The first bytes tell the reader that it is heard, also when there is nothing to send yet.
    this.#write(': conclave\n\n');
    this.#pump();
  }

  offer(report: Report): void {
    if (this.#queue.length - this.#sent >= this.#queueMax) {
      this.#response.destroy();
      return;
    }
    this.#queue.push(report);
    this.#pump();
  }

  beat(): void {
    if (!this.#blocked) this.#write(': still here\n\n');
    else if (++this.#beatsBlocked >= 2) this.#response.destroy();
  }

  end(): void {
    this.#response.end();
  }

  #pump(): void {
    while (!this.#blocked && this.#sent < this.#queue.length) {
      const report = this.#queue[this.#sent++];
      if (report !== undefined && this.#isNews(report)) this.#write(toEvent(report));
    }
    if (this.#sent === this.#queue.length) {
      this.#queue = [];
      this.#sent = 0;
    }
  }

  /** A node that lags behind the one followed before would tell again what is known. */
  #isNews({ index }: Report): boolean {
    if (index > 0 && index <= this.#lastIndex) return false;
    this.#lastIndex = Math.max(this.#lastIndex, index);
    return true;
  }

  #write(text: string): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    this.#blocked = !this.#response.write(text);
  }
}

/** Reports that only this node saw carry no id, so that a reader resumes behind the last one that all nodes agree on. */
function toEvent(report: Report): string {
  const id = report.index > 0 ? `id: ${report.index}\n` : '';
  return `${id}event: ${report.kind}\ndata: ${toSafeJson(reportJson(report))}\n\n`;
}
