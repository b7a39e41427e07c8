import type { RecordedEvent, RecordedSpan } from '../recording.ts';
import type { Chart } from './chart.ts';
import { distancePx } from './flow-lines.ts';
import { type Bar, firstFrom } from './lanes.ts';
import { markOf } from './marks.ts';
import type { Scale } from './scale.ts';
import type { Picked } from './view.ts';

/** A finger or a hand needs no better aim than this, px. */
const reachPx = 9;
const lineReachPx = 4;
/** Of two marks nearly as close, the one that lies above is meant. */
const layerBonusPx = 1.5;

/** The event whose mark is nearest to `x`, among events in order of time. */
export function nearestEvent(events: readonly RecordedEvent[], scale: Scale, x: number): RecordedEvent | undefined {
  let best: RecordedEvent | undefined;
  let bestPx = reachPx;
  for (let i = firstFrom(events, scale.msAt(x - reachPx)); i < events.length; i++) {
    const event = events[i] as RecordedEvent;
    const offPx = scale.xOf(event.atMs) - x;
    if (offPx > reachPx) break;
    const distance = Math.abs(offPx) - markOf(event.kind).layer * layerBonusPx;
    if (distance < bestPx) {
      best = event;
      bestPx = distance;
    }
  }
  return best;
}

/** The last bar drawn there, which lies above the others. */
function barAt(bars: readonly Bar[], row: number, scale: Scale, x: number): RecordedSpan | undefined {
  return bars.findLast(
    ({ span, row: own }) => own === row && x >= scale.xOf(span.fromMs) - 1 && x <= scale.xOf(span.toMs) + 1,
  )?.span;
}

/** What lies at a place of the chart's canvas: a mark before a bar, a bar before a message. */
export function hit(chart: Chart, scale: Scale, x: number, y: number): Picked | undefined {
  const heightPx = y + chart.offsetPx;
  const placed = chart.placed.find(({ topPx, heightPx: own }) => heightPx >= topPx && heightPx < topPx + own);
  if (placed !== undefined) {
    const { stateRowPx, agentRowPx } = chart.density;
    const { lane, marksPx, agentsPx, statesPx } = placed;
    const inMarks = heightPx >= marksPx - 1 && heightPx < agentsPx + 1;
    const isBare = lane.states.length + lane.agents.length === 0;
    const event = inMarks || isBare ? nearestEvent(chart.eventsOf(lane), scale, x) : undefined;
    if (event !== undefined) return { what: 'event', event };
    const span =
      heightPx < marksPx
        ? barAt(lane.states, Math.floor((heightPx - statesPx) / stateRowPx), scale, x)
        : barAt(lane.agents, Math.floor((heightPx - agentsPx) / agentRowPx), scale, x);
    if (span !== undefined) return { what: 'span', span };
  }
  let nearest: Picked | undefined;
  let nearestPx = lineReachPx;
  for (const line of chart.lines) {
    const distance = distancePx(line, x, y);
    if (distance < nearestPx) {
      nearestPx = distance;
      nearest = { what: 'flow', flow: line.flow };
    }
  }
  return nearest;
}
