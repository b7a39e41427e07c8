import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorBody } from '../core/errors.ts';
import { openFleet } from './fleet.ts';
import { homeDirectory, openHome } from './home.ts';
import { signToken } from './token.ts';

export interface ClientOptions {
  /** The cluster's name. */
  name: string;
  /** Address of one node; otherwise all nodes that `up` started are tried. */
  admin?: string | undefined;
  token?: string | undefined;
}

/** The cluster said no, in its own words. */
export class CallRefused extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(body.message);
    this.body = body;
  }
}

/** No node of the cluster answered in time. */
export class ClusterUnreachable extends Error {
  override readonly name = 'ClusterUnreachable';
}

const connectTimeoutMs = 35_000;
const giveUpAfterMs = 15_000;
const pauseMs = 150;
const retriedStatus = new Set([502, 503]);

/** Talks to a cluster through any of its nodes: one that does not answer, or cannot now, is passed over for the next. */
export class Client {
  readonly #admins: string[];
  readonly #token: string;
  readonly #fetch: typeof fetch;

  constructor(admins: readonly string[], token: string, fetcher: typeof fetch = fetch) {
    this.#admins = [...admins];
    this.#token = token;
    this.#fetch = fetcher;
  }

  /** Finds the nodes and the key for tokens. Throws `ClusterUnreachable` when nothing is known of the cluster. */
  static async open({ name, admin, token }: ClientOptions): Promise<Client> {
    const address = admin ?? process.env['CONCLAVE_ADMIN'];
    const bearer = token ?? process.env['CONCLAVE_TOKEN'] ?? (await signToken(openHome(homeDirectory(name))));
    if (address !== undefined) return new Client([address.replace(/\/$/, '')], bearer);
    const { fleet } = await openFleet({ name });
    const nodes = await fleet.list();
    if (nodes.length === 0) {
      throw new ClusterUnreachable(
        `There is no cluster "${name}" here. Nothing was changed. Start one with "conclave up 5", or name another with --name or --admin.`,
      );
    }
    const running = nodes.filter(({ state }) => state === 'running');
    return new Client((running.length > 0 ? running : nodes).map((node) => node.admin), bearer);
  }

  get admins(): readonly string[] {
    return this.#admins;
  }

  get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#token}` };
  }

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#call('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#call('DELETE', path);
  }

  /** Every try carries the same key, so what an earlier one did is not done again. */
  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const key = randomUUID();
    const deadlineMs = Date.now() + giveUpAfterMs;
    let last: Error = new ClusterUnreachable('No node was asked.');
    for (let turn = 0; ; turn++) {
      const admin = this.#admins[turn % this.#admins.length] ?? '';
      const answer = await this.#try(admin, method, path, key, body).catch((error: Error) => error);
      if (!(answer instanceof Error)) {
        const json = (await answer.json().catch(() => ({}))) as { error?: ErrorBody };
        if (answer.ok) return json as T;
        last = new CallRefused(json.error ?? { code: 'internal', message: `${admin} answered ${answer.status}`, details: {} });
        if (!retriedStatus.has(answer.status)) throw last;
      } else if (!(last instanceof CallRefused)) last = this.#unreachable(answer);
      if (Date.now() > deadlineMs) throw last;
      if ((turn + 1) % this.#admins.length === 0) await delay(pauseMs);
    }
  }

  #try(admin: string, method: string, path: string, key: string, body: unknown): Promise<Response> {
    const headers: Record<string, string> = { ...this.headers, 'idempotency-key': key };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const signal = AbortSignal.timeout(connectTimeoutMs);
    return this.#fetch(`${admin}/api/v1/cluster${path}`, {
      method,
      headers,
      signal,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  #unreachable(cause: Error): ClusterUnreachable {
    const why = (cause.cause as { code?: string } | undefined)?.code ?? cause.message;
    return new ClusterUnreachable(
      `No node answers at ${this.#admins.join(', ')} (${why}). Nothing is known to have changed. ` +
        '"conclave up" with the number of nodes starts those that are down.',
    );
  }
}
