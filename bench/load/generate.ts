// A process of its own: reads an order from its arguments, and prints what came of it. See order.ts.
import { quantile } from '../sample.ts';
import { Connection } from './connection.ts';
import { type LoadOrder, type LoadResult, requestFor, targetsOf } from './order.ts';

const failurePauseMs = 5;
const writeTriesMax = 10;

/** One client with its connection and its keys or agents. */
class Client {
  readonly times: number[] = [];
  failures = 0;
  readonly #order: LoadOrder;
  readonly #targets: string[];
  readonly #connection: Connection;

  private constructor(order: LoadOrder, number: number, connection: Connection) {
    this.#order = order;
    this.#targets = targetsOf(order, number);
    this.#connection = connection;
  }

  static async open(order: LoadOrder, number: number): Promise<Client> {
    const url = new URL(order.urls[number % order.urls.length] as string);
    return new Client(order, number, await Connection.open(url.hostname, Number(url.port)));
  }

  /** What is to be read must be there. */
  async writeAll(): Promise<void> {
    for (const key of this.#targets) {
      const request = requestFor({ ...this.#order, operation: 'write' }, key);
      let status = 0;
      for (let i = 0; i < writeTriesMax && status !== 200; i++) status = await this.#connection.send(request);
      if (status !== 200) throw new Error(`${key} could not be written: the last answer was ${status}`);
    }
  }

  /** Counts what begins and ends between the two moments. */
  async run(fromMs: number, untilMs: number): Promise<void> {
    const requests = this.#targets.map((target) => requestFor(this.#order, target));
    for (let n = 0; ; n++) {
      const startMs = performance.now();
      if (startMs >= untilMs) break;
      const status = await this.#connection.send(requests[n % requests.length] as Buffer);
      const endMs = performance.now();
      const counts = startMs >= fromMs && endMs <= untilMs;
      if (status === 200 && counts) this.times.push(endMs - startMs);
      if (status === 200) continue;
      if (counts) this.failures += 1;
      if (status === 0) break;
      await new Promise((resolve) => setTimeout(resolve, failurePauseMs));
    }
    this.#connection.close();
  }
}

async function run(order: LoadOrder): Promise<LoadResult> {
  const clients = await Promise.all(Array.from({ length: order.clients }, (_, number) => Client.open(order, number)));
  if (order.operation === 'read') await Promise.all(clients.map((client) => client.writeAll()));
  const fromMs = performance.now() + order.warmUpMs;
  const untilMs = fromMs + order.measureMs;
  // The nodes' CPU time is read when measuring begins and when it ends.
  setTimeout(() => process.stdout.write('begin\n'), order.warmUpMs);
  setTimeout(() => process.stdout.write('end\n'), order.warmUpMs + order.measureMs);
  await Promise.all(clients.map((client) => client.run(fromMs, untilMs)));
  const times = clients.flatMap((client) => client.times);
  return {
    operations: times.length,
    failures: clients.reduce((sum, client) => sum + client.failures, 0),
    seconds: order.measureMs / 1_000,
    p50Ms: quantile(times, 0.5) ?? 0,
    p99Ms: quantile(times, 0.99) ?? 0,
  };
}

const result = await run(JSON.parse(process.argv[2] ?? '{}') as LoadOrder);
process.stdout.write(`${JSON.stringify(result)}\n`);
