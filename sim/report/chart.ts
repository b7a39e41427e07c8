/// <reference lib="dom" />
import type { RecordedEvent, Recording } from '../recording.ts';
import { Bars } from './bars.ts';
import { Canvas } from './canvas.ts';
import { drawLines, type Line, linesOf } from './flow-lines.ts';
import { byNode, compact, type Density, type Lane, type PlacedLane, place, roomy } from './lanes.ts';
import type { Palette } from './palette.ts';
import { type Scale, ticksOf } from './scale.ts';
import { Sprites } from './sprites.ts';
import type { Traffic } from './traffic.ts';
import type { Shown } from './view.ts';

/** Between two ticks of the time axis, at least, px. */
export const tickSpacingPx = 84;

/** The lanes of all nodes on one canvas, of which only what is scrolled into sight is drawn. */
export class Chart {
  readonly canvas: Canvas;
  readonly #palette: Palette;
  readonly #lanes: readonly Lane[];
  readonly #traffic: Traffic;
  readonly #bars: Bars;
  readonly #sprites: Sprites;
  readonly #violationMs: number | undefined;
  #density: Density = roomy;
  #roomPx = -1;
  #placed: PlacedLane[] = [];
  #passing: readonly RecordedEvent[] | undefined;
  #events = new Map<string | undefined, RecordedEvent[]>();
  #lines: Line[] = [];
  #offsetPx = 0;

  constructor(
    element: HTMLCanvasElement,
    recording: Recording,
    parts: { palette: Palette; lanes: readonly Lane[]; traffic: Traffic; violationMs: number | undefined },
  ) {
    this.canvas = new Canvas(element);
    this.#palette = parts.palette;
    this.#lanes = parts.lanes;
    this.#traffic = parts.traffic;
    this.#violationMs = parts.violationMs;
    this.#bars = new Bars(this.canvas, parts.palette, recording.agents);
    this.#sprites = new Sprites(this.canvas, parts.palette);
  }

  get density(): Density {
    return this.#density;
  }

  get placed(): readonly PlacedLane[] {
    return this.#placed;
  }

  /** Of the messages as they were drawn last. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  get offsetPx(): number {
    return this.#offsetPx;
  }

  get heightPx(): number {
    const last = this.#placed.at(-1);
    return last === undefined ? 0 : last.topPx + last.heightPx;
  }

  /** Of a lane, those events that pass the filter. */
  eventsOf(lane: Lane): readonly RecordedEvent[] {
    return this.#events.get(lane.node) ?? [];
  }

  /** After a change of colours. */
  forget(): void {
    this.#bars.forget();
    this.#sprites.forget();
  }

