/**
 * Does `work` for every item, at most `inFlightMax` at a time, and waits for all of them even if some fail, so that the
 * caller knows that nothing goes on behind its back. Throws the first failure then. Once one has failed, or `signal` is
 * aborted, no further item is begun.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  inFlightMax: number,
  work: (item: T) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        signal?.throwIfAborted();
        results[index] = await work(items[index] as T);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlightMax, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
