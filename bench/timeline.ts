import type { FleetNode } from '../docker/fleet.ts';
import type { Cluster } from './cluster.ts';
import { median, rounded } from './sample.ts';

const logLines = 400;

/** When something was first said by any node, ms after the kill, by kind of report. */
export type Timeline = Map<string, number>;

/** Reads the nodes' logs, whose lines carry the wall clock of this same machine, to the millisecond. */
export async function readTimeline(cluster: Cluster, nodes: FleetNode[], sinceWallMs: number): Promise<Timeline> {
  const timeline: Timeline = new Map();
  for (const { name } of nodes) {
    for (const line of (await cluster.fleet.logs(name, logLines)).split('\n')) {
      const { time, kind } = readLine(line);
      if (time === undefined || kind === undefined || time < sinceWallMs) continue;
      timeline.set(kind, Math.min(timeline.get(kind) ?? Number.POSITIVE_INFINITY, time - sinceWallMs));
    }
  }
  return timeline;
}

function readLine(line: string): { time?: number; kind?: string } {
  try {
    return JSON.parse(line) as { time?: number; kind?: string };
  } catch {
    // Half a line at the start of what was read, or one that the runtime wrote.
    return {};
  }
}

/** `nodeSuspected 41, memberDead 60`, in order of time. */
export function describeTimeline(timeline: Timeline): string {
  const events = [...timeline].sort(([, a], [, b]) => a - b);
  return events.map(([kind, ms]) => `${kind} ${ms}`).join(', ');
}

/** The median of each kind over the repetitions that had it, in order of time. */
export function mediansOf(timelines: readonly Timeline[]): Record<string, number | null> {
  const kinds = [...new Set(timelines.flatMap((timeline) => [...timeline.keys()]))];
  const rows = kinds.map((kind) => {
    const values = timelines.flatMap((timeline) => timeline.get(kind) ?? []);
    return [kind, median(values) ?? 0] as const;
  });
  return Object.fromEntries(rows.sort(([, a], [, b]) => a - b).map(([kind, ms]) => [kind, rounded(ms)]));
}
