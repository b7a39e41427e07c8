import { type AgentOutputs, noOutputs, readOutputs, type Sending, type TimerSetting } from './agent-outputs.ts';
import type { Assignment } from './assignment.ts';
import type { Context } from './context.ts';
import type { ErrorBody, ErrorCode } from './errors.ts';
import { LetterDrops } from './letter-drops.ts';
import { letterId, replyIdOf } from './letter-id.ts';
import { LetterMarks } from './letter-marks.ts';
import { emptyMailbox, encodeMailbox, isEmpty, type Letter, type Mailbox, type Timer, whyTooMuch } from './mailbox.ts';
import type { Outcome, TaskOperation } from './operation.ts';
import { whyNotJson } from './plain-json.ts';
import { limits } from './settings.ts';
import type { QueuedTask } from './task-queue.ts';
import { taskPriorityDefault } from './tasks.ts';
import { fromBytes, toBytes } from './text.ts';

export interface MailEvents {
  /** The agents that an address means now; none where there are none. */
  resolve(to: Sending['to']): string[];
  /** Gives a task to an agent, wherever it is. */
  ask(operation: TaskOperation, done: (outcome: Outcome<'task'>) => void): void;
  /** Gives a task to the agent itself. */
  submit(task: QueuedTask): void;
  mailbox(): Mailbox;
  /** Of the newest step. */
  sequence(): number;
  /** Makes a step of the agent's that is no task's, for what has settled. */
  settle(): void;
}

/** What says for good what became of a task. Of anything else it is asked again. */
const final: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'taskFailed',
  'taskCancelled',
  'taskSetAside',
  'resultDropped',
  'agentUnknown',
  'bodyMalformed',
]);
type Sender = Pick<Assignment, 'agent' | 'created' | 'wentOnAt' | 'branch' | 'epoch'>;

/**
 * Names an agent among all that there ever are, and apart from its branches. What it did before an operator let it go on
 * from an earlier step may be known to others: the steps that it takes again have other letters. So have those that the
 * parts of a branch take, each under its number, when the side splits once more.
 */
export function senderOf({ agent, created, wentOnAt, branch, epoch }: Sender): string {
  const part = branch === undefined ? wentOnAt : epoch;
  return `${agent.replace('~', ':')}:${created}${part === undefined ? '' : `.${part}`}`;
}

/** Whether an agent gave it to itself, by a timer. */
export const isTimerTask = (task: string): boolean => task.startsWith('~t:');

/** So many are on their way at once, to one agent and in all: one that does not answer holds up none for others. */
const flyingMax = 256;
const flyingToMax = 16;
const askTtlMs = 30_000;
const none: ErrorBody = {
  code: 'agentUnknown',
  message: 'There was no agent at that address. Nothing was changed. Send it to one that is there.',
  details: {},
};

/**
 * What an agent has under way, on its host: letters go out once the step that they were sent with is durable, again and
 * again under the same id until what became of them is known; timers fire as tasks to the agent itself. Both leave the
 * mailbox in the step that settles them, so that a host that takes over knows what is left: each takes effect once.
 */
export class Mail {
  readonly #context: Context;
  readonly #agent: string;
  /** Names the agent among all that there ever are, and apart from its branches. */
  readonly #sender: string;
  readonly #events: MailEvents;
  readonly #flying = new Set<string>();
  /** How many of them, by the agent that gets them. */
  readonly #flyingTo = new Map<string, number>();
  /** When each letter was first seen here, and when it may be tried again, ms. */
  readonly #tries = new Map<string, { sinceMs: number; notBeforeMs: number }>();
  /** When each timer is due, by this host's own clock. */
  readonly #dueMs = new Map<string, number>();
  /** Answers that are known and not yet taken out of the mailbox. */
  readonly #answers = new Map<string, Outcome<'task'>>();
  readonly #marks: LetterMarks;
  readonly #drops: LetterDrops;

  /** `sender`: see there. */
  constructor(context: Context, agent: string, sender: string, events: MailEvents) {
    this.#context = context;
    this.#agent = agent;
    this.#sender = sender;
    this.#events = events;
    this.#marks = new LetterMarks(sender);
    this.#drops = new LetterDrops(context, agent);
  }

  // ---- what a step does to the mailbox ----

  /**
   * The mailbox after a step: `over` is the task that ended with it, if one did, and `outputs` what that led to. A text
   * says why there cannot be that much under way.
   */
  after(sequence: number, over: string, outputs: AgentOutputs): Mailbox | string {
    const left = this.over(over);
    if (outputs.send.length === 0 && outputs.timers.length === 0) return left;
    const letters = [...left.letters];
    let timers = [...left.timers];
    for (const [i, setting] of outputs.timers.entries()) timers = this.#set(timers, setting, `${sequence}-${i}`);
    const unread: Sending[] = [];
    for (const [i, sending] of outputs.send.entries()) {
      const more = this.#lettersOf(sending, sequence, i);
      if (more.length === 0) unread.push(sending);
      letters.push(...more);
    }
    const after = letters.length === 0 && timers.length === 0 ? emptyMailbox : { letters, timers };
    const why = whyTooMuch(after, encodeMailbox(after).byteLength);
    if (why !== undefined) return why;
    for (const { to } of unread) this.#drops.tell({ to, ...none });
    return after;
  }

