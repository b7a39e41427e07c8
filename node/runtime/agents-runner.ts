import { mkdirSync } from 'node:fs';
import { joined } from '../core/bytes.ts';
import type { FromAgents, ToAgents } from './agents-message.ts';
import { type AgentsEnd, AgentsProcess } from './agents-process.ts';
import { aheadBytes } from './ahead-bytes.ts';
import { toMachineMs } from './machine-clock.ts';
import type { Runner, RunnerEvents, RunOptions } from './ports.ts';
import { thrownText } from './thrown-text.ts';
import type { WorkerLimits } from './worker-runner.ts';

export interface AgentsLimits extends WorkerLimits {
  /** Between two questions whether the process of the agents still goes round. */
  pingIntervalMs: number;
  /** Of those in a row that it may leave without an answer. */
  pingsMax: number;
  /** Bytes that it may leave unread. */
  unreadBytesMax: number;
}

export interface AgentsUse {
  /** Processor time since the process began. */
  cpuMs: number;
  residentBytes: number;
}

export interface AgentsRunnerInit {
  /** The program of the process: `agents-program.ts`, or what was built from it. */
  program: URL;
  /** That of its threads: `worker.ts`, or what was built from it. */
  workerUrl: URL;
  /** Where modules are kept as files. */
  directory: string;
  /** Of the node: how text, time and certificates are to be read is passed on to the process, and nothing else. */
  environment: Readonly<Record<string, string | undefined>>;
  events: RunnerEvents;
  limits?: Partial<AgentsLimits>;
  /** What agents print, a line at a time. */
  log?: (agent: string, line: string) => void;
  /** The process ended by itself, or had to be. */
  trouble?: (reason: string, lines: readonly string[]) => void;
  /** Now and then: what the process uses. */
  used?: (use: AgentsUse) => void;
}

type StartOrder = Parameters<Runner['start']>[0];

/** What an agent was told to do and has not answered. */
interface Told {
  deadlineMs: number | undefined;
  isRecalled: boolean;
}

/** One start of an agent. */
interface Resident {
  readonly id: number;
  readonly agent: string;
  epoch: number;
  readonly order: Omit<StartOrder, 'state' | 'more'>;
  isStarting: boolean;
  readonly tasks: Map<string, Told>;
  thread: number | undefined;
  /** The state that it is being started from, while that is small. */
  from: Uint8Array | undefined;
  /** What is left of a large one, and what is to be said after it. */
  upload: { views: Uint8Array[]; at: number; behind: (() => void)[] } | undefined;
}

const defaults = { pingIntervalMs: 1_000, pingsMax: 10, unreadBytesMax: 256 * 1024 * 1024 };
const nothing = new Uint8Array(0);
/** What two processes take for one time of the machine is less than this apart. */
const clocksApartMs = 1;
/** Agents whose thread ended the process, while they shared it. */
const apartMax = 1_000;

/** Makes a runner of `worker` agents. Throws what the file system throws when the directory cannot be made. */
export function createAgentsRunner(init: AgentsRunnerInit): AgentsRunner {
  mkdirSync(init.directory, { recursive: true, mode: 0o700 });
  return new AgentsRunner(init);
}

/**
 * Runs the threads of agents in a process apart from the node's: there are ways to fill a thread's memory that end the
 * process, whatever limit the thread has. It is there from the first agent on, or before where it is to be kept; when it
 * ends, another takes its place.
 */
export class AgentsRunner implements Runner {
  readonly #init: AgentsRunnerInit;
  readonly #limits: typeof defaults & Partial<AgentsLimits>;
  readonly #residents = new Map<number, Resident>();
  readonly #byKey = new Map<string, Resident>();
  /** By agent: the migration for which it is being made ready. */
  readonly #preparing = new Map<string, number>();
  readonly #apart = new Set<string>();
  readonly #uploads: Resident[] = [];
  #isUploading = false;
  #process: AgentsProcess | undefined;
  #ids = 0;
  #isKept = false;
  #isStopped = false;

  constructor(init: AgentsRunnerInit) {
    this.#init = init;
    this.#limits = { ...defaults, ...init.limits };
  }

