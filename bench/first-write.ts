import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from './figure.ts';

const putEveryMs = 5;
const writableWithinMs = 20_000;

/**
 * Resolves with the first write that succeeds. What a node took before it knew of its leader's death may be lost or come
 * late, so new ones go out all the time, to each survivor in turn.
 */
export async function firstWrite<Node>(
  bench: Bench,
  survivors: readonly Node[],
  put: (survivor: Node) => Promise<boolean>,
): Promise<void> {
  let done = false;
  const deadline = performance.now() + writableWithinMs;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (let i = 0; !done && performance.now() < deadline; i++) {
    bench.signal.throwIfAborted();
    void put(survivors[i % survivors.length] as Node).then((written) => {
      if (!written) return;
      done = true;
      resolve();
    });
    await Promise.race([promise, delay(putEveryMs)]);
  }
  if (!done) throw new Error(`no write was taken for ${writableWithinMs} ms`);
}