  /** What is under way after a step, by a task that is over; a text says what is wrong with what it gave. */
  afterTask(sequence: number, task: string, outputs: Uint8Array | undefined): Mailbox | string {
    const read = outputs === undefined ? noOutputs : readOutputs(outputs);
    return typeof read === 'string' ? read : this.after(sequence, task, read);
  }

  /** The mailbox after a step in which a task ended, or none, and that led to nothing else. */
  over(task: string): Mailbox {
    const before = this.#events.mailbox();
    if (isEmpty(before)) return before;
    const letters = before.letters.filter((letter) => !this.#isSettledBy(letter, task));
    const isFired = before.timers.some(({ id }) => id === task);
    const timers = isFired
      ? before.timers.flatMap((timer) => (timer.id === task ? this.#nextOf(timer) : [timer]))
      : before.timers;
    if (!isFired && letters.length === before.letters.length) return before;
    return letters.length === 0 && timers.length === 0 ? emptyMailbox : { letters, timers };
  }

  /** One whose answer nobody wants is settled by any step; else by the step of the task that brought the answer. */
  #isSettledBy({ id, reply }: Letter, over: string): boolean {
    return reply === undefined ? this.#answers.has(id) : over === replyIdOf(id);
  }

  #nextOf(timer: Timer): Timer[] {
    const { everyMs, atMs, id } = timer;
    if (everyMs === undefined) return [];
    // Those that were missed are left out: an agent that was away does not get them all at once.
    const times = Math.max(1, Math.ceil((this.#context.wallMs - atMs) / everyMs));
    const [, base = id, count = '0'] = /^(.*-\d+-\d+)(?:\.(\d+))?$/.exec(id) ?? [];
    return [{ ...timer, atMs: atMs + times * everyMs, withinMs: everyMs, id: `${base}.${Number(count) + 1}` }];
  }

  #set(timers: Timer[], setting: TimerSetting, place: string): Timer[] {
    const others = timers.filter(({ name }) => name !== setting.name);
    if ('cancel' in setting) return others;
    const { name, afterMs, atMs = Math.round(this.#context.wallMs + (afterMs ?? 0)), everyMs, task } = setting;
    const bounds = { ...(afterMs !== undefined && { withinMs: afterMs }), ...(everyMs !== undefined && { everyMs }) };
    return [...others, { name, id: `~t:${this.#sender}-${place}`, atMs, ...bounds, task }];
  }

  #lettersOf(
    { to, task, priority = taskPriorityDefault, key, reply }: Sending,
    sequence: number,
    place: number,
  ): Letter[] {
    const found = this.#events.resolve(to);
    // To nobody is answered, too.
    const targets = found.length === 0 && reply !== undefined ? [''] : found;
    return targets.map((target, i) => ({
      ...{ id: letterId(this.#sender, sequence, place, i), sequence, to: target, task, priority },
      ...{ key: key ?? this.#agent, ...(reply !== undefined && { reply }) },
    }));
  }

  /** A timer that was taken back, or set anew, may have a task in the queue already. */
  isWanted(task: string): boolean {
    return !isTimerTask(task) || this.#events.mailbox().timers.some(({ id }) => id === task);
  }

  // ---- on the way ----

  /** Sends what is durable and not on its way, and fires what is due. */
  pump(durableSequence: number): void {
    const { letters, timers } = this.#events.mailbox();
    if (letters.length > 0) this.#marks.look(letters, this.#events.sequence(), durableSequence);
    // Of one key to one agent only the first without an answer is on its way: none overtakes another.
    const lanes = new Set<string>();
    for (const letter of letters) {
      const lane = `${letter.to} ${letter.key}`;
      const isFirst = !lanes.has(lane) || this.#answers.has(letter.id);
      if (letter.sequence <= durableSequence && !this.#flying.has(letter.id) && isFirst) this.#take(letter);
      if (!this.#answers.has(letter.id)) lanes.add(lane);
    }
    for (const timer of timers) if (this.#isDue(timer)) this.#give(timer.id, timer.task);
    if (letters.some(({ id, reply }) => reply === undefined && this.#answers.has(id))) this.#events.settle();
    this.#forget(letters, timers);
  }

  #take(letter: Letter): void {
    const { id, to, reply } = letter;
    const { nowMs } = this.#context;
    const answer = this.#answers.get(id);
    if (answer !== undefined) {
      if (reply !== undefined) this.#give(replyIdOf(id), { reply, ...replyOf(answer) });
      return;
    }
    let tries = this.#tries.get(id);
    if (tries === undefined) this.#tries.set(id, (tries = { sinceMs: nowMs, notBeforeMs: nowMs }));
    if (to === '') this.#answers.set(id, { ok: false, error: none });
    else if (nowMs >= tries.notBeforeMs && this.#mayFly(to)) this.#ask(letter, tries);
  }

  #mayFly(to: string): boolean {
    return this.#flying.size < flyingMax && (this.#flyingTo.get(to) ?? 0) < flyingToMax;
  }

  #count(to: string, change: number): void {
    const count = (this.#flyingTo.get(to) ?? 0) + change;
    if (count > 0) this.#flyingTo.set(to, count);
    else this.#flyingTo.delete(to);
  }

  #ask(letter: Letter, tries: { sinceMs: number; notBeforeMs: number }): void {
    const { id, to: agent, task, priority, key } = letter;
    const settledBelow = this.#marks.below(letter);
    this.#flying.add(id);
    this.#count(agent, 1);
    const payload = toBytes(JSON.stringify(task));
    const asked = { agent, task: id, payload, ttlMs: askTtlMs, priority, key, settledBelow };
    this.#events.ask({ type: 'task', ...asked }, (outcome) => {
      if (!this.#flying.delete(id)) return;
      this.#count(agent, -1);
      const { nowMs, settings } = this.#context;
      const isLate = nowMs - tries.sinceMs >= limits.taskTtlMsMax;
      if (outcome.ok || final.has(outcome.error.code) || isLate) this.#end(letter, outcome);
      else tries.notBeforeMs = nowMs + settings.retryIntervalMs;
    });
  }

  /** Of one whose answer nobody wants, nobody else hears that it came to nothing. */
  #end({ id, to, reply }: Letter, outcome: Outcome<'task'>): void {
    this.#answers.set(id, outcome);
    // It was done; what came of it is not known any more.
    if (outcome.ok || reply !== undefined || outcome.error.code === 'resultDropped') return;
    this.#drops.tell({ task: id, to, ...outcome.error });
  }

  /** A task for the agent itself; the queue knows it if it is there already. */
  #give(task: string, content: unknown): void {
    const { self, nowMs } = this.#context;
    const base = { task, payload: toBytes(JSON.stringify(content)), origin: self, priority: taskPriorityDefault };
    this.#events.submit({
      ...base,
      ...{ deadlineMs: nowMs + limits.taskTtlMsMax, key: '', retry: '', progress: false },
    });
  }

  /** One that was set to a time of day goes by the wall clock; the rest by this host's own, which nobody sets. */
  #isDue({ id, atMs, withinMs }: Timer): boolean {
    const { nowMs, wallMs } = this.#context;
    if (withinMs === undefined) return atMs <= wallMs;
    let dueMs = this.#dueMs.get(id);
    if (dueMs === undefined) {
      dueMs = nowMs + Math.min(withinMs, Math.max(0, atMs - wallMs));
      this.#dueMs.set(id, dueMs);
    }
    return dueMs <= nowMs;
  }

  #forget(letters: readonly Letter[], timers: readonly Timer[]): void {
    if (this.#dueMs.size > timers.length) {
      const set = new Set(timers.map(({ id }) => id));
      for (const id of this.#dueMs.keys()) if (!set.has(id)) this.#dueMs.delete(id);
    }
    if (this.#tries.size <= letters.length && this.#answers.size <= letters.length) return;
    const there = new Set(letters.map(({ id }) => id));
    for (const id of this.#tries.keys()) if (!there.has(id)) this.#tries.delete(id);
    for (const id of this.#answers.keys()) if (!there.has(id)) this.#answers.delete(id);
  }

  /** Nothing is under way any more, or for this host not any more: no answer is waited for. */
  clear(): void {
    this.#marks.clear();
    for (const kept of [this.#flying, this.#flyingTo, this.#tries, this.#dueMs, this.#answers])
      if (kept.size > 0) kept.clear();
  }
}

function replyOf(outcome: Outcome<'task'>): object {
  if (!outcome.ok) return { ok: false, error: { code: outcome.error.code, message: outcome.error.message } };
  try {
    const result = JSON.parse(fromBytes(outcome.result.value)) as unknown;
    const why = whyNotJson(result, Object.prototype);
    if (why !== undefined) return { ok: false, error: { code: 'internal', message: `Its result${why}. It was done.` } };
    return { ok: true, result };
  } catch {
    return { ok: false, error: { code: 'internal', message: 'Its result is not JSON. It was done.' } };
  }
}
