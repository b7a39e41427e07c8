import { decodeMerge } from '../core/merge-payload.ts';
import type { Versions } from '../core/version-change.ts';
import type { AgentContext } from './agent.ts';
import { asLinePart, jsonBytes, parseLine } from './json-line.ts';

/** JSON-RPC 2.0, one message per line: the node asks, the agent answers. docs/agents.md describes it for authors. */
export const protocolVersion = 1;

/** How an agent gives its state: as a JSON value, or as base64 of bytes of its own. */
export type StateForm = 'json' | 'base64';

export type Answer = { kind: 'answer'; id: number } & ({ ok: true; result: unknown } | { ok: false; message: string });

/** What a task tells before it is done. `value`: none when it cannot be kept. */
export interface Progress {
  kind: 'progress';
  task: string;
  value: Uint8Array | undefined;
}

const messageLengthMax = 2_000;

const request = (id: number, method: string, params: string): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}`;

export const describeLine = (id: number): string => request(id, 'describe', `{"protocol":${protocolVersion}}`);
export const pingLine = (id: number): string => request(id, 'ping', '{}');

/** `state`: as the form has it, for `init` none. Throws `SyntaxError` when it is not of that form. */
export function startLine(id: number, context: AgentContext, form: StateForm, state: Uint8Array | undefined): string {
  const about = JSON.stringify(context);
  if (state === undefined) return request(id, 'init', `{"context":${about}}`);
  return request(id, 'restore', `{"context":${about},"state":${stateIn(form, state)}}`);
}

/** A state that another version of the program wrote: to be taken over, or given back to an older one. Throws as `startLine`. */
export function changeLine(
  id: number,
  method: 'migrate' | 'rollback',
  context: AgentContext,
  form: StateForm,
  state: Uint8Array,
  { from, to }: Versions,
): string {
  const about = JSON.stringify(context);
  return request(id, method, `{"context":${about},"state":${stateIn(form, state)},"from":${from},"to":${to}}`);
}

/** Throws `SyntaxError` when the task is not JSON. */
export const handleLine = (id: number, task: string, epoch: number, payload: Uint8Array): string =>
  request(id, 'handle', `{"id":${JSON.stringify(task)},"epoch":${epoch},"task":${asLinePart(payload)}}`);

/** Takes in a branch. Throws `SyntaxError` when a state of it is not of that form. */
export function mergeLine(id: number, task: string, epoch: number, form: StateForm, payload: Uint8Array): string {
  const { branch, both, base, theirs } = decodeMerge(payload);
  const states = `"base":${stateIn(form, base)},"theirs":${stateIn(form, theirs)}`;
  const named = `"id":${JSON.stringify(task)},"epoch":${epoch},"branch":${JSON.stringify(branch)},"both":${JSON.stringify(both)}`;
  return request(id, 'merge', `{${named},${states}}`);
}

/** A notification: there is no answer to it but the task's own. */
export const cancelLine = (task: string): string =>
  `{"jsonrpc":"2.0","method":"cancel","params":{"task":${JSON.stringify(task)}}}`;

function stateIn(form: StateForm, state: Uint8Array): string {
  return form === 'json' ? asLinePart(state) : `"${Buffer.from(state).toString('base64')}"`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What an agent's line says; undefined when it is neither an answer nor a notification of the protocol. */
export function readSaid(line: string): Answer | Progress | undefined {
  let said: unknown;
  try {
    said = parseLine(line);
  } catch {
    return undefined;
  }
  if (!isObject(said) || said['jsonrpc'] !== '2.0') return undefined;
  if ('method' in said) return readProgress(said);
  const { id, result, error } = said;
  if (typeof id !== 'number' || 'result' in said === 'error' in said) return undefined;
  if (!('error' in said)) return { kind: 'answer', id, ok: true, result };
  if (!isObject(error) || typeof error['message'] !== 'string') return undefined;
  return { kind: 'answer', id, ok: false, message: error['message'].slice(0, messageLengthMax) };
}

function readProgress(said: Record<string, unknown>): Progress | undefined {
  const { method, params } = said;
  if (method !== 'progress' || 'id' in said || 'result' in said || 'error' in said) return undefined;
  if (!isObject(params) || typeof params['task'] !== 'string' || !('value' in params)) return undefined;
  const { task, value } = params as { task: string; value: unknown };
  try {
    return { kind: 'progress', task, value: jsonBytes(value) };
  } catch {
    return { kind: 'progress', task, value: undefined };
  }
}

/** How a program describes itself. */
export interface Description {
  form: StateForm;
  /** It can take in branches. */
  merge: boolean;
  /** It takes over what an older version wrote. */
  migrate: boolean;
  /** It gives an older version what that would have kept. */
  rollback: boolean;
  /** It takes the epoch that comes with each task for its own. */
  epochs: boolean;
}

/** What an answer to `describe` says; undefined when it is nothing that this node knows. */
export function readDescription(result: unknown): Description | undefined {
  if (!isObject(result) || result['protocol'] !== protocolVersion) return undefined;
  const { state, merge, migrate, rollback, epochs } = result;
  if (state !== 'json' && state !== 'base64') return undefined;
  const takesOver = { migrate: migrate === true, rollback: rollback === true };
  return { form: state, merge: merge === true, ...takesOver, epochs: epochs === true };
}

/** The state in an answer, as bytes to keep; undefined when there is none of that form. */
export function readState(form: StateForm, result: unknown): Uint8Array | undefined {
  if (!isObject(result) || !('state' in result)) return undefined;
  const { state } = result;
  if (form === 'json') return jsonBytes(state);
  if (typeof state !== 'string') return undefined;
  const bytes = Buffer.from(state, 'base64');
  return bytes.toString('base64') === state ? new Uint8Array(bytes) : undefined;
}

/** The result in an answer to `handle`; null when the agent gave none. */
export function readResult(result: unknown): Uint8Array {
  return jsonBytes((isObject(result) ? result['result'] : undefined) ?? null);
}

/** What an answer to `handle` sends and the timers that it sets, unchecked; undefined where there is neither. */
export function readOutputs(result: unknown): Uint8Array | undefined {
  if (!isObject(result) || (result['send'] === undefined && result['timers'] === undefined)) return undefined;
  const { send, timers } = result;
  return jsonBytes({ ...(send !== undefined && { send }), ...(timers !== undefined && { timers }) });
}
