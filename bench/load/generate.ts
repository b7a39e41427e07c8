// A process of its own: reads an order from its arguments, and prints what came of it. See order.ts.
import { quantile } from '../sample.ts';
import { Connection } from './connection.ts';
import { keysPerClient, type LoadOrder, type LoadResult, requestFor } from './order.ts';

const failurePauseMs = 5;

async function runClient(order: LoadOrder, client: number, fromMs: number, untilMs: number, times: number[]) {
  const url = new URL(order.urls[client % order.urls.length] as string);
  const connection = await Connection.open(url.hostname, Number(url.port));
  const requests = Array.from({ length: keysPerClient }, (_, n) => requestFor(order, `bench/${client}-${n}`));
  let failures = 0;
  for (let n = 0; ; n++) {
    const startMs = performance.now();
    if (startMs >= untilMs) break;
    const status = await connection.send(requests[n % keysPerClient] as Buffer);
    const endMs = performance.now();
    if (startMs < fromMs || endMs > untilMs) continue;
    if (status === 200) times.push(endMs - startMs);
    else {
      failures += 1;
      if (status === 0) break;
      await new Promise((resolve) => setTimeout(resolve, failurePauseMs));
    }
  }
  connection.close();
  return failures;
}

async function run(order: LoadOrder): Promise<LoadResult> {
  const fromMs = performance.now() + order.warmUpMs;
  const untilMs = fromMs + order.measureMs;
  const times: number[] = [];
  const clients = Array.from({ length: order.clients }, (_, client) =>
    runClient(order, client, fromMs, untilMs, times),
  );
  // The process's CPU time is asked for when measuring begins and ends.
  setTimeout(() => process.stdout.write('begin\n'), order.warmUpMs);
  const failures = (await Promise.all(clients)).reduce((sum, each) => sum + each, 0);
  return {
    operations: times.length,
    failures,
    seconds: order.measureMs / 1_000,
    p50Ms: quantile(times, 0.5) ?? 0,
    p99Ms: quantile(times, 0.99) ?? 0,
  };
}

const result = await run(JSON.parse(process.argv[2] ?? '{}') as LoadOrder);
process.stdout.write(`${JSON.stringify(result)}\n`);