  /** From here on the process is there before an agent comes. */
  keep(): void {
    if (this.#isStopped || this.#isKept) return;
    this.#isKept = true;
    this.#beginAnew();
  }

  start({ state, more = [], ...order }: StartOrder): void {
    if (this.#isStopped) return;
    const { agent, epoch } = order;
    this.stop(agent, epoch);
    this.#ids += 1;
    const resident: Resident = {
      ...{ id: this.#ids, agent, epoch, order, isStarting: true, tasks: new Map<string, Told>() },
      ...{ thread: undefined, from: more.length === 0 ? state : undefined, upload: undefined },
    };
    this.#residents.set(resident.id, resident);
    this.#byKey.set(keyOf(agent, epoch), resident);
    try {
      this.#ready();
    } catch (error) {
      setImmediate(() => this.#fail(resident, `it cannot be started: ${thrownText(error)}`, false));
      return;
    }
    const views = state && [state, ...more];
    const size = views?.reduce((sum, { byteLength }) => sum + byteLength, 0) ?? 0;
    if (views === undefined || size <= aheadBytes) return this.#sayStart(resident, views && [joined(views)]);
    resident.upload = { views: views.flatMap(pieces), at: 0, behind: [] };
    this.#uploads.push(resident);
    if (this.#isUploading) return;
    this.#isUploading = true;
    setImmediate(() => this.#uploadNext());
  }

  run(agent: string, epoch: number, task: string, payload: Uint8Array, how: RunOptions = {}): void {
    const { merges = false, deadlineMs } = how;
    const resident = this.#byKey.get(keyOf(agent, epoch));
    if (resident === undefined) return;
    resident.tasks.set(task, { deadlineMs, isRecalled: false });
    const untilMs = deadlineMs === undefined ? undefined : toMachineMs(deadlineMs);
    this.#tell(resident, { type: 'run', id: resident.id, task, merges, untilMs }, payload);
  }

  recall(agent: string, epoch: number): void {
    const resident = this.#byKey.get(keyOf(agent, epoch));
    if (resident === undefined) return;
    for (const told of resident.tasks.values()) told.isRecalled = true;
    this.#tell(resident, { type: 'recall', id: resident.id });
  }

  cancel(agent: string, epoch: number, task: string): void {
    const resident = this.#byKey.get(keyOf(agent, epoch));
    if (resident !== undefined) this.#tell(resident, { type: 'cancel', id: resident.id, task });
  }

  stop(agent: string, epoch: number): void {
    const resident = this.#byKey.get(keyOf(agent, epoch));
    if (resident === undefined) return;
    this.#forget(resident);
    this.#process?.say({ type: 'stop', id: resident.id });
  }

  renew(agent: string, from: number, epoch: number): void {
    const resident = this.#byKey.get(keyOf(agent, from));
    if (resident === undefined) return;
    this.#byKey.delete(keyOf(agent, from));
    resident.epoch = epoch;
    this.#byKey.set(keyOf(agent, epoch), resident);
    this.#tell(resident, { type: 'renew', id: resident.id, epoch });
  }

  prepare(what: Parameters<Runner['prepare']>[0]): void {
    if (this.#isStopped) return;
    const { agent, migration } = what;
    this.#preparing.set(agent, migration);
    try {
      this.#ready().say({ type: 'prepare', what: { ...what, isolation: this.#isolationOf(what) } });
    } catch (error) {
      setImmediate(() => this.#onPrepared(agent, migration, `it cannot be started: ${thrownText(error)}`));
    }
  }

  release(agent: string, migration: number): void {
    if (this.#preparing.get(agent) === migration) this.#preparing.delete(agent);
    this.#process?.say({ type: 'release', agent, migration });
  }

  async stopAll(): Promise<void> {
    this.#isStopped = true;
    this.#residents.clear();
    this.#byKey.clear();
    this.#preparing.clear();
    await this.#process?.close();
  }

  // ---- what is said ----

  /** The process, begun if there is none. Throws what the system throws when it has no more processes. */
  #ready(): AgentsProcess {
    if (this.#process !== undefined) return this.#process;
    const { program, workerUrl, directory, environment } = this.#init;
    const { pingIntervalMs, pingsMax, unreadBytesMax, ...limits } = this.#limits;
    // Of one that was not even made, which is thrown, no end is told.
    const made: { process?: AgentsProcess } = {};
    const begun = new AgentsProcess({
      ...{ program, directory, environment, pingIntervalMs, pingsMax, unreadBytesMax },
      onSaid: (message, bytes) => this.#onSaid(message, bytes),
      onEnd: (end) => made.process && this.#onEnd(made.process, end),
    });
    made.process = begun;
    this.#process = begun;
    begun.say({ type: 'open', workerUrl: workerUrl.href, directory, limits });
    return begun;
  }

  /** In its turn: after what is still to come of its state. */
  #tell(resident: Resident, message: ToAgents, ...bytes: Uint8Array[]): void {
    if (resident.upload === undefined) this.#process?.say(message, ...bytes);
    else resident.upload.behind.push(() => this.#process?.say(message, ...bytes));
  }

  #sayStart({ id, order }: Resident, last: Uint8Array[] = []): void {
    const told = { ...order, isolation: this.#isolationOf(order) };
    this.#process?.say({ type: 'start', id, order: told }, ...last);
  }

  /** The pieces of large states go one after the other, each when the one before is on its way. */
  #uploadNext(): void {
    const [resident] = this.#uploads;
    this.#isUploading = resident !== undefined;
    if (resident === undefined) return;
    const { upload } = resident;
    const process = this.#process;
    if (upload === undefined || process === undefined || this.#residents.get(resident.id) !== resident) {
      this.#uploads.shift();
      return this.#uploadNext();
    }
    const piece = upload.views.slice(upload.at, upload.at + piecesWithin(upload.views, upload.at));
    upload.at += piece.length;
    if (upload.at < upload.views.length) process.say({ type: 'state', id: resident.id }, ...piece);
    else {
      this.#uploads.shift();
      this.#sayStart(resident, piece);
      resident.upload = undefined;
      for (const say of upload.behind) say();
    }
    process.whenTaken(() => setImmediate(() => this.#uploadNext()));
  }

  #isolationOf({ agent, isolation }: Pick<StartOrder, 'agent' | 'isolation'>): StartOrder['isolation'] {
    return this.#apart.has(agent) ? 'agent' : isolation;
  }

  // ---- what is heard ----

  #onSaid(message: FromAgents, bytes: Uint8Array[]): void {
    if (message.type === 'pong') return this.#init.used?.(message);
    if (message.type === 'printed') return this.#init.log?.(message.agent, message.line);
    if (message.type === 'prepared') return this.#onPrepared(message.agent, message.migration, message.reason);
    if (message.type === 'ahead') this.#askForMore();
    const resident = this.#residents.get(message.id);
    // It was stopped meanwhile.
    if (resident === undefined) return;
    const { agent, epoch } = resident;
    const { events } = this.#init;
    const [first = nothing, second = nothing] = bytes;
    if (message.type === 'seated') resident.thread = message.thread;
    else if (message.type === 'ahead') events.ahead(agent, epoch, first);
    else if (message.type === 'failed') this.#fail(resident, message.reason, message.innocent);
    else if (message.type === 'started') {
      const state = bytes.length === 0 ? (resident.from ?? nothing) : first;
      resident.isStarting = false;
      resident.from = undefined;
      events.started(agent, epoch, state);
    } else if (message.type === 'returned') this.#onReturned(resident, message.tasks);
    else if (resident.tasks.has(message.task)) {
      if (message.type === 'progress') return events.progress(agent, epoch, message.task, first);
      const { task, ok, change, leads } = message;
      resident.tasks.delete(task);
      const update = change && { ...change, inserted: second };
      events.ran(agent, epoch, task, ok, first, update, leads ? bytes.at(-1) : undefined);
    }
  }

  /** What it was not asked for comes back only after its deadline: else it could have a task given to it without end. */
  #onReturned(resident: Resident, tasks: readonly string[]): void {
    const nowMs = performance.now() + clocksApartMs;
    const returned = [...new Set(tasks)].filter((task) => resident.tasks.has(task));
    for (const task of returned) {
      const { isRecalled = false, deadlineMs = Number.POSITIVE_INFINITY } = resident.tasks.get(task) ?? {};
      if (!isRecalled && deadlineMs > nowMs) return this.#process?.end('it gave a task back that nobody asked for');
    }
    for (const task of returned) resident.tasks.delete(task);
    this.#init.events.returned(resident.agent, resident.epoch, returned);
  }

  /** In a turn of its own: what the node does with a piece is done by then. */
  #askForMore(): void {
    const process = this.#process;
    setImmediate(() => process?.say({ type: 'more' }));
  }

  #onPrepared(agent: string, migration: number, reason: string): void {
    if (this.#preparing.get(agent) !== migration) return;
    this.#preparing.delete(agent);
    this.#init.events.prepared(agent, migration, reason);
  }

  #fail(resident: Resident, reason: string, innocent: boolean): void {
    if (this.#residents.get(resident.id) !== resident) return;
    this.#forget(resident);
    this.#init.events.failed(resident.agent, resident.epoch, reason, innocent);
  }

  #forget(resident: Resident): void {
    this.#residents.delete(resident.id);
    if (this.#byKey.get(keyOf(resident.agent, resident.epoch)) === resident)
      this.#byKey.delete(keyOf(resident.agent, resident.epoch));
  }

  // ---- the end of the process ----

  #onEnd(ended: AgentsProcess, { reason, thread, lines }: AgentsEnd): void {
    if (this.#process !== ended) return;
    this.#process = undefined;
    const residents = [...this.#residents.values()];
    const preparing = [...this.#preparing];
    this.#init.trouble?.(`the process of the agents has ended: ${reason}`, lines);
    const guilty = toBlame(residents, thread);
    for (const { agent, order, thread: of } of guilty) {
      if (order.isolation === 'type' && (of === thread || thread === undefined)) this.#keepApart(agent);
    }
    // At once, so that it is there when they start; not where one ended before it had begun.
    if (ended.hasAnswered && (this.#isKept || residents.length > 0)) this.#beginAnew();
    for (const resident of residents) {
      const isInnocent = guilty.size > 0 && !guilty.has(resident);
      this.#fail(resident, reasonFor(resident, guilty, reason), isInnocent);
    }
    for (const [agent, migration] of preparing)
      this.#onPrepared(agent, migration, `the process that it was made ready in has ended: ${reason}`);
  }

  #beginAnew(): void {
    if (this.#isStopped) return;
    try {
      this.#ready();
    } catch {
      // The next start tries again, and says why it cannot be.
    }
  }

  #keepApart(agent: string): void {
    this.#apart.add(agent);
    for (const oldest of this.#apart) {
      if (this.#apart.size <= apartMax) break;
      this.#apart.delete(oldest);
    }
  }
}

const keyOf = (agent: string, epoch: number): string => `${agent}/${epoch}`;

function pieces(view: Uint8Array): Uint8Array | Uint8Array[] {
  if (view.byteLength <= aheadBytes) return view;
  return Array.from({ length: Math.ceil(view.byteLength / aheadBytes) }, (_, at) =>
    view.subarray(at * aheadBytes, (at + 1) * aheadBytes),
  );
}

/** How many from there on make one piece. */
function piecesWithin(views: readonly Uint8Array[], from: number): number {
  let [at, bytes] = [from, 0];
  for (; at < views.length && bytes < aheadBytes; at++) bytes += views[at]?.byteLength ?? 0;
  return at - from;
}

/** Those of the thread that ended the process, where it is known; of them, those that were at something, where some were. */
function toBlame(residents: readonly Resident[], thread: number | undefined): Set<Resident> {
  const of = residents.filter((resident) => resident.thread === thread);
  const isKnown = thread !== undefined && of.length > 0;
  const suspects = isKnown ? of : residents;
  const atWork = suspects.filter(({ isStarting, tasks }) => isStarting || tasks.size > 0);
  return new Set(isKnown && atWork.length === 0 ? of : atWork);
}

function reasonFor(resident: Resident, guilty: ReadonlySet<Resident>, reason: string): string {
  const [culprit] = guilty;
  if (guilty.size === 1 && culprit !== resident)
    return `the process that it shared has ended because of agent ${culprit?.agent}: ${reason}`;
  if (guilty.size === 1) return `the process that it runs in has ended because of it: ${reason}`;
  return `the process that it shared with other agents has ended: ${reason}`;
}
