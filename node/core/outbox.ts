import type { Effect, Report, Write } from './effect.ts';
import type { Message, NodeId, Topic } from './message.ts';
import type { Outcome } from './operation.ts';

/** Collects the effects of one `handle`, in order, and remembers what is to be done once a batch is durable. */
export class Outbox {
  /** The cluster this node belongs to; empty before it does. Stamped on what is sent from here on. */
  cluster = '';
  #effects: Effect[] = [];
  #persistId = 0;
  readonly #onDurable = new Map<number, () => void>();

  /** Queues one atomic batch; everything pushed later waits for it, except what is urgent. */
  persist(writes: Write[], onDurable?: () => void): void {
    const id = ++this.#persistId;
    if (onDurable !== undefined) this.#onDurable.set(id, onDurable);
    this.#effects.push({ type: 'persist', id, writes });
  }

  /** The host reports batch `id` durable; so are all before it. */
  persisted(id: number): void {
    for (const [pending, onDurable] of this.#onDurable) {
      if (pending > id) break;
      this.#onDurable.delete(pending);
      onDurable();
    }
  }

  /** Sends behind all persists so far: what the message promises is on disk when it leaves. */
  send(to: NodeId, message: Message): void {
    this.#effects.push({ type: 'send', to, message, urgent: false, cluster: this.cluster });
  }

  /** Sends at once: the message promises nothing that a disk must back. */
  sendUrgent(to: NodeId, message: Message): void {
    this.#effects.push({ type: 'send', to, message, urgent: true, cluster: this.cluster });
  }

  publish(topic: Topic, message: Message): void {
    this.#effects.push({ type: 'publish', topic, message, cluster: this.cluster });
  }

  reply(request: string, outcome: Outcome, urgent = false): void {
    this.#effects.push({ type: 'reply', request, outcome, urgent });
  }

  report(report: Report): void {
    this.#effects.push({ type: 'report', report });
  }

  push(effect: Effect): void {
    this.#effects.push(effect);
  }

  take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