  /** Places the lanes anew when their density or the room for them changed, and says whether it did. */
  arrange(isCompact: boolean): boolean {
    const density = isCompact ? compact : roomy;
    const roomPx = this.canvas.element.clientHeight;
    if (density === this.#density && roomPx === this.#roomPx) return false;
    this.#density = density;
    this.#roomPx = roomPx;
    this.#placed = place(this.#lanes, density, roomPx);
    return true;
  }

  draw(shown: Shown, offsetPx: number): void {
    this.canvas.clear();
    this.#offsetPx = offsetPx;
    if (this.#passing !== shown.passing) {
      this.#passing = shown.passing;
      this.#events = byNode(shown.passing);
    }
    const { heightPx } = this.canvas;
    const inSight = this.#placed.filter(
      (each) => each.topPx < offsetPx + heightPx && each.topPx + each.heightPx > offsetPx,
    );
    const { scale, picked } = shown;
    for (const placed of inSight) this.#background(placed, scale);
    this.#grid(scale);
    const agent = picked?.what === 'span' ? picked.span.agent : undefined;
    for (const placed of inSight) this.#bars.draw(placed, this.#density, scale, offsetPx, agent);
    this.#lines = shown.messages ? this.#drawMessages(shown) : [];
    if (this.#violationMs !== undefined) this.#upright(scale.xOf(this.#violationMs), 'violation', 2);
    for (const placed of inSight) {
      const centrePx = this.marksCentrePx(placed);
      this.#sprites.draw(this.eventsOf(placed.lane), scale, centrePx, this.markPx);
    }
    this.#drawPicked(shown);
  }

  get markPx(): number {
    return this.#density === compact ? 11 : 14;
  }

  /** On the canvas, not on the whole height of the lanes. */
  marksCentrePx({ marksPx }: PlacedLane): number {
    return marksPx - this.#offsetPx + this.#density.marksRowPx / 2;
  }

  #background({ lane, topPx, heightPx }: PlacedLane, scale: Scale): void {
    const { pen, widthPx } = this.canvas;
    const y = topPx - this.#offsetPx;
    const fill = (colour: string, fromMs: number, toMs: number): void => {
      const x = Math.max(0, scale.xOf(fromMs));
      pen.fillStyle = this.#palette.of(colour);
      pen.fillRect(x, y, Math.min(widthPx, scale.xOf(toMs)) - x, heightPx);
    };
    pen.fillStyle = this.#palette.of(lane.node === undefined ? 'world-lane' : 'surface');
    pen.fillRect(0, y, widthPx, heightPx);
    if (lane.joinedMs > scale.fromMs) fill('absent', scale.fromMs, lane.joinedMs);
    for (const { span } of lane.states) {
      if (span.kind === 'off' && span.toMs > scale.fromMs && span.fromMs < scale.toMs) {
        fill('absent', span.fromMs, span.toMs);
      }
    }
    pen.fillStyle = this.#palette.of('line');
    pen.fillRect(0, y + heightPx - 1, widthPx, 1);
  }

  #grid(scale: Scale): void {
    const { pen, heightPx } = this.canvas;
    const bottomPx = Math.min(heightPx, this.heightPx - this.#offsetPx);
    pen.fillStyle = this.#palette.of('grid');
    for (const { atMs } of ticksOf(scale, tickSpacingPx)) pen.fillRect(Math.round(scale.xOf(atMs)), 0, 1, bottomPx);
  }

  #drawMessages({ scale, messageType }: Shown): Line[] {
    const heights = new Map(this.#placed.map((placed) => [placed.lane.node, this.marksCentrePx(placed)]));
    const flows = this.#traffic.flows(scale.fromMs, scale.toMs, scale.msPerPx, messageType);
    const lines = linesOf(flows, scale, (node) => heights.get(node), this.canvas.heightPx);
    drawLines(this.canvas.pen, lines, this.#palette, this.canvas.heightPx);
    return lines;
  }

  #upright(x: number, colour: string, widthPx: number): void {
    const { pen, heightPx } = this.canvas;
    pen.fillStyle = this.#palette.of(colour);
    pen.fillRect(x - widthPx / 2, 0, widthPx, heightPx);
  }

  #drawPicked({ scale, picked }: Shown): void {
    const { pen } = this.canvas;
    pen.strokeStyle = this.#palette.of('accent');
    pen.lineWidth = 2;
    if (picked?.what === 'event') {
      const { event } = picked;
      const x = scale.xOf(event.atMs);
      const placed = this.#placed.find(({ lane }) => lane.node === event.node);
      if (event.kind !== 'violation') this.#upright(x, 'picked-line', 1);
      if (placed === undefined) return;
      const y = this.marksCentrePx(placed);
      pen.fillStyle = this.#palette.of('surface');
      pen.beginPath();
      pen.arc(x, y, this.markPx / 2 + 3, 0, 2 * Math.PI);
      pen.fill();
      pen.stroke();
      this.#sprites.stamp(event.kind, x, y, this.markPx);
    } else if (picked?.what === 'flow') {
      const { flow } = picked;
      const line = this.#lines.find(
        (each) => each.flow.from === flow.from && each.flow.to === flow.to && each.flow.atMs === flow.atMs,
      );
      if (line === undefined) return;
      pen.lineWidth = 3;
      pen.beginPath();
      pen.moveTo(line.x1, line.y1);
      pen.lineTo(line.x2, line.y2);
      pen.stroke();
    }
  }
}
