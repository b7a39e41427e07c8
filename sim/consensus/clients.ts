import type { NodeId } from '../../node/core/message.ts';
import type { Outcome, Results } from '../../node/core/operation.ts';
import { fromBytes, toBytes } from '../../node/core/text.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import type { AcknowledgedCommands } from './acknowledged-commands.ts';

export interface ClientSettings {
  clients: number;
  /** Between the answer to one command and the next one. */
  thinkMsMin: number;
  thinkMsMax: number;
  /** Before a command is sent again, elsewhere. */
  retryMsMin: number;
  retryMsMax: number;
  /** A client gives up on a node that says nothing for this long. */
  patienceMs: number;
}

export const defaultClients: ClientSettings = {
  clients: 4,
  thinkMsMin: 10,
  thinkMsMax: 70,
  retryMsMin: 10,
  retryMsMax: 100,
  patienceMs: 2_000,
};

interface Client {
  name: string;
  random: Random;
  /** Commands that were acknowledged. */
  done: number;
  /** Tries of the present command. */
  tries: number;
  /** The node that it believes to lead. */
  leader: NodeId | undefined;
}

/** Clients that put one command after the other into the log, each until one try of it is acknowledged. */
export class Clients {
  readonly #world: World;
  readonly #commands: AcknowledgedCommands;
  readonly #settings: ClientSettings;
  readonly #clients: readonly Client[];
  #stopping = false;
  /** Clients that have a command under way. */
  #busy = 0;

  constructor(world: World, commands: AcknowledgedCommands, settings: Partial<ClientSettings> = {}) {
    this.#world = world;
    this.#commands = commands;
    this.#settings = { ...defaultClients, ...settings };
    const random = world.random.fork('clients');
    this.#clients = Array.from({ length: this.#settings.clients }, (_, i) => {
      const name = `client-${i + 1}`;
      return { name, random: random.fork(name), done: 0, tries: 0, leader: undefined };
    });
  }

  /** How many commands each client has seen acknowledged. */
  get done(): number[] {
    return this.#clients.map(({ done }) => done);
  }

  /** Every command that was begun is acknowledged. */
  get drained(): boolean {
    return this.#busy === 0;
  }

  begin(): void {
    for (const client of this.#clients) {
      this.#world.timeline.after(client.random.between(0, this.#settings.thinkMsMax), () => this.#next(client));
    }
  }

  /** Begins nothing new; what was begun is still tried until it is acknowledged. */
  stop(): void {
    this.#stopping = true;
  }

  #next(client: Client): void {
    if (this.#stopping) return;
    this.#busy += 1;
    client.tries = 0;
    this.#attempt(client);
  }

  /** Each try is a command of its own: consensus alone cannot tell a second one from the first. */
  #attempt(client: Client): void {
    const node = client.leader ?? client.random.pick(this.#world.nodes);
    client.tries += 1;
    const text = `${client.name}/${client.done + 1}/${client.tries}`;
    this.#commands.tried(text);
    const { patienceMs } = this.#settings;
    let over = false;
    const operation = { type: 'task', agent: 'log', task: text, payload: toBytes(text), ttlMs: patienceMs } as const;
    this.#world.request(node, operation, ({ outcome }) => {
      // Of a node that it gave up on, a client believes what it is told all the same.
      if (outcome !== undefined) this.#note(text, outcome);
      if (over) return;
      over = true;
      this.#onOutcome(client, node, outcome);
    });
    this.#world.timeline.after(patienceMs, () => {
      if (over) return;
      over = true;
      this.#again(client, undefined);
    });
  }

  #note(text: string, outcome: Outcome): void {
    if (outcome.ok) this.#commands.acknowledged(text, Number(fromBytes((outcome.result as Results['task']).value)));
    else if (outcome.error.code !== 'leaderUnknown') this.#commands.refused(text);
  }

  #onOutcome(client: Client, node: NodeId, outcome: Outcome | undefined): void {
    if (outcome?.ok !== true) {
      const hint = outcome?.error.details['leader'];
      return this.#again(client, typeof hint === 'string' && hint !== '' ? hint : undefined);
    }
    client.leader = node;
    client.done += 1;
    this.#busy -= 1;
    const { thinkMsMin, thinkMsMax } = this.#settings;
    this.#world.timeline.after(client.random.between(thinkMsMin, thinkMsMax), () => this.#next(client));
  }

  #again(client: Client, leader: NodeId | undefined): void {
    client.leader = leader;
    const { retryMsMin, retryMsMax } = this.#settings;
    this.#world.timeline.after(client.random.between(retryMsMin, retryMsMax), () => this.#attempt(client));
  }
}
