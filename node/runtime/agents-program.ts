import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { StateUpdate } from '../core/state-change.ts';
import { AgentsChannel, type Said } from './agents-channel.ts';
import type { FromAgents, ToAgents } from './agents-message.ts';
import { fromMachineMs } from './machine-clock.ts';
import type { Runner, RunnerEvents } from './ports.ts';
import { createWorkerRunner } from './worker-runner.ts';

const mb = 1024 * 1024;
/** While the node has so much still to take, what is only for watching is dropped. */
const unreadForWatching = 8 * mb;
/** Answers are as many as were asked for: a node that leaves so much unread has lost its mind. */
const unreadBytesMax = 256 * mb;
/** A larger answer is none: it is beyond what any node takes. */
const answerMbMax = 8;

/** Of what a module threw, which may be anything. */
const reasonLengthMax = 2_000;
const heardBytes = 64 * 1024;
/** Pieces of large states on their way to the node, of all agents: what it may meet in one turn. */
const aheadMax = 4;
const nothing = new Uint8Array(0);

/** A start of an agent, and the state that it is started from while that is small. */
interface Known {
  agent: string;
  epoch: number;
  from: Uint8Array | undefined;
}

/** The threads of a node's agents, in a process that may end without the node; it is told what to do over one stream. */
class AgentsProgram {
  readonly #channel: AgentsChannel;
  #runner: Runner | undefined;
  /** By id: pieces of a large state that has not started. */
  readonly #beginnings = new Map<number, Uint8Array[]>();
  /** What runs, by id and by the names that the runner knows. */
  readonly #byId = new Map<number, Known>();
  readonly #idOf = new Map<string, number>();
  /** Pieces that went ahead and that the node has not taken in, and who waits to send the next. */
  #ahead = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(stream: Socket, fd: number) {
    this.#channel = new AgentsChannel({
      ...{ stream, fd },
      // What many threads answer in one turn wakes the node once.
      later: setImmediate,
      onSaid: (said) => this.#onSaid(said),
      onBroken: (error) => {
        throw error;
      },
    });
  }

  hear(chunk: Uint8Array): void {
    this.#channel.take(chunk);
  }

  #say(message: FromAgents, ...bytes: Uint8Array[]): void {
    if (this.#channel.unreadBytes > unreadBytesMax) {
      process.stderr.write('its node took nothing of what it had to say\n');
      process.exit(1);
    }
    this.#channel.say(message, ...bytes);
  }

  #onSaid({ head, bytes }: Said): void {
    const message = head as ToAgents;
    const [first] = bytes;
    switch (message.type) {
      case 'open':
        this.#open(message);
        return this.#sayUse();
      case 'state':
        this.#beginnings.set(message.id, [...(this.#beginnings.get(message.id) ?? []), ...bytes]);
        return;
      case 'start':
        return this.#start(message, bytes);
      case 'more':
        this.#ahead -= 1;
        return this.#waiting.shift()?.();
      case 'prepare':
        return this.#runner?.prepare(message.what);
      case 'release':
        return this.#runner?.release(message.agent, message.migration);
      case 'ping':
        return this.#sayUse();
      default:
        return this.#tell(message, first ?? nothing);
    }
  }

  #tell(
    message: Extract<ToAgents, { type: 'run' | 'recall' | 'cancel' | 'stop' | 'renew' }>,
    payload: Uint8Array,
  ): void {
    const { id } = message;
    this.#beginnings.delete(id);
    const known = this.#byId.get(id);
    if (known === undefined) return;
    const { agent, epoch } = known;
    if (message.type === 'run') this.#run(known, message, payload);
    else if (message.type === 'recall') this.#runner?.recall(agent, epoch);
    else if (message.type === 'cancel') this.#runner?.cancel(agent, epoch, message.task);
    else if (message.type === 'stop') {
      this.#forget(id);
      this.#runner?.stop(agent, epoch);
    } else {
      this.#idOf.delete(keyOf(agent, epoch));
      known.epoch = message.epoch;
      this.#idOf.set(keyOf(agent, message.epoch), id);
      this.#runner?.renew(agent, epoch, message.epoch);
    }
  }

  #run(
    { agent, epoch }: Known,
    { task, merges, untilMs }: Extract<ToAgents, { type: 'run' }>,
    payload: Uint8Array,
  ): void {
    const until = untilMs === undefined ? {} : { deadlineMs: fromMachineMs(untilMs) };
    this.#runner?.run(agent, epoch, task, payload, { merges, ...until });
  }

  #start({ id, order }: Extract<ToAgents, { type: 'start' }>, last: Uint8Array[]): void {
    const pieces = [...(this.#beginnings.get(id) ?? []), ...last];
    this.#beginnings.delete(id);
    const [state, ...more] = pieces;
    const { agent, epoch } = order;
    this.#byId.set(id, { agent, epoch, from: more.length === 0 ? state : undefined });
    this.#idOf.set(keyOf(agent, epoch), id);
    this.#runner?.start({ ...order, state, ...(more.length > 0 && { more }) });
  }

  #forget(id: number): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    this.#idOf.delete(keyOf(known.agent, known.epoch));
  }

  #open({ workerUrl, directory, limits }: Extract<ToAgents, { type: 'open' }>): void {
    this.#runner = createWorkerRunner({
      workerUrl: new URL(workerUrl),
      directory,
      limits,
      events: this.#events(),
      log: (agent, line) => this.#sayForWatching({ type: 'printed', agent, line }),
      seated: (agent, epoch, thread) => this.#sayOf(agent, epoch, (id) => this.#say({ type: 'seated', id, thread })),
      // What many threads answer in one turn goes as one write, but where a thread waits for that.
      afterRan: (next, isAwaited) => (isAwaited ? this.#channel.write(next) : this.#channel.afterWrite(next)),
      afterAhead: (more) => {
        if (this.#ahead < aheadMax) setImmediate(more);
        else this.#waiting.push(more);
      },
    });
  }

  #events(): RunnerEvents {
    return {
      ahead: (agent, epoch, bytes) =>
        this.#sayOf(agent, epoch, (id) => {
          this.#ahead += 1;
          this.#say({ type: 'ahead', id }, bytes);
        }),
      started: (agent, epoch, state) =>
        this.#sayOf(agent, epoch, (id, known) => {
          const isKnown = state === known.from;
          known.from = undefined;
          this.#say({ type: 'started', id }, ...(isKnown ? [] : [state]));
        }),
      ran: (agent, epoch, task, ok, value, state, outputs) =>
        this.#sayOf(agent, epoch, (id) => this.#sayRan(id, task, ok, value, state, outputs)),
      returned: (agent, epoch, tasks) => this.#sayOf(agent, epoch, (id) => this.#say({ type: 'returned', id, tasks })),
      progress: (agent, epoch, task, value) =>
        this.#sayOf(agent, epoch, (id) => this.#sayForWatching({ type: 'progress', id, task }, value)),
      failed: (agent, epoch, reason, innocent) =>
        this.#sayOf(agent, epoch, (id) => {
          this.#forget(id);
          this.#say({ type: 'failed', id, reason: reason.slice(0, reasonLengthMax), innocent });
        }),
      prepared: (agent, migration, reason) =>
        this.#say({ type: 'prepared', agent, migration, reason: reason.slice(0, reasonLengthMax) }),
    };
  }

  #sayRan(
    id: number,
    task: string,
    ok: boolean,
    value: Uint8Array,
    update: StateUpdate,
    outputs: Uint8Array | undefined,
  ): void {
    // A thread tells changes only.
    const change = update instanceof Uint8Array ? undefined : update;
    const bytes = [
      value,
      ...(change === undefined ? [] : [change.inserted]),
      ...(outputs === undefined ? [] : [outputs]),
    ];
    const size = bytes.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (size > answerMbMax * mb) {
      const reason = `it answered task ${task} with more than ${answerMbMax} MB`;
      this.#tell({ type: 'stop', id }, nothing);
      return this.#say({ type: 'failed', id, reason, innocent: false });
    }
    const { inserted: _, ...where } = change ?? {};
    const told = change === undefined ? undefined : (where as Omit<typeof change, 'inserted'>);
    this.#say({ type: 'ran', id, task, ok, change: told, leads: outputs !== undefined }, ...bytes);
  }

  #sayUse(): void {
    const { user, system } = process.cpuUsage();
    this.#say({ type: 'pong', cpuMs: (user + system) / 1_000, residentBytes: process.memoryUsage.rss() });
  }

  #sayForWatching(message: FromAgents, ...bytes: Uint8Array[]): void {
    if (this.#channel.unreadBytes <= unreadForWatching) this.#say(message, ...bytes);
  }

  #sayOf(agent: string, epoch: number, say: (id: number, known: Known) => void): void {
    const id = this.#idOf.get(keyOf(agent, epoch));
    const known = id === undefined ? undefined : this.#byId.get(id);
    if (id !== undefined && known !== undefined) say(id, known);
  }
}

const keyOf = (agent: string, epoch: number): string => `${agent}/${epoch}`;

/** Whatever runs in here goes at once, and what it started with it. */
function end(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}

try {
  // Where memory is short, the system takes this process before the node.
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Not on this system.
}
const fd = 3;
const heard = Buffer.alloc(heardBytes);
const stream = new Socket({
  ...{ fd, readable: true, writable: true },
  // One buffer for all that is read: most of it is small, and often.
  onread: {
    buffer: heard,
    callback(length) {
      program.hear(heard.subarray(0, length));
      return true;
    },
  },
});
stream.on('close', end);
stream.on('error', () => {});
const program = new AgentsProgram(stream, fd);
stream.resume();
