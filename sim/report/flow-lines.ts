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
/** Bins at least this wide have room for arrowheads. */
const arrowBinPxMin = 16;
const arrowPx = 5;
const lineAlpha = 0.5;

/** Where a flow is drawn: from the lane that sent, early in its bin, to the lane that received, late in it. */
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
  for (const flow of flows) {
    const y1 = heightOf(flow.from);
    const y2 = heightOf(flow.to);
    if (y1 === undefined || y2 === undefined || Math.max(y1, y2) < 0 || Math.min(y1, y2) > heightPx) continue;
    const x1 = scale.xOf(flow.atMs + 0.15 * flow.binMs);
    const x2 = scale.xOf(flow.atMs + 0.85 * flow.binMs);
    lines.push({ flow, x1, y1, x2, y2 });
  }
  return lines;
}

/** Lines of equal looks are one path: thousands of them are drawn within a frame. */
export function drawLines(pen: CanvasRenderingContext2D, lines: readonly Line[], palette: Palette): void {
  const groups = Map.groupBy(lines, ({ flow }) => {
    const weight = weights.findLastIndex(({ sent }) => flow.sent >= sent);
    return `${Math.max(0, weight)}${flow.lost > 0 ? 'lost' : ''}`;
  });
  pen.globalAlpha = lineAlpha;
  for (const [group, members] of groups) {
    const isLost = group.endsWith('lost');
    pen.lineWidth = weights[Number.parseInt(group, 10)]?.widthPx ?? 1;
    pen.strokeStyle = palette.of(isLost ? 'lost' : 'message');
    pen.setLineDash(isLost ? [4, 3] : []);
    pen.globalAlpha = isLost ? 0.85 : lineAlpha;
    pen.beginPath();
    for (const { x1, y1, x2, y2 } of members) {
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
    }
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = pen.strokeStyle;
    pen.beginPath();
    for (const line of members) if (line.x2 - line.x1 >= 0.7 * arrowBinPxMin) addArrow(pen, line);
    pen.fill();
  }
  pen.globalAlpha = 1;
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
