import type { Worker } from 'node:worker_threads';
import { progressBytesMax, progressPerSMax } from '../core/agent-code.ts';
import { joined } from '../core/bytes.ts';
import { aheadBytes } from './ahead-bytes.ts';
import { isBlocked, isToGiveUp, nextLookMs } from './long-task.ts';
import { PrintedLines } from './printed-lines.ts';
import { processorTimeMs } from './processor-time.ts';
import { RateLimit } from './rate-limit.ts';
import { type TaskTimes, timeOf, type WaitingTask } from './runner-instances.ts';
import type { Doing, Seat, SeatEvents } from './seat.ts';
import { piecesOf } from './seat-output.ts';
import { ThreadBoard } from './thread-board.ts';
import { checkedMessage } from './thread-message.ts';
import { ThreadPost } from './thread-post.ts';
import { thrownText } from './thrown-text.ts';
import type { ToWorker } from './worker.ts';

export interface AgentThreadLimits extends TaskTimes {
  /** Heap of the thread. */
  heapMbMax: number;
  /** What it holds outside its heap, in buffers. Measured now and then: a fast grower exceeds it for a moment. */
  externalMbMax: number;
  startTimeoutMs: number;
  /** Processor time of one task. Measured now and then, as the buffers are, and from the first time on that the task is met. */
  taskCpuMsMax: number;
  /** Characters of a line that an agent prints. */
  lineLengthMax: number;
  /** Lines that an agent prints within a second, on each of its two streams. */
  linesPerSMax: number;
}

type StartOrder = Omit<Extract<ToWorker, { type: 'start' }>, 'type' | 'seat'>;

export interface AgentThreadInit {
  worker: Worker;
  /** More than one: agents share it, and each fails when one of them breaks it. */
  seatsMax: number;
  limits: AgentThreadLimits;
  /** Ends the thread itself, whatever it is doing. */
  end(worker: Worker): void;
}

const mb = 1024 * 1024;
const nothing = new Uint8Array(0);

/** A thread and the agents in it. What breaks the thread ends all of them, and the one to blame is told apart. */
export class AgentThread {
  readonly #init: AgentThreadInit;
  readonly isShared: boolean;
  readonly #board: ThreadBoard;
  readonly #seats: (Seat | undefined)[] = [];
  /** Who had each seat last: what was printed may come after its writer has left. */
  readonly #lastSeats: Seat[] = [];
  readonly #post: ThreadPost;
  #heldMb = 0;
  #isMeasuring = false;
  #hasEnded = false;

  constructor(init: AgentThreadInit) {
    this.#init = init;
    this.isShared = init.seatsMax > 1;
    this.#board = ThreadBoard.forSeats(init.seatsMax);
    this.#post = new ThreadPost(init.worker);
    this.#listen(init.worker);
    this.#post.say({ type: 'open', board: this.#board.memory, shared: this.isShared });
  }

  /** As the process knows it. */
  get id(): number {
    return this.#init.worker.threadId;
  }

  /** What it may hold. */
  get mbMax(): number {
    return this.#init.limits.heapMbMax + this.#init.limits.externalMbMax;
  }

  /** What it held when it was measured last. */
  get heldMb(): number {
    return this.#heldMb;
  }

  /** Whether the thread is at something of an agent. */
  get isBusy(): boolean {
    return this.#seats.some((seat) => seat?.doing !== undefined);
  }

  /** One more agent would find no seat in it, or too little memory. */
  get isFull(): boolean {
    const { seatsMax, limits } = this.#init;
    return this.#hasEnded || this.#residents().length >= seatsMax || this.#heldMb > limits.heapMbMax / 2;
  }

