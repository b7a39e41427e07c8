import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One write that an agent asked for, in the order in which the ledger took or refused it. */
export interface Effect {
  agent: string;
  epoch: number;
  task: string;
  /** Refused: a newer epoch of the agent wrote before. */
  accepted: boolean;
  /** The task was written before: it is not done again. */
  repeated: boolean;
}

const gateOf = (agent: string, epoch: number): string => `${agent}@${epoch}`;
const bodyBytesMax = 4_096;

/**
 * A system outside of the cluster, to which agents write with their epoch as a fencing token: it refuses a token that is
 * older than one it saw of the same agent, and does a task once. It records everything that it was asked for.
 */
export class OutsideLedger {
  readonly effects: Effect[] = [];
  /** By agent. */
  readonly #newest = new Map<string, number>();
  readonly #done = new Set<string>();
  readonly #waiting = new Map<string, ServerResponse[]>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.writeHead(400).end());
    });
  }

  /** On every address of this machine: nodes in containers reach it by their gateway. */
  static async open(): Promise<OutsideLedger> {
    const ledger = new OutsideLedger();
    await new Promise<void>((resolve) => ledger.#server.listen(0, resolve));
    return ledger;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Epochs in which an agent stands before the gate, in order. */
  waiting(agent: string): number[] {
    const epochs = [...this.#waiting.keys()].map((gate) => gate.split('@'));
    return epochs.filter(([name]) => name === agent).map(([, epoch]) => Number(epoch));
  }

  /** Lets the agent's instance of that epoch go on. */
  open(agent: string, epoch: number): void {
    const gate = gateOf(agent, epoch);
    for (const response of this.#waiting.get(gate) ?? []) response.writeHead(200).end();
    this.#waiting.delete(gate);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) {
      text += String(part);
      if (text.length > bodyBytesMax) throw new RangeError('too long');
    }
    const { agent, epoch, task } = JSON.parse(text) as Effect;
    if (typeof agent !== 'string' || !Number.isSafeInteger(epoch) || typeof task !== 'string')
      throw new TypeError(text);
    if (request.url === '/gate') {
      const gate = gateOf(agent, epoch);
      this.#waiting.set(gate, [...(this.#waiting.get(gate) ?? []), response]);
      return;
    }
    const accepted = this.#write(agent, epoch, task);
    response.writeHead(accepted ? 200 : 409).end();
  }

  #write(agent: string, epoch: number, task: string): boolean {
    const accepted = epoch >= (this.#newest.get(agent) ?? 0);
    const name = `${agent}/${task}`;
    this.effects.push({ agent, epoch, task, accepted, repeated: this.#done.has(name) });
    if (!accepted) return false;
    this.#newest.set(agent, epoch);
    this.#done.add(name);
    return true;
  }
}

/**
 * What is wrong with a ledger's records, from the records alone: an older epoch accepted after a newer one, one refused that
 * was not older, a task done twice, and acknowledged tasks (`agent/task`) without an accepted effect.
 */
export function problemsOf(effects: readonly Effect[], acknowledged: Iterable<string>): string[] {
  const found: string[] = [];
  const newest = new Map<string, number>();
  const done = new Set<string>();
  for (const { agent, epoch, task, accepted, repeated } of effects) {
    const before = newest.get(agent) ?? 0;
    if (accepted && epoch < before) found.push(`${agent}: epoch ${epoch} was accepted after ${before}`);
    if (!accepted && epoch >= before) found.push(`${agent}: epoch ${epoch} was refused after ${before}`);
    if (!accepted) continue;
    const name = `${agent}/${task}`;
    if (!repeated && done.has(name)) found.push(`${name} was done twice`);
    newest.set(agent, Math.max(before, epoch));
    done.add(name);
  }
  for (const name of acknowledged) if (!done.has(name)) found.push(`${name} was acknowledged without an effect`);
  return found;
}
