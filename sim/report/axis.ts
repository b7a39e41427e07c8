/// <reference lib="dom" />
import type { RecordedEvent, Recording } from '../recording.ts';
import { Canvas, fit } from './canvas.ts';
import { tickSpacingPx } from './chart.ts';
import type { Palette } from './palette.ts';
import { formatMs, type Scale, ticksOf } from './scale.ts';
import type { Shown } from './view.ts';

const rowPx = 20;
const insetPx = 6;
const font = '11px system-ui, sans-serif';
const boldFont = '600 11px system-ui, sans-serif';

/** The strip above the lanes: the moment of violation, the phases of the run, and the time. */
export class Axis {
  readonly canvas: Canvas;
  readonly heightPx: number;
  readonly #palette: Palette;
  readonly #phases: readonly RecordedEvent[];
  readonly #violationMs: number | undefined;
  /** What is written on the ticks, from left to right. */
  labels: string[] = [];

  constructor(element: HTMLCanvasElement, recording: Recording, palette: Palette, violationMs: number | undefined) {
    this.canvas = new Canvas(element);
    this.#palette = palette;
    this.#phases = recording.events.filter(({ kind }) => kind === 'phase').sort((a, b) => a.atMs - b.atMs);
    this.#violationMs = violationMs;
    const rows = 1 + (this.#phases.length > 0 ? 1 : 0) + (violationMs === undefined ? 0 : 1);
    this.heightPx = rows * rowPx + 1;
  }

  draw({ scale }: Shown): void {
    this.canvas.clear();
    const { pen } = this.canvas;
    pen.textBaseline = 'middle';
    let y = 0;
    if (this.#violationMs !== undefined) {
      this.#drawViolation(scale, this.#violationMs);
      y += rowPx;
    }
    if (this.#phases.length > 0) {
      this.#drawPhases(scale, y);
      y += rowPx;
    }
    this.#drawTicks(scale, y);
    if (this.#violationMs !== undefined) {
      pen.fillStyle = this.#palette.of('violation');
      const x = scale.xOf(this.#violationMs) - 1;
      // not through the words on the ticks
      pen.fillRect(x, 2, 2, y - 2);
      pen.fillRect(x, this.heightPx - 6, 2, 6);
    }
  }

  /** Where the row of the ticks begins. */
  get ticksPx(): number {
    return this.heightPx - rowPx;
  }

  /** The phase that is written at this place, as the event with which it began. */
  phaseAt(scale: Scale, x: number, y: number): RecordedEvent | undefined {
    const topPx = this.#violationMs === undefined ? 0 : rowPx;
    if (y < topPx || y >= topPx + rowPx) return undefined;
    return this.#phases.findLast(({ atMs }) => scale.xOf(atMs) <= x);
  }

  #drawViolation(scale: Scale, atMs: number): void {
    const { pen, widthPx } = this.canvas;
    const x = scale.xOf(atMs);
    if (x < 0 || x > widthPx) return;
    pen.font = boldFont;
    const text = fit(pen, `Promise broken at ${formatMs(atMs, 1)}`, widthPx - 2 * insetPx);
    const width = pen.measureText(text).width + 2 * insetPx;
    const left = x + width > widthPx ? Math.max(0, x - width + 1) : x - 1;
    pen.fillStyle = this.#palette.of('violation');
    pen.fillRect(left, 2, width, rowPx - 3);
    pen.fillStyle = this.#palette.of('surface');
    pen.fillText(text, left + insetPx, rowPx / 2 + 1);
  }

  #drawPhases(scale: Scale, y: number): void {
    const { pen, widthPx } = this.canvas;
    pen.font = font;
    this.#phases.forEach(({ atMs, text }, index) => {
      const x = Math.max(0, scale.xOf(atMs));
      const end = Math.min(widthPx, scale.xOf(this.#phases[index + 1]?.atMs ?? scale.toMs));
      if (end <= x) return;
      pen.fillStyle = this.#palette.of(index % 2 === 0 ? 'phase-even' : 'phase-odd');
      pen.fillRect(x, y, end - x, rowPx);
      pen.fillStyle = this.#palette.of('phase');
      if (scale.xOf(atMs) >= 0) pen.fillRect(x, y, 2, rowPx);
      pen.fillText(fit(pen, text, end - x - 2 * insetPx), x + insetPx, y + rowPx / 2 + 0.5);
    });
  }

  #drawTicks(scale: Scale, y: number): void {
    const { pen, widthPx } = this.canvas;
    pen.font = font;
    const ticks = ticksOf(scale, tickSpacingPx);
    this.labels = ticks.map(({ label }) => label);
    for (const { atMs, label } of ticks) {
      const x = Math.round(scale.xOf(atMs));
      pen.fillStyle = this.#palette.of('muted');
      pen.fillRect(x, y + rowPx - 5, 1, 6);
      const width = pen.measureText(label).width;
      const left = Math.max(2, Math.min(widthPx - width - 2, x - width / 2));
      pen.fillText(label, left, y + rowPx / 2 - 2);
    }
    pen.fillStyle = this.#palette.of('line');
    pen.fillRect(0, this.heightPx - 1, widthPx, 1);
  }
}
