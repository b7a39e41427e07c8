/// <reference lib="dom" />
import type { Palette } from './palette.ts';
import type { Scale } from './scale.ts';
import type { Flow } from './traffic.ts';

/** Messages from which on a line is drawn thicker, and how thick, px. */
const weights = [
  { sent: 0, widthPx: 0.8 },
  { sent: 10, widthPx: 1.3 },
  { sent: 100, widthPx: 2.2 },
];
/** More lines than this say no more and take too long: those with the most messages are drawn. */
const linesMax = 1_500;
/** With more lines than this, arrowheads would be all that is seen. */
const arrowLinesMax = 600;
const arrowPx = 5;
/** How far a line leans from its beginning to its end, px; less where bins are narrow. */
const leanPxMax = 18;
/** Multiples of it, without their whole part, fill a bin evenly, however many there are. */
const goldenRatio = 0.618034;
/** Many lines are fainter, so that what is behind them can be read. */
const alphaMin = 0.12;
const alphaMax = 0.6;
const faintFromLines = 400;

/** Where a flow is drawn: from the lane that sent to the lane that received; the flows of a bin are spread over it. */
export interface Line {
  flow: Flow;
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** Lines of what can be seen between two heights, px; `heightOf` is where a node's messages begin and end. */
export function linesOf(
  flows: readonly Flow[],
  scale: Scale,
  heightOf: (node: string) => number | undefined,
  heightPx: number,
): Line[] {
  const lines: Line[] = [];
  let place = 0;
  for (const [index, flow] of flows.entries()) {
    place = flow.atMs === flows[index - 1]?.atMs ? place + 1 : 0;
    const y1 = heightOf(flow.from);
    const y2 = heightOf(flow.to);
    if (y1 === undefined || y2 === undefined || Math.max(y1, y2) < 0 || Math.min(y1, y2) > heightPx) continue;
    const binPx = flow.binMs / scale.msPerPx;
    const leanPx = Math.min(leanPxMax, binPx / 2);
    const x1 = scale.xOf(flow.atMs) + (binPx - leanPx) * ((place * goldenRatio + 0.5) % 1);
    lines.push({ flow, x1, y1, x2: x1 + leanPx, y2 });
  }
  if (lines.length <= linesMax) return lines;
  return lines.sort((a, b) => b.flow.sent - a.flow.sent).slice(0, linesMax);
}

/** One stroke each: a path of many lines that cross takes a browser far longer. */
export function drawLines(
  pen: CanvasRenderingContext2D,
  lines: readonly Line[],
  palette: Palette,
  heightPx: number,
): void {
  const groups = Map.groupBy(lines, ({ flow }) => {
    const weight = weights.findLastIndex(({ sent }) => flow.sent >= sent);
    return `${Math.max(0, weight)}${flow.lost > 0 ? 'lost' : ''}`;
  });
  const alpha = Math.max(alphaMin, Math.min(alphaMax, (alphaMax * faintFromLines) / lines.length));
  for (const [group, members] of groups) {
    const isLost = group.endsWith('lost');
    pen.lineWidth = weights[Number.parseInt(group, 10)]?.widthPx ?? 1;
    pen.strokeStyle = palette.of(isLost ? 'lost' : 'message');
    pen.setLineDash(isLost ? [4, 3] : []);
    pen.globalAlpha = isLost ? Math.min(1, 1.5 * alpha) : alpha;
    for (const line of members) {
      const { x1, y1, x2, y2 } = clipped(line, heightPx);
      pen.beginPath();
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
      pen.stroke();
    }
    pen.setLineDash([]);
    if (lines.length > arrowLinesMax) continue;
    pen.fillStyle = pen.strokeStyle;
    pen.beginPath();
    for (const line of members) addArrow(pen, line);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

/** The part of a line that can be seen: dashes are counted out one by one, also where nobody sees them. */
function clipped(line: Line, heightPx: number): Omit<Line, 'flow'> {
  const { x1, y1, x2, y2 } = line;
  if (Math.min(y1, y2) >= 0 && Math.max(y1, y2) <= heightPx) return line;
  const xAt = (y: number): number => x1 + ((x2 - x1) * (y - y1)) / (y2 - y1 || 1);
  const inside = (y: number): number => Math.max(0, Math.min(heightPx, y));
  return { x1: xAt(inside(y1)), y1: inside(y1), x2: xAt(inside(y2)), y2: inside(y2) };
}

function addArrow(pen: CanvasRenderingContext2D, { x1, y1, x2, y2 }: Line): void {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [((x2 - x1) / length) * arrowPx, ((y2 - y1) / length) * arrowPx];
  pen.moveTo(x2, y2);
  pen.lineTo(x2 - dx - dy / 2, y2 - dy + dx / 2);
  pen.lineTo(x2 - dx + dy / 2, y2 - dy - dx / 2);
  pen.closePath();
}

/** How far a point lies from a line, px. */
export function distancePx({ x1, y1, x2, y2 }: Line, x: number, y: number): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1);
  const at = Math.max(0, Math.min(1, along));
  return Math.hypot(x - x1 - at * dx, y - y1 - at * dy);
}
