import { afterAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../docker/engine.ts';
import { dockerAvailable } from '../docker-engine.ts';
import { engineSocket, nodeImage } from '../runtime/container-image.ts';
import { say, settled } from './storm.ts';
import { Testbed } from './testbed.ts';

/** Each start of the code draws a number, which no state has in it. Every task tells it. */
const workerSource = `
const begin = (count) => ({ count, born: Math.random() });
export default {
  init: () => begin(0),
  handle(state, task, { epoch }) {
    state.count += task.add;
    return { state, result: { count: state.count, born: state.born, epoch } };
  },
  checkpoint: ({ count }) => new TextEncoder().encode(String(count)),
  restore: (bytes) => begin(Number(new TextDecoder().decode(bytes))),
};`;

const lineSource = `
const born = Math.random();
let state = { count: 0 };
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  const say = (result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
  if (id === undefined) return;
  if (method === 'describe') return say({ protocol: 1, state: 'json', epochs: true });
  if (method === 'ping') return say({});
  if (method === 'restore') state = params.state;
  if (method !== 'handle') return say({ state });
  state.count += params.task.add;
  say({ state, result: { count: state.count, born, epoch: params.epoch } });
});`;

interface Told {
  count: number;
  born: number;
  epoch: number;
}

/** One client of an agent, which gives it one task after the other until it is ended. */
class Client {
  readonly told: Told[] = [];
  silenceMs = 0;
  #answeredMs = performance.now();
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(
    readonly testbed: Testbed,
    readonly agent: string,
  ) {
    this.#ended = this.#work();
  }

  /** The silence is counted from here. */
  listen(): void {
    this.silenceMs = 0;
    this.#answeredMs = performance.now();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #work(): Promise<void> {
    for (let task = 1; !this.#isOver; task++) await this.#give(`${this.agent}-${task}`);
  }

  /** Asks at one node after the other, under one id. */
  async #give(id: string): Promise<void> {
    for (;;) {
      for (const { admin } of this.testbed.nodes) {
        const body = { id, payload: { add: 1 }, ttl_ms: 10_000 };
        const answer = await this.testbed
          .call(admin, `/agents/${this.agent}/tasks`, body, 11_000)
          .catch(() => undefined);
        if (answer?.status === 200) {
          this.told.push((answer.body as { result: Told }).result);
          const nowMs = performance.now();
          this.silenceMs = Math.max(this.silenceMs, nowMs - this.#answeredMs);
          this.#answeredMs = nowMs;
          return;
        }
        if (this.#isOver) return;
      }
    }
  }
}

/** Which holders each agent has, but for its host. */
async function othersOf(testbed: Testbed): Promise<Map<string, string[]>> {
  const { agents, nodes } = await testbed.status();
  const names = new Map(nodes.map(({ id, name }) => [id, name]));
  return new Map(
    agents.map(({ id, host, holders }) => [
      id,
      holders.filter((node) => node !== host).map((node) => names.get(node) ?? node),
    ]),
  );
}

describe('agents of each runtime whose holder is lost', async () => {
  const hasDocker = await dockerAvailable();
  afterAll(() => {
    delete process.env['CONCLAVE_CONTAINERS'];
    delete process.env['CONCLAVE_CONTAINER_IMAGES'];
  });

  test('answer in a new epoch with other holders, and their code was not started again', {
    timeout: 300_000,
  }, async () => {
    const image = hasDocker ? await nodeImage() : undefined;
    if (image !== undefined) {
      await connectEngine();
      process.env['CONCLAVE_CONTAINERS'] = engineSocket;
      process.env['CONCLAVE_CONTAINER_IMAGES'] = image;
    }
    const command = ['/usr/local/bin/node', '-e', lineSource];
    const codes: Record<string, object> = {
      worker: { source: workerSource },
      sharing: { source: workerSource, isolation: 'type' },
      process: { source: lineSource, runtime: 'process', interpreter: 'node' },
      ...(image !== undefined && { boxed: { runtime: 'container', container: { image, command, memory_mb: 128 } } }),
    };
    const agents = Object.keys(codes);
    const programs = { interpreters: [`node=${process.execPath}`] };
    const story = async (testbed: Testbed): Promise<void> => {
      await testbed.up(4);
      for (const [name, code] of Object.entries(codes)) {
        await testbed.ask('POST', '/agents/deploy', { agent_type: name, name, ...code });
      }
      const { agents: placed } = await settled(testbed, agents.length);
      const host = placed[0]?.host_name ?? '';
      for (const { id, host_name: at } of placed) {
        if (at !== host) await testbed.ask('POST', `/agents/${id}/migrate`, { target: host });
      }
      await settled(testbed, agents.length);
      await testbed.until('all are on one host', async () =>
        (await testbed.status()).agents.every(({ host_name: at }) => at === host),
      );
      const [first = '', second = ''] = testbed.nodes.map(({ name }) => name).filter((name) => name !== host);
      const lose = async (node: string): Promise<void> => {
        await testbed.fleet.kill(node);
        await testbed.until(`no agent has ${node} as a holder`, async () =>
          [...(await othersOf(testbed)).values()].every((others) => others.length === 2 && !others.includes(node)),
        );
      };
      // From here on there are three nodes, all of them holders of every agent.
      await lose(first);
      const clients = agents.map((agent) => new Client(testbed, agent));
      try {
        await testbed.until('all work', async () => clients.every(({ told }) => told.length > 5));
        await testbed.fleet.start(first);
        const before = await settled(testbed, agents.length);
        for (const client of clients) client.listen();
        const from = clients.map(({ told }) => told.length);
        await lose(second);
        const after = await testbed.status();
        const [epochBefore, epochAfter] = [before, after].map(
          (status) => new Map(status.agents.map(({ id, epoch }) => [id, epoch])),
        );
        for (const [at, { agent, told }] of clients.entries()) {
          await testbed.until(`${agent} answers in its new epoch`, async () => {
            return (told.at(-1)?.epoch ?? 0) >= (epochAfter?.get(agent) ?? Number.POSITIVE_INFINITY);
          });
          expect(epochAfter?.get(agent)).toBeGreaterThan(epochBefore?.get(agent) ?? 0);
          expect(told.length).toBeGreaterThan(from[at] ?? 0);
        }
      } finally {
        await Promise.all(clients.map((client) => client.end()));
      }
      for (const { agent, told, silenceMs } of clients) {
        // Each task counted once, none left out, and the token never went back.
        expect(told.map(({ count }) => count)).toEqual(told.map((_, at) => at + 1));
        expect(told.map(({ epoch }) => epoch)).toEqual(told.map(({ epoch }) => epoch).toSorted((a, b) => a - b));
        expect(new Set(told.map(({ epoch }) => epoch)).size).toBeGreaterThan(1);
        expect(new Set(told.map(({ born }) => born)).size, `${agent}: starts of its code`).toBe(1);
        say(`${agent}: ${told.length} tasks, longest silence ${Math.round(silenceMs)} ms`);
      }
    };
    await Testbed.with('processes', story, { programs });
  });
});
