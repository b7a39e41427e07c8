import type { RecordedEvent, RecordedSpan, Recording } from '../recording.ts';

/** A span and the row of its lane in which it lies, so that spans that overlap in time do not do so on the page. */
export interface Bar {
  span: RecordedSpan;
  row: number;
}

/** What belongs to one node, or to the whole world. */
export interface Lane {
  /** Absent for the whole world. */
  node: string | undefined;
  name: string;
  joinedMs: number;
  states: Bar[];
  stateRows: number;
  agents: Bar[];
  agentRows: number;
}

/** Heights of the rows of a lane, px. A lane is, from above: states, marks of events, agents. */
export interface Density {
  stateRowPx: number;
  marksRowPx: number;
  agentRowPx: number;
  paddingPx: number;
  laneHeightPxMin: number;
}

export const roomy: Density = { stateRowPx: 16, marksRowPx: 17, agentRowPx: 16, paddingPx: 4, laneHeightPxMin: 36 };
export const compact: Density = { stateRowPx: 7, marksRowPx: 13, agentRowPx: 6, paddingPx: 3, laneHeightPxMin: 22 };

/** A lane and where it lies, px below the top of the first lane. */
export interface PlacedLane {
  lane: Lane;
  topPx: number;
  heightPx: number;
  statesPx: number;
  marksPx: number;
  agentsPx: number;
}

/** More rows than this lie on each other: a lane has to stay one that can be seen at once. */
const rowsMax = 12;

function stack(spans: readonly RecordedSpan[]): { bars: Bar[]; rows: number } {
  const endsMs: number[] = [];
  const bars = [...spans]
    .sort((a, b) => a.fromMs - b.fromMs)
    .map((span) => {
      const free = endsMs.findIndex((endMs) => endMs <= span.fromMs);
      const row = free !== -1 ? free : Math.min(endsMs.length, rowsMax - 1);
      endsMs[row] = Math.max(endsMs[row] ?? 0, span.toMs);
      return { span, row };
    });
  return { bars, rows: endsMs.length };
}

/** The world's lane first, then one per node in the order of the recording. */
export function lanesOf(recording: Recording): Lane[] {
  const joined = new Map(recording.nodes.map(({ id, joinedMs }) => [id, joinedMs]));
  const spans = Map.groupBy(recording.spans, ({ node }) => node);
  for (const { node } of [...recording.spans, ...recording.events]) {
    if (node !== undefined && !joined.has(node)) joined.set(node, 0);
  }
  const lanes: Lane[] = [
    { node: undefined, name: 'World', joinedMs: 0, states: [], stateRows: 0, agents: [], agentRows: 0 },
  ];
  for (const [node, joinedMs] of joined) {
    const own = spans.get(node) ?? [];
    const states = stack(own.filter(({ kind }) => kind !== 'agent'));
    const agents = stack(own.filter(({ kind }) => kind === 'agent'));
    const rows = { stateRows: states.rows, agentRows: agents.rows };
    lanes.push({ node, name: node, joinedMs, states: states.bars, agents: agents.bars, ...rows });
  }
  return lanes;
}

/** Room that is left over is given to the lanes, to each at most this, px. */
const sparePxMax = 28;

/** Lanes one below the other; when they need less than `roomPx`, a little higher each. */
export function place(lanes: readonly Lane[], density: Density, roomPx: number): PlacedLane[] {
  const { stateRowPx, marksRowPx, agentRowPx, paddingPx, laneHeightPxMin } = density;
  const sized = lanes.map((lane) => {
    const rowsPx = lane.stateRows * stateRowPx + marksRowPx + lane.agentRows * agentRowPx;
    const isNode = lane.node !== undefined;
    return { lane, isNode, rowsPx, leastPx: Math.max(isNode ? laneHeightPxMin : 0, rowsPx + 2 * paddingPx) };
  });
  const leastPx = sized.reduce((sum, each) => sum + each.leastPx, 0);
  const sparePx = Math.max(0, Math.min(sparePxMax, Math.floor((roomPx - leastPx) / Math.max(1, lanes.length - 1))));
  let topPx = 0;
  return sized.map(({ lane, isNode, rowsPx, leastPx: ownPx }) => {
    const heightPx = ownPx + (isNode ? sparePx : 0);
    const statesPx = topPx + (heightPx - rowsPx) / 2;
    const marksPx = statesPx + lane.stateRows * stateRowPx;
    const placed = { lane, topPx, heightPx, statesPx, marksPx, agentsPx: marksPx + marksRowPx };
    topPx += heightPx;
    return placed;
  });
}

/** Index of the first event at `atMs` or after it; the events are in order of time. */
export function firstFrom(events: readonly { atMs: number }[], atMs: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.atMs ?? 0) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Each lane's events, by node; those of the whole world under `undefined`. */
export function byNode(events: readonly RecordedEvent[]): Map<string | undefined, RecordedEvent[]> {
  return Map.groupBy(events, ({ node }) => node);
}
