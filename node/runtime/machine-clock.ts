/** Time of the machine, ms: the same in all of its processes, where `performance.now()` counts from the beginning of each. */
function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/** A time of this process (`performance.now()`), ms, as one of the machine. */
export const toMachineMs = (ownMs: number): number => ownMs - performance.now() + machineMs();

/** The reverse. */
export const fromMachineMs = (ms: number): number => ms - machineMs() + performance.now();
