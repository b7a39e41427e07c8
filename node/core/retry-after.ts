const afterMsMin = 100;
const afterMsMax = 60_000;

/** When one more may come where `count` tasks wait that take `meanTaskMs` each: half of them should be done by then. Within bounds, ms. */
export function retryAfterMs(count: number, meanTaskMs: number): number {
  const ms = Math.round((count / 2) * meanTaskMs);
  return Math.min(afterMsMax, Math.max(afterMsMin, ms));
}
