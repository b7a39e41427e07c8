/// <reference lib="dom" />
import type { RecordedEvent } from '../recording.ts';
import { Canvas } from './canvas.ts';
import { markOf } from './marks.ts';
import type { Palette } from './palette.ts';
import { Scale } from './scale.ts';
import type { Shown, View } from './view.ts';

const columnPx = 3;
const columnHeightPxMin = 2;
/** The window stays one that can be seen and held, however far the zoom goes. */
const windowPxMin = 6;

interface Column {
  count: number;
  faults: number;
}

/** The whole run in small: how much happened when, and which stretch of it the lanes show. */
export class Overview {
  readonly #canvas: Canvas;
  readonly #palette: Palette;
  readonly #durationMs: number;
  readonly #violationMs: number | undefined;
  #columns: Column[] = [];
  #passing: readonly RecordedEvent[] | undefined;

  constructor(element: HTMLCanvasElement, palette: Palette, durationMs: number, violationMs: number | undefined) {
    this.#canvas = new Canvas(element);
    this.#palette = palette;
    this.#durationMs = durationMs;
    this.#violationMs = violationMs;
  }

  /** Moves the stretch that the lanes show to where the strip is pressed, for as long as it is. */
  listen(view: View): void {
    const { element } = this.#canvas;
    const move = (event: PointerEvent): void => {
      const { scale } = view.shown;
      const atMs = this.#scale().msAt(event.clientX - element.getBoundingClientRect().left);
      view.change({ scale: scale.panned(atMs - (scale.fromMs + scale.toMs) / 2) });
    };
    element.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      move(event);
    });
    element.addEventListener('pointermove', (event) => {
      if (element.hasPointerCapture(event.pointerId)) move(event);
    });
  }

  draw({ scale, passing }: Shown): void {
    const canvas = this.#canvas;
    canvas.clear();
    const { pen, widthPx, heightPx } = canvas;
    const whole = this.#scale();
    this.#count(passing, whole);
    const most = this.#columns.reduce((max, { count }) => Math.max(max, count), 1);
    this.#columns.forEach(({ count, faults }, index) => {
      if (count === 0) return;
      // a logarithm: one event is still to be seen beside a thousand
      const height = Math.max(columnHeightPxMin, ((heightPx - 14) * Math.log1p(count)) / Math.log1p(most));
      pen.fillStyle = this.#palette.of('overview');
      pen.fillRect(index * columnPx, heightPx - height, columnPx - 1, height);
      if (faults === 0) return;
      pen.fillStyle = this.#palette.of('fault');
      pen.fillRect(index * columnPx, 4, columnPx - 1, 6);
    });
    if (this.#violationMs !== undefined) {
      pen.fillStyle = this.#palette.of('violation');
      pen.fillRect(whole.xOf(this.#violationMs) - 1, 0, 2, heightPx);
    }
    const x = whole.xOf(scale.fromMs);
    const width = Math.max(windowPxMin, whole.xOf(scale.toMs) - x);
    pen.fillStyle = this.#palette.of('veil');
    pen.fillRect(0, 0, x, heightPx);
    pen.fillRect(x + width, 0, widthPx, heightPx);
    pen.strokeStyle = this.#palette.of('accent');
    pen.lineWidth = 2;
    pen.strokeRect(Math.max(1, x), 1, Math.min(widthPx - 1, x + width) - Math.max(1, x), heightPx - 2);
  }

  #scale(): Scale {
    return Scale.whole(this.#durationMs, this.#canvas.element.clientWidth);
  }

  #count(passing: readonly RecordedEvent[], whole: Scale): void {
    const size = Math.ceil(whole.widthPx / columnPx);
    if (this.#passing === passing && this.#columns.length === size) return;
    this.#passing = passing;
    this.#columns = Array.from({ length: size }, () => ({ count: 0, faults: 0 }));
    for (const { atMs, kind } of passing) {
      const column = this.#columns[Math.floor(whole.xOf(atMs) / columnPx)];
      if (column === undefined) continue;
      column.count += 1;
      if (markOf(kind) === markOf('fault')) column.faults += 1;
    }
  }
}
