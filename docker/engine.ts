import Docker from 'dockerode';
import { FleetError } from './fleet.ts';

export type Engine = Docker;

const pingTimeoutMs = 2_000;

/** Why no engine can be used; nothing was changed. */
export class EngineUnreachable extends FleetError {
  constructor(reason: string, options?: ErrorOptions) {
    super(
      `No Docker engine can be reached: ${reason}. Nothing was changed. Start Docker, point DOCKER_HOST to an engine, ` +
        'or use "--processes" for local processes instead.',
      69,
      options,
    );
    this.name = 'EngineUnreachable';
  }
}

/** Connects to the engine that DOCKER_HOST names, else the local one. Throws `EngineUnreachable` within 2 s. */
export async function connectEngine(): Promise<Engine> {
  try {
    // The time limit is for this question only: later calls, such as a build, may take longer.
    await new Docker({ timeout: pingTimeoutMs }).ping();
    return new Docker();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    let reason = message;
    if (/timed? ?out|socket hang up|ESOCKETTIMEDOUT/i.test(message))
      reason = `it did not answer within ${pingTimeoutMs / 1_000} s`;
    else if (code === 'EACCES') reason = `this user may not use its socket (${message})`;
    else if (code === 'ENOENT' || code === 'ECONNREFUSED') reason = `nothing listens there (${message})`;
    throw new EngineUnreachable(reason, { cause: error });
  }
}

/** HTTP status of the engine's answer, if the error is one. */
export function engineStatus(error: unknown): number | undefined {
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : undefined;
}

/** What the engine said, without dockerode's wrapping. */
export function engineMessage(error: unknown): string {
  const { json, message } = error as { json?: { message?: unknown }; message?: unknown };
  return String(json?.message ?? message ?? error).trim();
}

/** Awaits `work`; an answer with one of these statuses is as good as done (304 already so, 404 already gone). */
export async function unlessStatus(work: Promise<unknown>, ...statuses: number[]): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!statuses.includes(engineStatus(error) ?? 0)) throw error;
  }
}

/** Reads a stream of the engine's progress messages to its end; throws what the engine reports as an error in it. */
export async function readProgress(
  engine: Engine,
  stream: NodeJS.ReadableStream,
  onMessage: (message: EngineMessage) => void = () => {},
): Promise<EngineMessage[]> {
  return new Promise((resolve, reject) => {
    engine.modem.followProgress(
      stream,
      (error: Error | null, messages: EngineMessage[]) => {
        const failed = (messages ?? []).find((message) => message.error !== undefined);
        if (error !== null) reject(error);
        else if (failed !== undefined) reject(new Error(failed.error));
        else resolve(messages);
      },
      onMessage,
    );
  });
}

export interface EngineMessage {
  status?: string;
  stream?: string;
  error?: string;
  progress?: string;
}
