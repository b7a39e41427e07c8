import type { RecordedTraffic, Recording } from '../recording.ts';
import { firstFrom } from './lanes.ts';

/** All messages from one node to another within a stretch of time. */
export interface Flow {
  atMs: number;
  /** Length of the stretch, ms. */
  binMs: number;
  from: string;
  to: string;
  sent: number;
  lost: number;
}

/** A bin is as many slices as make it this wide: lines closer than that cannot be told apart. */
const binPxMin = 8;
/** Bins get longer until there are no more lines than this, or only this many bins are left in sight. */
const flowsMax = 3_000;
const binsMin = 6;
/** Nobody sees, and no machine draws in time, more lines than this. */
const flowsShownMax = 12_000;
const levelsKept = 24;

/** The messages of a run, added up as coarsely as the zoom needs. */
export class Traffic {
  readonly #traffic: readonly RecordedTraffic[];
  readonly #sliceMs: number;
  readonly #levels = new Map<string, Flow[]>();
  /** Types of message, the most frequent first. */
  readonly types: { type: string; sent: number }[];

  constructor({ traffic, trafficSliceMs }: Recording) {
    this.#traffic = traffic.toSorted((a, b) => a.atMs - b.atMs);
    this.#sliceMs = Math.max(trafficSliceMs, Number.EPSILON);
    const sent = new Map<string, number>();
    for (const each of traffic) sent.set(each.type, (sent.get(each.type) ?? 0) + each.sent);
    this.types = [...sent].map(([type, count]) => ({ type, sent: count })).sort((a, b) => b.sent - a.sent);
  }

  get isEmpty(): boolean {
    return this.#traffic.length === 0;
  }

  /** What flows between two moments, of one type or of all. */
  flows(fromMs: number, toMs: number, msPerPx: number, type: string | undefined): Flow[] {
    const slices = Math.max(1, (msPerPx * binPxMin) / this.#sliceMs);
    const longestMs = (toMs - fromMs) / binsMin;
    for (let binMs = this.#sliceMs * 2 ** Math.ceil(Math.log2(slices)); ; binMs *= 2) {
      const level = this.#level(binMs, type);
      const first = firstFrom(level, fromMs - binMs);
      const end = firstFrom(level, toMs);
      if (end - first > flowsMax && binMs * 2 <= longestMs) continue;
      return level.slice(first, Math.min(end, first + flowsShownMax));
    }
  }

  /** The messages of a flow by type, most frequent first. */
  typesOf({ atMs, binMs, from, to }: Flow, type: string | undefined): { type: string; sent: number; lost: number }[] {
    const types = new Map<string, { type: string; sent: number; lost: number }>();
    for (let i = firstFrom(this.#traffic, atMs); i < this.#traffic.length; i++) {
      const each = this.#traffic[i];
      if (each === undefined || each.atMs >= atMs + binMs) break;
      if (each.from !== from || each.to !== to || (type !== undefined && each.type !== type)) continue;
      const sum = types.get(each.type) ?? { type: each.type, sent: 0, lost: 0 };
      types.set(each.type, { type: each.type, sent: sum.sent + each.sent, lost: sum.lost + each.lost });
    }
    return [...types.values()].sort((a, b) => b.sent - a.sent);
  }

  #level(binMs: number, type: string | undefined): Flow[] {
    const key = JSON.stringify([binMs, type ?? null]);
    let level = this.#levels.get(key);
    if (level === undefined) {
      if (this.#levels.size >= levelsKept) this.#levels.clear();
      this.#levels.set(key, (level = this.#sum(binMs, type)));
    }
    return level;
  }

  #sum(binMs: number, type: string | undefined): Flow[] {
    const level: Flow[] = [];
    let bin = new Map<string, Map<string, Flow>>();
    let binAtMs = Number.NEGATIVE_INFINITY;
    for (const { atMs, from, to, type: ofType, sent, lost } of this.#traffic) {
      if (type !== undefined && ofType !== type) continue;
      const beginMs = Math.floor(atMs / binMs) * binMs;
      if (beginMs !== binAtMs) {
        bin = new Map();
        binAtMs = beginMs;
      }
      let targets = bin.get(from);
      if (targets === undefined) bin.set(from, (targets = new Map()));
      let flow = targets.get(to);
      if (flow === undefined) {
        targets.set(to, (flow = { atMs: beginMs, binMs, from, to, sent: 0, lost: 0 }));
        level.push(flow);
      }
      flow.sent += sent;
      flow.lost += lost;
    }
    return level;
  }
}
