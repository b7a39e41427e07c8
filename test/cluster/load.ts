import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../sim/random.ts';
import { readTicks, type Tick } from '../examples/reference.ts';
import type { TaskLedger } from './task-ledger.ts';
import type { Testbed } from './testbed.ts';

const clientsPerAgent = 2;
const ttlMs = 2_500;
/** A node that stands still answers nothing: another one is asked then, and this one not for a while. */
const answerWithinMs = 3_000;
const avoidForMs = 2_000;
const giveUpAfterMs = 150_000;
const retryAfterMs = 30;
/** It came over a connection that the node had just given up; or there is no room now. */
const later = new Set([408, 429]);

function note(all: Map<string, number[]>, agent: string, ms: number): void {
  const own = all.get(agent);
  if (own === undefined) all.set(agent, [ms]);
  else own.push(ms);
}

export interface LoadOptions {
  testbed: Testbed;
  agents: readonly string[];
  /** Beside the tick, what tasks of an agent say. */
  moreOf: (agent: string) => object;
  /** Of all agents together, as far as they answer in time. */
  perSecond: number;
  ledger: TaskLedger;
  random: Random;
}

/** All monthly prices to every agent, and the daily ones dealt out among them: every row of both files. By symbol. */
function dealTicks(agents: readonly string[]): Map<string, Map<string, Tick[]>> {
  const ticks = readTicks();
  const stocks = ticks.filter(({ symbol }) => symbol !== 'SP500');
  const daily = ticks.filter(({ symbol }) => symbol === 'SP500');
  const dealt = (at: number): Tick[] => [...stocks, ...daily.filter((_, row) => row % agents.length === at)];
  return new Map(agents.map((agent, at) => [agent, Map.groupBy(dealt(at), ({ symbol }) => symbol)]));
}

/**
 * Clients that give ticks to agents through any node that answers, over and over the same rows, each task under one id until it
 * is acknowledged, the ticks of a symbol in order. Every agent has clients of its own: one that waits holds up no other.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #nextOf = new Map<string, number>();
  readonly #avoidUntilMs = new Map<string, number>();
  /** When each agent acknowledged a task, by the clock of `performance`. */
  readonly acknowledgedMs = new Map<string, number[]>();
  /** From the first try to the acknowledgement, by agent. */
  readonly latenciesMs = new Map<string, number[]>();
  /** By what was answered instead. */
  readonly retries = new Map<string, number>();
  #isOver = false;
  #failed: Error | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** No new tasks from here on; those that are under way are brought to their ends. */
  end(): void {
    this.#isOver = true;
  }

  /** Resolves after `end`, when every task was answered. Rejects when one was refused, answered wrongly, or never answered. */
  async run(): Promise<void> {
    const dealt = dealTicks(this.#options.agents);
    const clients = [...dealt].flatMap(([agent, bySymbol]) => {
      const symbols = [...bySymbol.keys()];
      return Array.from({ length: clientsPerAgent }, (_, client) =>
        this.#client(
          agent,
          symbols.filter((_symbol, at) => at % clientsPerAgent === client),
          bySymbol,
        ),
      );
    });
    await Promise.all(clients);
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #client(agent: string, symbols: readonly string[], rows: ReadonlyMap<string, Tick[]>): Promise<void> {
    const { agents, perSecond, random } = this.#options;
    const periodMs = (1_000 * agents.length * clientsPerAgent) / perSecond;
    let nextMs = performance.now() + random.between(0, periodMs);
    for (let turn = 0; ; turn++) {
      await delay(Math.max(0, nextMs - performance.now()));
      if (this.#isOver || this.#failed !== undefined) return;
      nextMs = Math.max(nextMs + periodMs, performance.now());
      const symbol = symbols[turn % symbols.length] ?? '';
      const own = rows.get(symbol) ?? [];
      const at = this.#nextOf.get(`${agent}/${symbol}`) ?? 0;
      this.#nextOf.set(`${agent}/${symbol}`, at + 1);
      const tick = own[at % own.length] as Tick;
      await this.#send(agent, `${symbol}-${at}`, tick, at + 1).catch((error: Error) => {
        this.#failed ??= error;
      });
    }
  }

  async #send(agent: string, task: string, tick: Tick, count: number): Promise<void> {
    const { ledger, moreOf } = this.#options;
    ledger.write({ what: 'sent', agent, task, tick });
    const body = { id: task, payload: { ...tick, ...moreOf(agent) }, ttl_ms: ttlMs };
    const begunMs = performance.now();
    let last = 'not sent';
    for (let tries = 1; performance.now() < begunMs + giveUpAfterMs; tries++) {
      const answer = await this.#ask(agent, body);
      if (answer.status === 200) {
        const nowMs = performance.now();
        ledger.write({ what: 'acknowledged', agent, task, tries, tookMs: Math.round(nowMs - begunMs) });
        note(this.latenciesMs, agent, nowMs - begunMs);
        note(this.acknowledgedMs, agent, nowMs);
        const told = (answer.body as { result?: { count?: number } }).result?.count;
        if (told === count) return;
        throw new Error(`${agent} answered ${task} with count ${told}, not ${count}: ${JSON.stringify(answer.body)}`);
      }
      last = JSON.stringify(answer.body);
      if (answer.status >= 400 && answer.status < 500 && !later.has(answer.status)) {
        ledger.write({ what: 'refused', agent, task, why: last });
        throw new Error(`${agent} refused ${task}: ${last}`);
      }
      const code = (answer.body as { error?: { code?: string } }).error?.code ?? 'no answer';
      this.retries.set(code, (this.retries.get(code) ?? 0) + 1);
      await delay(retryAfterMs);
    }
    throw new Error(`task ${task} of ${agent} was never acknowledged: ${last}`);
  }

  async #ask(agent: string, body: object): Promise<{ status: number; body: unknown }> {
    const { testbed, random } = this.#options;
    const nowMs = performance.now();
    const good = testbed.nodes.filter(({ name }) => (this.#avoidUntilMs.get(name) ?? 0) < nowMs);
    const nodes = good.length > 0 ? good : testbed.nodes;
    const node = nodes[Math.floor(random.next() * nodes.length)];
    try {
      return await testbed.call(node?.admin ?? '', `/agents/${agent}/tasks`, body, answerWithinMs);
    } catch (error) {
      if (node !== undefined) this.#avoidUntilMs.set(node.name, performance.now() + avoidForMs);
      return { status: 0, body: String(error) };
    }
  }
}
