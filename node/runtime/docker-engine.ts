import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';

/** What the engine answered instead, or why it did not. */
export class EngineError extends Error {
  /** HTTP status of the engine's answer; none when there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

export interface DockerEngineInit {
  /** Absolute path of the socket that the engine listens on. */
  socketPath: string;
  /** For one answer, from the first byte of the question to the last of the answer. */
  timeoutMs?: number;
  answerBytesMax?: number;
}

interface Question {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below the version, with its query. */
  path: string;
  body?: unknown;
}

/** Of a container that was made, as far as it matters here. */
export interface ContainerEnd {
  running: boolean;
  exitCode: number;
  outOfMemory: boolean;
  /** Why the engine could not start it; empty otherwise. */
  problem: string;
}

/** Docker 20.10 and all later ones speak it. */
const version = '/v1.41';
const messageLengthMax = 500;
const timeoutMsDefault = 10_000;
const answerBytesMaxDefault = 1024 * 1024;

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/**
 * The part of the Docker Engine API that running agents needs, over the engine's socket. Every question has a time limit, and
 * every answer a size. All methods throw `EngineError`.
 */
export class DockerEngine {
  readonly #init: Required<DockerEngineInit>;

  constructor(init: DockerEngineInit) {
    this.#init = { timeoutMs: timeoutMsDefault, answerBytesMax: answerBytesMaxDefault, ...init };
  }

  /** The volumes that an image declares. */
  async volumesOf(image: string): Promise<string[]> {
    const { Config: config } = fieldsOf(await this.#ask({ method: 'GET', path: `/images/${image}/json` }));
    return Object.keys(fieldsOf(fieldsOf(config)['Volumes']));
  }

  /** Makes a container, which is not started, and returns its id. */
  async create(options: object): Promise<string> {
    const { Id: id } = fieldsOf(await this.#ask({ method: 'POST', path: '/containers/create', body: options }));
    if (typeof id === 'string' && /^[0-9a-f]{12,64}$/.test(id)) return id;
    throw new EngineError('it answered with no container');
  }

  async start(id: string): Promise<void> {
    await this.#ask({ method: 'POST', path: `/containers/${id}/start` });
  }

  /** Kills and removes a container with what it wrote. One that is gone, or is being removed, is as good. */
  async remove(id: string): Promise<void> {
    try {
      await this.#ask({ method: 'DELETE', path: `/containers/${id}?force=true&v=true` });
    } catch (error) {
      if (!(error instanceof EngineError) || (error.status !== 404 && error.status !== 409)) throw error;
    }
  }

  /** Those that carry all of these labels, running or not: id, and the labels. */
  async list(labels: readonly string[]): Promise<{ id: string; labels: Record<string, unknown> }[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: labels }));
    const listed = await this.#ask({ method: 'GET', path: `/containers/json?all=true&filters=${filters}` });
    if (!Array.isArray(listed)) throw new EngineError('it answered with no list of containers');
    return (listed as unknown[]).map((one) => {
      const { Id: id, Labels: found } = fieldsOf(one);
      return { id: String(id), labels: fieldsOf(found) };
    });
  }

  /** How a container is, or how it ended. */
  async look(id: string): Promise<ContainerEnd> {
    const { State: state } = fieldsOf(await this.#ask({ method: 'GET', path: `/containers/${id}/json` }));
    const { Running: running, ExitCode: exitCode, OOMKilled: outOfMemory, Error: problem } = fieldsOf(state);
    if (typeof running !== 'boolean' || typeof exitCode !== 'number') {
      throw new EngineError('it answered with no state of the container');
    }
    return { running, exitCode, outOfMemory: outOfMemory === true, problem: String(problem ?? '') };
  }

  /** The container's input, and its output in frames. Once attached there is no time limit. */
  attach(id: string): Promise<Duplex> {
    const path = `${version}/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`;
    const { socketPath, timeoutMs } = this.#init;
    return new Promise((resolve, reject) => {
      const asked = request({
        ...{ socketPath, path, method: 'POST', agent: false },
        headers: { host: 'docker', connection: 'Upgrade', upgrade: 'tcp', 'content-length': 0 },
      });
      const timer = setTimeout(() => asked.destroy(this.#silent()), timeoutMs);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(this.#why(error));
      };
      asked.on('error', fail);
      asked.once('upgrade', (_answer, socket, head) => {
        clearTimeout(timer);
        if (head.byteLength > 0) socket.unshift(head);
        resolve(socket);
      });
      asked.once('response', (answer) => {
        this.#read(answer).then((text) => fail(refusal(answer.statusCode ?? 0, text)), fail);
      });
      asked.end();
    });
  }

  /** Parsed JSON; nothing for an answer without a body. */
  #ask({ method, path, body }: Question): Promise<unknown> {
    const { socketPath, timeoutMs } = this.#init;
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const headers = { host: 'docker', 'content-type': 'application/json', 'content-length': text?.byteLength ?? 0 };
      const asked = request({ socketPath, path: `${version}${path}`, method, agent: false, headers });
      const timer = setTimeout(() => asked.destroy(this.#silent()), timeoutMs);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        asked.destroy();
        reject(this.#why(error));
      };
      // Stays: what comes up after the answer concerns nobody.
      asked.on('error', fail);
      asked.once('response', (answer) => {
        const status = answer.statusCode ?? 0;
        const take = (said: string): void => {
          clearTimeout(timer);
          if (status < 200 || status > 299) reject(refusal(status, said));
          else resolve(said.trim() === '' ? undefined : (JSON.parse(said) as unknown));
        };
        this.#read(answer).then(take).catch(fail);
      });
      asked.end(text);
    });
  }

  #read(answer: IncomingMessage): Promise<string> {
    const { answerBytesMax } = this.#init;
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.byteLength;
        parts.push(part);
        if (bytes > answerBytesMax) {
          answer.destroy(new EngineError(`it answers with more than ${answerBytesMax} bytes`));
        }
      });
      answer.once('end', () => resolve(Buffer.concat(parts).toString('utf8')));
      answer.once('error', reject);
    });
  }

  #silent(): EngineError {
    return new EngineError(`the container engine does not answer within ${this.#init.timeoutMs} ms`);
  }

  #why(error: Error): EngineError {
    if (error instanceof EngineError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    const { socketPath } = this.#init;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      return new EngineError(`the container engine is gone: nothing listens at ${socketPath}`);
    }
    if (code === 'EACCES') return new EngineError(`this user may not use the container engine at ${socketPath}`);
    if (code === 'ECONNRESET' || code === 'EPIPE') return new EngineError('the container engine ended the connection');
    return new EngineError(`the container engine does not speak as it should: ${message.slice(0, messageLengthMax)}`);
  }
}

function refusal(status: number, said: string): EngineError {
  let message: unknown;
  try {
    ({ message } = fieldsOf(JSON.parse(said)));
  } catch {
    // Told as it came.
  }
  const text = typeof message === 'string' ? message : said;
  return new EngineError(`the container engine refuses (${status}): ${text.trim().slice(0, messageLengthMax)}`, status);
}
