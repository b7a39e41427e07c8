import type { NodeId } from '../node/core/message.ts';
import type { TaskOperation } from '../node/core/operation.ts';
import type { Random } from './random.ts';

export interface Client {
  name: string;
  random: Random;
}

/** What a task leads to, by the serials that are counted then. */
export interface Derived {
  /** Another agent is sent a task; `reply`: and its answer comes back as one. */
  send?: { to: string; serial: number; reply?: number };
  timer?: { afterMs: number; serial: number };
}

/** A task that a client keeps sending until it knows what became of it. */
export interface SentTask {
  client: Client;
  agent: string;
  serial: number;
  key: string;
  priority: number;
  /** Where the first try goes in; any node when undefined. */
  door: NodeId | undefined;
  /** How likely each try of it ends what runs it; 1: no try does not. */
  poison: number;
  isCancelled: boolean;
  /** It was set aside: from here on an operator asks for one more try each time. */
  isAside: boolean;
  tries: number;
  derived: Derived;
}

const encoder = new TextEncoder();

/** The next try of a task. */
export function operationOf(sent: SentTask, ttlMs: number): TaskOperation {
  const { agent, serial, key, priority, poison, isAside, tries, derived } = sent;
  const payload = encoder.encode(JSON.stringify({ serial, ...(poison > 0 && { poison }), ...derived }));
  const operation = { type: 'task' as const, agent, task: `task-${serial}`, payload, ttlMs, priority };
  return { ...operation, ...(key !== '' && { key }), ...(isAside && { retry: `wish-${tries}` }) };
}
