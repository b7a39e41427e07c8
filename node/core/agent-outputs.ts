import { idPattern } from './operation-check.ts';
import { whyNotJson } from './plain-json.ts';
import { limits } from './settings.ts';
import { fromBytes } from './text.ts';

/** Whom an agent sends a task to. */
export type Address =
  /** An agent by its name. */
  | string
  /** One agent of a type: always the same one for a key, else one on a node with little to do. */
  | { type: string; key?: string }
  /** All agents that were deployed with that topic. */
  | { topic: string };

/** A task for another agent, as the code of an agent gives it. */
export interface Sending {
  to: Address;
  task: unknown;
  priority?: number;
  /** Tasks of one key of one sender are done in order; the sender's name when omitted. */
  key?: string;
  /** Anything but undefined: the answer is wanted, as a task `{ reply, ok, result }` or `{ reply, ok, error }`. */
  reply?: unknown;
}

/** A task for the agent itself at another time. One of the same name that is there makes way. */
export type TimerSetting =
  | { name: string; cancel: true }
  | { name: string; afterMs?: number; atMs?: number; everyMs?: number; task: unknown };

/** What a task leads to beside the agent's new state. */
export interface AgentOutputs {
  send: Sending[];
  timers: TimerSetting[];
}

export const noOutputs: AgentOutputs = { send: [], timers: [] };

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isId = (value: unknown): boolean => typeof value === 'string' && idPattern.test(value);
const isMs = (value: unknown, min: number): boolean => Number.isSafeInteger(value) && Number(value) >= min;
const maybe = (value: unknown, check: (value: unknown) => boolean): boolean => value === undefined || check(value);

/** Reads what an agent's code gave. It comes from outside: a text says what is wrong with it. */
export function readOutputs(bytes: Uint8Array): AgentOutputs | string {
  let given: unknown;
  try {
    given = JSON.parse(fromBytes(bytes));
  } catch {
    return 'send and timers are not JSON';
  }
  if (!isObject(given)) return 'send and timers are not in an object';
  const { send = [], timers = [] } = given;
  if (!Array.isArray(send)) return 'send is not a list';
  if (!Array.isArray(timers)) return 'timers is not a list';
  const nested = whyNotJson(given, Object.prototype);
  if (nested !== undefined) return `send and timers are not plain JSON: ${nested}`;
  const wrong = firstOf(send, 'send', whatIsWrongWithSending) ?? firstOf(timers, 'timers', whatIsWrongWithTimer);
  return wrong ?? { send: send as Sending[], timers: timers as TimerSetting[] };
}

function firstOf(list: unknown[], name: string, check: (value: unknown) => string | undefined): string | undefined {
  for (const [i, value] of list.entries()) {
    const wrong = check(value);
    if (wrong !== undefined) return `${name}[${i}]: ${wrong}`;
  }
  return undefined;
}

function whatIsWrongWithSending(value: unknown): string | undefined {
  if (!isObject(value)) return 'it is not an object';
  const { to, task, priority, key } = value;
  const isType = isObject(to) && isId(to['type']) && maybe(to['key'], (k) => typeof k === 'string');
  const isTopic = isObject(to) && isId(to['topic']) && to['type'] === undefined;
  if (!isId(to) && !isType && !isTopic) return '"to" is neither a name, nor { type, key }, nor { topic }';
  if (task === undefined) return 'it has no "task"';
  if (!maybe(priority, (p) => isMs(p, 0) && Number(p) <= limits.taskPriorityMax)) {
    return `"priority" is not 0 to ${limits.taskPriorityMax}`;
  }
  return maybe(key, isId) ? undefined : '"key" is not a name';
}

function whatIsWrongWithTimer(value: unknown): string | undefined {
  if (!isObject(value)) return 'it is not an object';
  const { name, cancel, afterMs, atMs, everyMs, task } = value;
  if (!isId(name)) return '"name" is not a name';
  if (cancel === true) return undefined;
  if (task === undefined) return 'it has no "task"';
  if ((afterMs === undefined) === (atMs === undefined)) return 'it needs either "afterMs" or "atMs"';
  if (!maybe(afterMs, (ms) => isMs(ms, 0)) || !maybe(atMs, (ms) => isMs(ms, 0))) return 'its time is not whole ms';
  const isOften = (ms: unknown): boolean => isMs(ms, limits.timerEveryMsMin);
  return maybe(everyMs, isOften) ? undefined : `"everyMs" is not ${limits.timerEveryMsMin} ms or more`;
}