  /** Gives an agent a seat. To be asked only of a thread that is not full. */
  take(agent: string, events: SeatEvents): Seat {
    const { limits, seatsMax } = this.#init;
    const number = Array.from({ length: seatsMax }, (_, at) => at).find((at) => this.#seats[at] === undefined) ?? 0;
    const lines = (): PrintedLines => new PrintedLines({ ...limits, write: (line) => events.printed(line) });
    // The two clocks do not tick together: some more than the thread lets through.
    const progressRate = new RateLimit(2 * progressPerSMax);
    const seat = {
      number,
      agent,
      events,
      progressRate,
      printed: [lines(), lines()],
      doing: undefined,
      isLeaving: false,
      from: undefined,
    };
    this.#seats[number] = seat;
    for (const lines of this.#lastSeats[number]?.printed ?? []) lines.end(performance.now());
    this.#lastSeats[number] = seat;
    return seat;
  }

  /** `more`: what stands behind the state, when it is much. */
  start(seat: Seat, order: StartOrder, more: readonly Uint8Array[] = []): void {
    this.#tell(seat, undefined, 'it did not start', this.#init.limits.startTimeoutMs);
    // Of a large one nobody asks what it was started from.
    seat.from = more.length === 0 ? order.state : undefined;
    this.#startFrom(seat, order, order.state && [order.state, ...more], 0);
  }

  /** A large state goes there piece by piece, one in each turn, the last with the order itself. */
  #startFrom(seat: Seat, order: StartOrder, views: readonly Uint8Array[] | undefined, from: number): void {
    if (this.#seats[seat.number] !== seat || seat.isLeaving) return;
    let bytes = 0;
    let to = from;
    for (; views !== undefined && to < views.length && bytes < aheadBytes; to++) bytes += views[to]?.byteLength ?? 0;
    // A copy: posting a view posts the whole buffer behind it, with what else is in there.
    const state = views && joined(views.slice(from, to));
    if (state === undefined || to === views?.length) {
      return this.#post.say(
        { type: 'start', seat: seat.number, ...order, state },
        state && [state.buffer as ArrayBuffer],
      );
    }
    this.#post.say({ type: 'state', seat: seat.number, bytes: state }, [state.buffer as ArrayBuffer]);
    setImmediate(() => this.#startFrom(seat, order, views, to));
  }

  run(seat: Seat, next: WaitingTask): void {
    const { task, payload, merges = false } = next;
    this.#tell(seat, task, `it did not answer task ${task}`, timeOf(next, this.#init.limits.taskTimeoutMs));
    this.#post.say({ type: 'run', seat: seat.number, task, payload, merges });
  }

  /** Its code is told another epoch with its next task. */
  renew(seat: Seat, epoch: number): void {
    if (!seat.isLeaving) this.#post.say({ type: 'renew', seat: seat.number, epoch });
  }

  cancel(seat: Seat, task: string): void {
    if (seat.doing?.task === task) this.#post.say({ type: 'cancel', seat: seat.number, task });
  }

  /** The agent is to be heard of no more. A task that it is at may take its time still, as long as others are here. */
  leave(seat: Seat): void {
    if (this.#hasEnded || this.#seats[seat.number] !== seat || seat.isLeaving) return;
    seat.isLeaving = true;
    if (this.#residents().every(({ isLeaving }) => isLeaving)) return this.end();
    if (seat.doing === undefined) this.#tell(seat, undefined, 'it did not leave', this.#init.limits.taskTimeoutMs);
    this.#post.say({ type: 'leave', seat: seat.number });
  }

  /** Ends the thread and all that is in it; nothing more is heard of it. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#post.close();
    for (const seat of this.#residents()) this.#finish(seat);
    this.#init.end(this.#init.worker);
  }

  /** Ends it: its process cannot go on with it. */
  breakFor(reason: string): void {
    this.#break(this.#growing(), reason);
  }

  /** What a limit that the thread does not keep by itself forbids. */
  async measure(): Promise<void> {
    if (this.#isMeasuring || this.#hasEnded) return;
    this.#isMeasuring = true;
    const { worker, limits } = this.#init;
    try {
      const { used_heap_size: heapBytes, external_memory: externalBytes } = await worker.getHeapStatistics();
      this.#heldMb = (heapBytes + externalBytes) / mb;
      if (externalBytes > limits.externalMbMax * mb) {
        this.#break(
          this.#growing(),
          `it needs more than the ${limits.externalMbMax} MB of buffers that ${this.#owner}`,
        );
      } else if (this.isBusy) {
        this.#judgeProcessorTime(await processorTimeMs(worker));
      }
    } catch {
      // The thread has ended, which its own events tell; or this version of Node cannot measure it.
    } finally {
      this.#isMeasuring = false;
    }
  }

  // ---- what it says ----

  #listen(worker: Worker): void {
    worker.on('message', (said: unknown) => this.#onMessage(said));
    worker.on('messageerror', () => this.#break(this.#current(), 'its thread said something that cannot be read'));
    worker.on('error', (error: unknown) => this.#break(this.#current(), this.#whyEnded(error)));
    worker.on('exit', (code) => this.#break(this.#current(), `its thread ended with code ${code}`));
    for (const [at, stream] of [worker.stdout, worker.stderr].entries()) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        for (const piece of this.isShared ? piecesOf(text) : [{ seat: 0, text }]) {
          const seat = piece.seat === undefined ? undefined : this.#lastSeats[piece.seat];
          seat?.printed[at]?.push(piece.text, performance.now());
        }
      });
      stream.once('end', () => {
        for (const seat of this.#lastSeats) seat?.printed[at]?.end(performance.now());
      });
    }
  }

  #onMessage(said: unknown): void {
    const message = checkedMessage(said);
    const seat = message && this.#seats[message.seat];
    if (message === undefined || seat === undefined || !this.#accept(seat, message)) {
      this.#break(this.#current() ?? seat, 'its thread said something that nobody asked for');
    }
  }

  /** Whether that was to be expected. */
  #accept(seat: Seat, message: NonNullable<ReturnType<typeof checkedMessage>>): boolean {
    const { events, doing, isLeaving } = seat;
    switch (message.type) {
      case 'progress': {
        const fits = message.task === doing?.task && message.value.byteLength <= progressBytesMax;
        if (fits && !isLeaving && seat.progressRate.passes(performance.now()))
          events.progress(message.task, message.value);
        return true;
      }
      case 'pong':
        if (doing?.pingedMs !== undefined) this.#breakLate(seat, doing);
        return true;
      case 'failed':
        this.#vacate(seat);
        if (!isLeaving) events.failed(message.reason, false);
        return true;
      case 'left':
        if (isLeaving) this.#vacate(seat);
        return isLeaving;
      default:
        break;
    }
    if (doing === undefined || isLeaving) return isLeaving;
    if (message.type === 'ahead') {
      events.ahead(message.bytes, () => {
        if (this.#seats[seat.number] === seat) this.#post.say({ type: 'more', seat: seat.number });
      });
      return true;
    }
    if (message.type === 'ran' ? message.task !== doing.task : doing.task !== undefined) return false;
    this.#finish(seat);
    if (message.type === 'started') {
      events.started(message.state ?? seat.from ?? nothing);
      seat.from = undefined;
    } else events.ran(message.task, message.ok, message.value, message.change, message.outputs);
    return true;
  }

  #vacate(seat: Seat): void {
    this.#finish(seat);
    this.#seats[seat.number] = undefined;
    if (this.#residents().every(({ isLeaving }) => isLeaving)) this.end();
  }

  // ---- time ----

  #tell(seat: Seat, task: string | undefined, otherwise: string, withinMs: number): void {
    this.#finish(seat);
    this.#board.clear(seat.number);
    const toldMs = this.#board.nowMs();
    const doing: Doing = {
      task,
      otherwise,
      withinMs,
      toldMs,
      pingedMs: undefined,
      watchedMs: undefined,
      isLate: false,
      usedBeforeMs: 0,
      timer: undefined,
    };
    seat.doing = doing;
    this.#lookAfter(seat, doing, nextLookMs(doing, withinMs, this.#init.limits));
  }

  #finish(seat: Seat): void {
    clearTimeout(seat.doing?.timer);
    seat.doing = undefined;
  }

  #lookAfter(seat: Seat, doing: Doing, ms: number): void {
    doing.timer = setTimeout(() => this.#look(seat, doing), Math.max(1, ms));
    doing.timer.unref();
  }

  /** Time counts from when the thread began with it: until then, and while others are at it, it cannot be blamed. */
  #look(seat: Seat, doing: Doing): void {
    const begunMs = this.#board.begunMs(seat.number);
    const { limits } = this.#init;
    const ping = (): void => this.#post.say({ type: 'ping', seat: seat.number });
    if (isBlocked(doing, this.#board, limits, ping)) {
      return this.#break(this.#current() ?? seat, `it held up its thread for ${limits.taskTimeoutMs} ms`);
    }
    if (this.isShared && begunMs === 0) return this.#lookWhetherHeard(seat, doing, doing.toldMs);
    const leftMs = doing.withinMs - (this.#board.nowMs() - (begunMs === 0 || doing.isLate ? doing.toldMs : begunMs));
    if (leftMs > 0) return this.#lookAfter(seat, doing, nextLookMs(doing, leftMs, limits));
    if (isToGiveUp(doing, this.#board.nowMs(), limits)) {
      this.cancel(seat, doing.task ?? '');
      return this.#lookAfter(seat, doing, doing.withinMs);
    }
    if (!this.isShared || this.#board.currentSeat === seat.number) return this.#breakLate(seat, doing);
    if (doing.pingedMs !== undefined) return this.#lookWhetherHeard(seat, doing, doing.pingedMs);
    // Its answer may be on its way, or another agent keeps it from answering.
    doing.pingedMs = this.#board.nowMs();
    ping();
    this.#lookAfter(seat, doing, doing.withinMs);
  }

  #lookWhetherHeard(seat: Seat, doing: Doing, toldMs: number): void {
    const { withinMs } = doing;
    const leftMs = withinMs - (this.#board.nowMs() - Math.max(toldMs, this.#board.heardMs));
    if (leftMs > 0) return this.#lookAfter(seat, doing, leftMs);
    const current = this.#current();
    if (current === undefined) this.#break(undefined, `its thread took nothing that it was told within ${withinMs} ms`);
    else this.#break(current, `it held up the thread that it shares with others for ${withinMs} ms`);
  }

  #breakLate(seat: Seat, { otherwise, withinMs }: Doing): void {
    this.#break(seat, `${otherwise} within ${withinMs} ms`);
  }

  #judgeProcessorTime(usedMs: number): void {
    const { taskCpuMsMax } = this.#init.limits;
    for (const seat of this.#residents()) {
      if (seat.doing === undefined || this.#board.begunMs(seat.number) === 0) continue;
      seat.doing.usedBeforeMs ||= usedMs;
      const sinceMs = usedMs - seat.doing.usedBeforeMs;
      // What the thread used meanwhile, and what of that time was this agent's.
      const spentMs = this.isShared ? Math.min(sinceMs, this.#board.busyMs(seat.number)) : sinceMs;
      if (spentMs <= taskCpuMsMax) continue;
      const { task } = seat.doing;
      const what = task === undefined ? 'its start' : `task ${task}`;
      return this.#break(seat, `it took more than ${taskCpuMsMax} ms of processor time for ${what}`);
    }
  }

  // ---- its end ----

  #residents(): Seat[] {
    return this.#seats.filter((seat) => seat !== undefined);
  }

  get #owner(): string {
    return this.isShared ? 'the agents of a thread share' : 'an agent has';
  }

  /** Whose code the thread is at, or was at last. */
  #current(): Seat | undefined {
    return this.#seats[this.isShared ? (this.#board.currentSeat ?? -1) : 0];
  }

  /** Whoever is at something while the thread comes to hold too much, if that is one. */
  #growing(): Seat | undefined {
    const busy = this.#residents().filter(({ doing }) => doing !== undefined);
    return this.#current() ?? (busy.length === 1 ? busy[0] : undefined);
  }

  #whyEnded(error: unknown): string {
    if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return `it needs more than the ${this.#init.limits.heapMbMax} MB of memory that ${this.#owner}`;
    }
    return `it threw outside its tasks: ${thrownText(error)}`;
  }

  /** Whoever is to blame fails for that reason, the others because of it. Where it is nobody, they all fail for it. */
  #break(culprit: Seat | undefined, reason: string): void {
    if (this.#hasEnded) return;
    const residents = this.#residents().filter(({ isLeaving }) => !isLeaving);
    this.end();
    if (this.isShared) culprit?.events.broke();
    const others = `the thread that it shared was ended because of agent ${culprit?.agent}: ${reason}`;
    for (const seat of residents) {
      const isInnocent = culprit !== undefined && seat !== culprit;
      seat.events.failed(isInnocent ? others : reason, isInnocent);
    }
  }
}
