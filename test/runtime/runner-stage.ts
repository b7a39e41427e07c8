import { encodeMerge, type MergePayload } from '../../node/core/merge-payload.ts';
import type { Runner, RunnerEvents } from '../../node/runtime/ports.ts';
import { stateAfter } from '../state-after.ts';

export type Happened =
  | { kind: 'started'; agent: string; epoch: number; state: string }
  | {
      kind: 'ran';
      agent: string;
      epoch: number;
      task: string;
      ok: boolean;
      value: unknown;
      state: string;
      outputs?: unknown;
    }
  | { kind: 'progress'; agent: string; epoch: number; task: string; value: unknown }
  | { kind: 'returned'; agent: string; epoch: number; tasks: string[] }
  | { kind: 'failed'; agent: string; epoch: number; reason: string; innocent: boolean }
  | { kind: 'prepared'; agent: string; migration: number; reason: string }
  | { kind: 'printed'; agent: string; line: string };

const deadlineMs = 15_000;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
export const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** What a task leads to, where it leads to anything. */
const leads = (outputs: Uint8Array | undefined) =>
  outputs === undefined ? {} : { outputs: JSON.parse(text(outputs)) };

/** A runner, and what it told, in order. */
export class RunnerStage {
  readonly runner: Runner;
  readonly happened: Happened[] = [];
  readonly #looks = new Set<() => void>();

  constructor(create: (events: RunnerEvents, log: (agent: string, line: string) => void) => Runner) {
    const add = (one: Happened): void => {
      this.happened.push(one);
      for (const look of this.#looks) look();
    };
    /** Of each agent, as its runner last told; what it began with, if that was given. */
    const states = new Map<string, Uint8Array>();
    this.runner = create(
      {
        ahead() {},
        returned: (agent, epoch, tasks) => add({ kind: 'returned', agent, epoch, tasks }),
        started: (agent, epoch, state) => {
          if (!states.has(agent)) states.set(agent, state);
          add({ kind: 'started', agent, epoch, state: text(state) });
        },
        ran: (agent, epoch, task, ok, value, update, outputs) => {
          const state = stateAfter(states.get(agent) ?? new Uint8Array(0), update);
          states.set(agent, state);
          add({
            kind: 'ran',
            agent,
            epoch,
            task,
            ok,
            value: JSON.parse(text(value)),
            state: text(state),
            ...leads(outputs),
          });
        },
        progress: (agent, epoch, task, value) =>
          add({ kind: 'progress', agent, epoch, task, value: JSON.parse(text(value)) }),
        failed: (agent, epoch, reason, innocent) => add({ kind: 'failed', agent, epoch, reason, innocent }),
        prepared: (agent, migration, reason) => add({ kind: 'prepared', agent, migration, reason }),
      },
      (agent, line) => add({ kind: 'printed', agent, line }),
    );
    const start = this.runner.start.bind(this.runner);
    this.runner.start = (order) => {
      if (order.state === undefined) states.delete(order.agent);
      else states.set(order.agent, order.state);
      start(order);
    };
  }

  /** The first that happened, or will within the deadline, of which this is true. */
  first<K extends Happened['kind']>(
    kind: K,
    is: (one: Extract<Happened, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<Happened, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no such "${kind}" in ${JSON.stringify(this.happened)}`)),
        deadlineMs,
      );
      const look = (): void => {
        const found = this.happened.find((one) => one.kind === kind && is(one as never));
        if (found === undefined) return;
        clearTimeout(timer);
        this.#looks.delete(look);
        resolve(found as never);
      };
      this.#looks.add(look);
      look();
    });
  }

  merge(agent: string, task: string, payload: MergePayload): Promise<Extract<Happened, { kind: 'ran' }>> {
    this.runner.run(agent, 1, task, encodeMerge(payload), { merges: true });
    return this.first('ran', (one) => one.agent === agent && one.task === task);
  }

  run(agent: string, task: string, payload: unknown, epoch = 1): Promise<Extract<Happened, { kind: 'ran' }>> {
    this.runner.run(agent, epoch, task, bytes(payload));
    return this.first('ran', (one) => one.agent === agent && one.task === task && one.epoch === epoch);
  }

  failure(agent: string): Promise<Extract<Happened, { kind: 'failed' }>> {
    return this.first('failed', (one) => one.agent === agent);
  }
}
