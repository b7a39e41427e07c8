import { agentOfKey } from '../../node/core/branch.ts';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Operation } from '../../node/core/operation.ts';
import { decodeOperation } from '../../node/core/operation-codec.ts';
import { type Checker, Violation } from './checker.ts';

/** Rounding of times that travel as whole ms. */
const slackMs = 2;

/** No task begins on a host after the time that it was given there: by that node's clock, from when it was told. */
export class TaskInTime implements Checker {
  readonly name = 'anytime-task-in-time';
  readonly #clockMs: (node: NodeId) => number;
  readonly #deadlineMs = new Map<string, number>();
  /** By node: agents that it has started since it started itself. What they give agents beside them no frame tells of. */
  readonly #hosted = new Map<NodeId, Set<string>>();

  constructor(clockMs: (node: NodeId) => number) {
    this.#clockMs = clockMs;
  }

  started(node: NodeId): void {
    this.#hosted.delete(node);
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type !== 'startAgent') return;
    const hosted = this.#hosted.get(node) ?? new Set();
    this.#hosted.set(node, hosted.add(effect.agent.replace('~', ':')));
  }

  happened(node: NodeId, event: Event): void {
    if (event.type === 'request') this.#asked(node, event.operation);
    if (event.type !== 'message') return;
    const { message } = event;
    if (message.type === 'taskAsk') this.#asked(node, { type: 'task', ...message.body });
    if (message.type === 'forward') this.#asked(node, decodeOperation(message.body.operation));
  }

  #asked(node: NodeId, operation: Operation): void {
    if (operation.type !== 'task') return;
    const key = `${node} ${operation.agent} ${operation.task}`;
    const deadlineMs = this.#clockMs(node) + operation.ttlMs + slackMs;
    this.#deadlineMs.set(key, Math.max(deadlineMs, this.#deadlineMs.get(key) ?? 0));
  }

  began(node: NodeId, agent: string, task: string): void {
    const deadlineMs = this.#deadlineMs.get(`${node} ${agentOfKey(agent)} ${task}`);
    const nowMs = this.#clockMs(node);
    // What agents give each other, and themselves, nobody else asked for: it has no deadline but the node's own.
    if (deadlineMs === undefined && task.startsWith('~')) return;
    if (deadlineMs === undefined) {
      throw new Violation(this.name, `${node} ran ${task} of ${agent}, which nobody asked of it`);
    }
    if (nowMs > deadlineMs) {
      const [, sender = ''] = /^~[a-z]:(.+):[\d.]+-/.exec(task) ?? [];
      if (this.#hosted.get(node)?.has(sender)) return;
      const late = (nowMs - deadlineMs).toFixed(0);
      throw new Violation(this.name, `${node} began ${task} of ${agent} ${late} ms after its deadline`);
    }
  }
}
