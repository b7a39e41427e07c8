import type { ErrorCode } from '../../node/core/errors.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Outcome, Results } from '../../node/core/operation.ts';
import { fromBytes, toBytes, toJson } from '../../node/core/text.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import type { AcknowledgedCommands } from './acknowledged-commands.ts';
import type { LogCommand } from './machine.ts';
import { doors } from './node.ts';

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
  /** How often a client reads before its next command. */
  readChance: number;
  /** Clients that only read, at the same node as long as that answers. */
  readers: number;
}

export const defaultClients: ClientSettings = {
  clients: 4,
  thinkMsMin: 10,
  thinkMsMax: 70,
  retryMsMin: 10,
  retryMsMax: 100,
  patienceMs: 2_000,
  readChance: 0.4,
  readers: 2,
};

interface Client {
  name: string;
  isReader: boolean;
  random: Random;
  /** Commands of which it knows what became. */
  done: number;
  /** Commands that it began. */
  begun: number;
  /** In which its commands are numbered; none yet, or the last one has expired. */
  session: string | undefined;
  serial: number;
  /** Tries of the present command. */
  tries: number;
  /** The node that it believes to lead. */
  leader: NodeId | undefined;
}

/** What is asked of the cluster; `end` with an answer, or without one when it has to be asked anew in another way. */
interface Question {
  door: string;
  payload(attempt: number): Uint8Array;
  told(outcome: Outcome, node: NodeId, attempt: number): void;
  end(value: number | undefined): void;
}

/**
 * Clients that put one command after the other into the log, and read now and then. Each command is sent again, in its
 * session and under its number, until one try of it is acknowledged.
 */
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
    const { clients, readers } = this.#settings;
    this.#clients = Array.from({ length: clients + readers }, (_, i) => {
      const isReader = i >= clients;
      const name = isReader ? `reader-${i + 1 - clients}` : `client-${i + 1}`;
      return {
        name,
        isReader,
        random: random.fork(name),
        done: 0,
        begun: 0,
        session: undefined,
        serial: 0,
        tries: 0,
        leader: undefined,
      };
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
    if (client.isReader) this.#read(client);
    else if (client.session === undefined) this.#open(client);
    else if (client.random.chance(this.#settings.readChance)) this.#read(client);
    else this.#put(client, client.session);
  }

  /** Begins a session. Asked for twice there are two of them, which harms nobody. */
  #open(client: Client): void {
    const command: LogCommand = { do: 'open', client: client.name };
    this.#ask(client, {
      door: doors.log,
      payload: () => toBytes(toJson(command)),
      told: () => {},
      end: (value) => {
        client.session = String(value);
        client.serial = 0;
      },
    });
  }

  #put(client: Client, session: string): void {
    client.begun += 1;
    client.serial += 1;
    const text = `${client.name}/${client.begun}`;
    const { serial } = client;
    this.#ask(client, {
      door: doors.log,
      payload: (attempt) => {
        this.#commands.tried(text, attempt);
        // One at a time: of all before it the client knows the outcome.
        const command: LogCommand = { do: 'put', session, serial, lowest: serial, text, attempt };
        return toBytes(toJson(command));
      },
      // Of a node that it gave up on, a client believes what it is told all the same.
      told: (outcome, _node, attempt) => this.#note(text, attempt, outcome),
      end: (value) => {
        if (value === undefined) client.session = undefined;
      },
    });
  }

  #read(client: Client): void {
    const known: number[] = [];
    this.#ask(client, {
      door: doors.read,
      payload: (attempt) => {
        known[attempt] = this.#commands.knownIndex;
        return toBytes('');
      },
      told: (outcome, node, attempt) => {
        if (outcome.ok) this.#commands.read(node, known[attempt] ?? 0, valueOf(outcome));
      },
      end: () => {},
    });
  }

  #ask(client: Client, question: Question): void {
    client.tries = 0;
    this.#attempt(client, question);
  }

  #attempt(client: Client, question: Question): void {
    const node = client.leader ?? client.random.pick(this.#world.nodes);
    client.tries += 1;
    const attempt = client.tries;
    const { patienceMs } = this.#settings;
    const payload = question.payload(attempt);
    const task = `${client.name}/${attempt}`;
    let over = false;
    const operation = { type: 'task', agent: question.door, task, payload, ttlMs: patienceMs } as const;
    this.#world.request(node, operation, ({ outcome }) => {
      if (outcome !== undefined) question.told(outcome, node, attempt);
      if (over) return;
      over = true;
      this.#onOutcome(client, question, node, outcome);
    });
    this.#world.timeline.after(patienceMs, () => {
      if (over) return;
      over = true;
      this.#again(client, question, undefined);
    });
  }

  #note(text: string, attempt: number, outcome: Outcome): void {
    if (outcome.ok) this.#commands.acknowledged(text, valueOf(outcome));
    else if (refusals.has(outcome.error.code)) this.#commands.refused(text, attempt);
  }

  #onOutcome(client: Client, question: Question, node: NodeId, outcome: Outcome | undefined): void {
    const isExpired = outcome?.ok === false && outcome.error.code === 'commandInvalid';
    if (outcome?.ok !== true && !isExpired) {
      const hint = outcome?.error.details['leader'];
      return this.#again(client, question, typeof hint === 'string' && hint !== '' ? hint : undefined);
    }
    client.leader = node;
    client.done += 1;
    this.#busy -= 1;
    question.end(outcome.ok ? valueOf(outcome) : undefined);
    const { thinkMsMin, thinkMsMax } = this.#settings;
    this.#world.timeline.after(client.random.between(thinkMsMin, thinkMsMax), () => this.#next(client));
  }

  #again(client: Client, question: Question, leader: NodeId | undefined): void {
    client.leader = leader;
    const { retryMsMin, retryMsMax } = this.#settings;
    this.#world.timeline.after(client.random.between(retryMsMin, retryMsMax), () => this.#attempt(client, question));
  }
}

/** Of these the try did not get into the log. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['notLeader', 'backlogFull']);

function valueOf(outcome: Outcome & { ok: true }): number {
  return Number(fromBytes((outcome.result as Results['task']).value));
}
