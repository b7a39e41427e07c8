import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorBody } from '../core/errors.ts';
import { CallRefused, ClusterUnreachable, UsageError } from './command-error.ts';
import { openFleet } from './fleet.ts';
import { homeDirectory, openHome } from './home.ts';
import { type HttpRequest, openRequest, probe, readBytes, readServerEvents, readText } from './http-request.ts';
import { signToken } from './token.ts';

export interface ClientOptions {
  /** The cluster's name. */
  name: string;
  /** Addresses of nodes, separated by commas; otherwise all nodes that `up` started are tried. */
  admin?: string | undefined;
  token?: string | undefined;
  /** Go on trying this long, s. */
  timeout?: number | undefined;
}

export interface ClientTimes {
  /** Trying goes on this long. */
  giveUpAfterMs: number;
  /** While a node works on a request, it is asked this often whether it lives. */
  watchIntervalMs: number;
  /** A node that does not say within this long that it lives or is ready is passed over. */
  probeTimeoutMs: number;
  /** Between two tries. */
  pauseMs: number;
}

const timesDefault: ClientTimes = {
  giveUpAfterMs: 15_000,
  watchIntervalMs: 1_000,
  probeTimeoutMs: 1_500,
  pauseMs: 150,
};
/** Beyond the time in which a node gives up by itself. */
const answerGraceMs = 5_000;
/** An election takes less, most times. */
const leaderWithinMs = 1_500;
const apiBase = '/api/v1';
const base = `${apiBase}/cluster`;
/** 408: it came over a connection that the node had just given up; 429: the node says when there may be room. */
const retriedStatus = new Set([408, 429, 502, 503]);
const adminsMax = 100;

/** An answer as it came. */
export interface RawAnswer {
  headers: IncomingHttpHeaders;
  bytes: Buffer;
}

interface Call {
  method: string;
  /** From the root of the server. */
  path: string;
  /** Bytes go out as they are, everything else as JSON. */
  body: unknown;
  /** The node may work on it this long, ms. */
  workMs: number;
  /** Trying goes on this long, when it is not as long as usual, ms. */
  withinMs?: number;
  /** The answer is wanted as a stream, and this is told what comes before its end. */
  said?: (value: unknown) => void;
}

/**
 * Talks to a cluster through any of its nodes: one that does not answer, or cannot now, is passed over for another.
 * Every try of a call carries the same id, so that what an earlier one did is not done again.
 */
export class Client {
  readonly #admins: readonly string[];
  readonly #token: string;
  readonly #times: ClientTimes;
  #current: number | undefined;
  /** It has just failed: another is chosen if there is one. */
  #passedOver: number | undefined;

  /** `admins`: at least one address. */
  constructor(admins: readonly string[], token: string, times: Partial<ClientTimes> = {}) {
    this.#admins = admins.slice(0, adminsMax);
    this.#token = token;
    this.#times = { ...timesDefault, ...times };
  }

  /**
   * Finds the nodes and the key for tokens. Throws `ClusterUnreachable` when nothing is known of the cluster,
   * `UsageError` for an address that is none, `FleetError` when there is no key.
   */
  static async open({ name, admin, token, timeout }: ClientOptions): Promise<Client> {
    const given = admin ?? process.env['CONCLAVE_ADMIN'];
    const addresses = given === undefined ? undefined : readAddresses(given);
    const bearer = token ?? process.env['CONCLAVE_TOKEN'] ?? (await signToken(openHome(homeDirectory(name))));
    const times = timeout === undefined ? {} : { giveUpAfterMs: timeout * 1_000 };
    if (addresses !== undefined) return new Client(addresses, bearer, times);
    const { fleet } = await openFleet({ name });
    const nodes = await fleet.list();
    const running = nodes.filter(({ state }) => state === 'running');
    const [first, ...others] = (running.length > 0 ? running : nodes).map((node) => node.admin);
    if (first !== undefined) return new Client([first, ...others], bearer, times);
    throw new ClusterUnreachable(
      `There is no cluster "${name}" here. Nothing was changed. Start one with "conclave up 5", or name another with ` +
        '"--name" or "--admin".',
    );
  }

  get<T>(path: string): Promise<T> {
    return this.#json({ method: 'GET', path: base + path, body: undefined, workMs: 0 });
  }

  /** The leader knows more than others: asked first, and any node when it does not answer soon. */
  async getFromLeader<T>(path: string): Promise<T> {
    const { giveUpAfterMs } = this.#times;
    const whole = `${base}${path}?consistency=leader`;
    const withinMs = Math.min(leaderWithinMs, giveUpAfterMs);
    const asked = this.#json<T>({ method: 'GET', path: whole, body: undefined, workMs: 0, withinMs });
    return asked.catch(() => this.get(path));
  }

