import { setTimeout as delay } from 'node:timers/promises';
import trading from '../../examples/trading/agent.ts';
import { type Tick, taskContext } from '../examples/reference.ts';
import type { Testbed } from './testbed.ts';

interface Sequence {
  agent: string;
  ticks: Tick[];
}

const tryTtlMs = 4_000;
const giveUpAfterMs = 120_000;

/**
 * Several clients that feed ticks to agents through any node that answers, each tick under one id until it is
 * acknowledged, the ticks of a symbol in order. Keeps when each agent last answered, so that recoveries can be told.
 */
export class Feed {
  readonly #testbed: Testbed;
  readonly #sequences: Sequence[];
  readonly #perSecond: number;
  readonly total: number;
  acknowledged = 0;
  retries = 0;
  /** The latest acknowledgements by agent, with the moment at which the try that got it was sent. */
  readonly #answers = new Map<string, { sentMs: number; ackMs: number }[]>();
  #nextMs = 0;
  #failed: Error | undefined;

  constructor(testbed: Testbed, perAgent: ReadonlyMap<string, readonly Tick[]>, perSecond: number) {
    this.#testbed = testbed;
    this.#perSecond = perSecond;
    this.#sequences = [...perAgent].flatMap(([agent, ticks]) =>
      [...Map.groupBy(ticks, ({ symbol }) => symbol).values()].map((own) => ({ agent, ticks: own })),
    );
    this.total = this.#sequences.reduce((sum, { ticks }) => sum + ticks.length, 0);
  }

  /** Feeds everything. Rejects when a task could not be had acknowledged. */
  async run(clients: number): Promise<void> {
    const queue = this.#sequences.map(({ agent, ticks }) => ({ agent, ticks, at: 0 }));
    const client = async (number: number): Promise<void> => {
      for (;;) {
        const sequence = queue.shift();
        if (sequence === undefined || this.#failed !== undefined) return;
        const tick = sequence.ticks[sequence.at];
        if (tick === undefined) continue;
        await this.#pace();
        await this.#send(sequence.agent, `${tick.symbol}-${sequence.at}`, tick, number).catch((error: Error) => {
          this.#failed = error;
        });
        sequence.at += 1;
        queue.push(sequence);
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
    if (this.#failed !== undefined) throw this.#failed;
  }

  /** Keeps the load even, so that it lasts through all the faults. */
  async #pace(): Promise<void> {
    const nowMs = performance.now();
    this.#nextMs = Math.max(this.#nextMs, nowMs) + 1_000 / this.#perSecond;
    if (this.#nextMs > nowMs + 1) await delay(this.#nextMs - nowMs);
  }

  async #send(agent: string, id: string, tick: Tick, client: number): Promise<void> {
    const { nodes } = this.#testbed;
    const deadlineMs = performance.now() + giveUpAfterMs;
    let last = 'not sent';
    for (let turn = client; performance.now() < deadlineMs; turn++) {
      const node = nodes[turn % nodes.length];
      const sentMs = performance.now();
      try {
        const body = { id, payload: tick, ttl_ms: tryTtlMs };
        const answer = await this.#testbed.call(node?.admin ?? '', `/agents/${agent}/tasks`, body, tryTtlMs + 1_000);
        if (answer.status === 200) {
          this.#noteAnswer(agent, sentMs);
          return;
        }
        last = JSON.stringify(answer.body);
        if (answer.status < 500 && answer.status !== 429) break;
      } catch (error) {
        last = String(error);
      }
      this.retries += 1;
      await delay(20);
    }
    throw new Error(`task ${id} of ${agent} was never acknowledged: ${last}`);
  }

  #noteAnswer(agent: string, sentMs: number): void {
    this.acknowledged += 1;
    const answers = this.#answers.get(agent) ?? [];
    answers.push({ sentMs, ackMs: performance.now() });
    this.#answers.set(agent, answers.slice(-200));
  }

  /** When the last of these agents first answered a task that was sent after a moment; undefined while one has not. */
  allAnsweredMs(agents: readonly string[], sinceMs: number): number | undefined {
    const firsts = agents.map((agent) => this.#answers.get(agent)?.find(({ sentMs }) => sentMs > sinceMs)?.ackMs);
    return firsts.some((first) => first === undefined) ? undefined : Math.max(sinceMs, ...(firsts as number[]));
  }
}

/** The state that an agent reaches when it gets these ticks with no cluster around it: equal to the last bit. */
export async function localState(ticks: readonly Tick[]): Promise<unknown> {
  const context = taskContext({ agent: 'local', type: 'trading', epoch: 0 });
  let state = await trading.init(context);
  for (const tick of ticks) state = (await trading.handle(state, tick, context)).state;
  return state;
}
