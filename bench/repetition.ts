import type { Bench, Measured } from './figure.ts';
import { describeTimeline, mediansOf, type Timeline } from './timeline.ts';

export interface Repetition {
  ms: number;
  timeline: Timeline;
}

/** Repeats a failover. One that fails ends the series: what was measured before it is kept, with the reason. */
export async function repeated(
  bench: Bench,
  count: number,
  once: (i: number) => Promise<Repetition>,
): Promise<Measured> {
  const values: number[] = [];
  const timelines: Timeline[] = [];
  let problem: string | undefined;
  for (let i = 0; i < count && problem === undefined; i++) {
    try {
      const { ms, timeline } = await once(i);
      bench.say(`${i + 1} of ${count}: ${ms.toFixed(1)} ms (${describeTimeline(timeline)})`);
      values.push(ms);
      timelines.push(timeline);
    } catch (error) {
      bench.signal.throwIfAborted();
      problem = (error as Error).message;
      bench.say(`${i + 1} of ${count} failed: ${problem}`);
    }
  }
  return { values, extra: { phases: mediansOf(timelines), ...(problem === undefined ? {} : { problem }) } };
}