  /** `workMs`: how long the node may need, when that is longer than trying goes on. */
  post<T>(path: string, body: unknown, workMs = 0): Promise<T> {
    return this.#json({ method: 'POST', path: base + path, body, workMs });
  }

  /** As `post`, and tells what the task says on its way. A node that is lost is replaced, and the task says it all again. */
  follow<T>(path: string, body: unknown, workMs: number, said: (value: unknown) => void): Promise<T> {
    return this.#json({ method: 'POST', path: base + path, body, workMs, said });
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#json({ method: 'PUT', path: base + path, body, workMs: 0 });
  }

  delete<T>(path: string): Promise<T> {
    return this.#json({ method: 'DELETE', path: base + path, body: undefined, workMs: 0 });
  }

  /** `path` stands behind `/api/v1/kv`. */
  kv(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: Uint8Array): Promise<RawAnswer> {
    return this.#call({ method, path: `${apiBase}/kv${path}`, body, workMs: 0 });
  }

  async #json<T>(call: Call): Promise<T> {
    return JSON.parse((await this.#call(call)).bytes.toString('utf8')) as T;
  }

  /**
   * Hands the answer of whichever node gives one to `use`, as long as that node lives; a node that dies on the way is
   * replaced by another, with the headers of that moment, until `signal`. Throws `ClusterUnreachable` when no node
   * answers for long enough.
   */
  async stream(
    path: string,
    headers: () => Record<string, string>,
    use: (answer: IncomingMessage) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let lostMs = performance.now();
    while (!signal.aborted) {
      const admin = await this.#choose();
      let failure: Error = new Error('the stream ended');
      try {
        await this.#whileAlive(admin, signal, async (alive) => {
          const answer = await openRequest(`${admin}${base}${path}`, {
            headers: { ...this.#headers(), ...headers() },
            signal: alive,
          });
          if (answer.statusCode !== 200) throw refusalOf(answer.statusCode ?? 0, await readText(answer), admin);
          try {
            await use(answer);
          } finally {
            lostMs = performance.now();
          }
        });
      } catch (error) {
        failure = error as Error;
        if (error instanceof CallRefused && !retriedCode(error)) throw error;
      }
      if (signal.aborted) return;
      if (performance.now() - lostMs > this.#times.giveUpAfterMs) throw this.#inTheEnd(failure);
      this.#passOver();
      await delay(this.#times.pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  async #call(call: Call): Promise<RawAnswer> {
    const { giveUpAfterMs, pauseMs } = this.#times;
    const deadlineMs = performance.now() + Math.max(call.withinMs ?? giveUpAfterMs, call.workMs);
    const key = randomUUID();
    let lost = false;
    for (;;) {
      const admin = await this.#choose();
      let failure: Error;
      try {
        return await this.#try(admin, call, key, Math.max(deadlineMs - performance.now(), 0) + answerGraceMs);
      } catch (error) {
        failure = error as Error;
      }
      if (failure instanceof CallRefused) {
        const { code, details } = failure.body;
        // The try whose answer was lost has deleted it.
        if (lost && call.method === 'DELETE' && code === 'agentUnknown') {
          return { headers: {}, bytes: Buffer.from(JSON.stringify(details)) };
        }
        if (lost && code === 'keyChanged') throw uncertain(failure);
        if (!retriedCode(failure)) throw failure;
      } else lost = true;
      if (performance.now() >= deadlineMs) throw this.#inTheEnd(failure);
      this.#passOver();
      await delay(Math.min(pauseAfter(failure) ?? pauseMs, Math.max(0, deadlineMs - performance.now())));
    }
  }

  async #try(admin: string, { method, path, body, said }: Call, key: string, withinMs: number): Promise<RawAnswer> {
    const headers: Record<string, string> = { ...this.#headers(), 'idempotency-key': key };
    const isBytes = body instanceof Uint8Array;
    if (body !== undefined) headers['content-type'] = isBytes ? 'application/octet-stream' : 'application/json';
    return this.#whileAlive(admin, AbortSignal.timeout(Math.ceil(withinMs)), async (signal) => {
      const request: HttpRequest = {
        method,
        headers,
        signal,
        ...(body !== undefined && { body: isBytes ? body : JSON.stringify(body) }),
      };
      if (said !== undefined) headers['accept'] = 'text/event-stream';
      const answer = await openRequest(`${admin}${path}`, request);
      if (said !== undefined && answer.statusCode === 200) return await lastOf(answer, said, admin);
      const bytes = await readBytes(answer);
      const status = answer.statusCode ?? 0;
      if (status < 200 || status > 299) throw refusalOf(status, bytes.toString('utf8'), admin);
      return { headers: answer.headers, bytes };
    });
  }

  /** A process that stands still keeps its connections open: only asking shows that nobody is there. */
  async #whileAlive<T>(admin: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ended = new AbortController();
    const dead = new AbortController();
    const watch = async (): Promise<void> => {
      for (;;) {
        await delay(this.#times.watchIntervalMs, undefined, { signal: ended.signal });
        const lives = await probe(`${admin}/health/live`, this.#times.probeTimeoutMs).catch(() => 0);
        if (lives === 0) dead.abort();
      }
    };
    watch().catch(() => {});
    try {
      return await work(AbortSignal.any([outer, dead.signal]));
    } catch (error) {
      throw dead.signal.aborted ? new Error(`${admin} stopped answering`) : error;
    } finally {
      ended.abort();
    }
  }

  /** The node that served last; else the first other that says it is ready; else the next in turn. */
  async #choose(): Promise<string> {
    const count = this.#admins.length;
    if (this.#passedOver !== undefined || this.#current === undefined) {
      const next = ((this.#passedOver ?? -1) + 1) % count;
      this.#current = count === 1 ? 0 : ((await this.#firstReady()) ?? next);
      this.#passedOver = undefined;
    }
    return this.#admins[this.#current] ?? '';
  }

  async #firstReady(): Promise<number | undefined> {
    const asked = this.#admins.map(async (admin, index) => {
      if (index === this.#passedOver) throw new Error('passed over');
      if ((await probe(`${admin}/health/ready`, this.#times.probeTimeoutMs)) !== 200) throw new Error('not ready');
      return index;
    });
    return Promise.any(asked).catch(() => undefined);
  }

  #passOver(): void {
    this.#passedOver = this.#current;
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#token}` };
  }

  #inTheEnd(failure: Error): Error {
    if (failure instanceof CallRefused) return failure;
    const why = (failure as NodeJS.ErrnoException).code ?? failure.message;
    return new ClusterUnreachable(
      `No node answers at ${this.#admins.join(', ')} (${why}). Nothing is known to have changed. ` +
        '"conclave up" with the number of nodes starts those that are down.',
    );
  }
}

const retriedCode = (error: CallRefused): boolean => retriedStatus.has(error.status);

/** What a node that has no room says about when it may have some, ms. */
function pauseAfter(failure: Error): number | undefined {
  if (!(failure instanceof CallRefused) || failure.status !== 429) return undefined;
  const { retry_after_ms: ms } = failure.body.details;
  return typeof ms === 'number' ? ms : 1_000;
}

/** Reads events up to the one that is the answer. Throws `CallRefused` where that is an error, `Error` where none comes. */
async function lastOf(answer: IncomingMessage, said: (value: unknown) => void, admin: string): Promise<RawAnswer> {
  let last: { event: string; data: string } | undefined;
  await readServerEvents(answer, ({ event = '', data }) => {
    if (event === 'progress') said(JSON.parse(data));
    else last = { event, data };
  });
  if (last === undefined) throw new Error('the answer broke off');
  if (last.event !== 'result') throw refusalOf((JSON.parse(last.data) as { status: number }).status, last.data, admin);
  return { headers: answer.headers, bytes: Buffer.from(last.data) };
}

/** The try whose answer was lost may have been what changed the key. */
function uncertain({ body }: CallRefused): CallRefused {
  const message =
    'The answer to a first try was lost, and the key has changed since. Whether that try took effect is unknown. ' +
    'Read the key and decide anew.';
  return new CallRefused({ code: 'outcomeUnknown', message, details: body.details }, 504);
}

function refusalOf(status: number, text: string, admin: string): CallRefused {
  try {
    const { error } = JSON.parse(text) as { error?: ErrorBody };
    if (typeof error?.code === 'string' && typeof error.message === 'string') return new CallRefused(error, status);
  } catch {
    // Not one of ours: something between, or another program at that address.
  }
  const message = `${admin} answered ${status}, and not as a node does. Look at what listens there.`;
  return new CallRefused({ code: 'internal', message, details: {} }, status);
}

function readAddresses(text: string): string[] {
  const addresses = text.split(',').map((part) => part.trim().replace(/\/+$/, ''));
  for (const address of addresses) {
    if (/^https?:\/\//.test(address) && URL.canParse(address)) continue;
    throw new UsageError(`"${address}" is not the address of a node. Give one such as http://127.0.0.1:8000.`);
  }
  return addresses;
}
