/// <reference lib="dom" />
import type { RecordedEvent, RecordedKind } from '../recording.ts';
import type { Canvas } from './canvas.ts';
import { firstFrom } from './lanes.ts';
import { markOf } from './marks.ts';
import type { Palette } from './palette.ts';
import type { Scale } from './scale.ts';

/** Side of the box in which a mark's outline is given. */
const boxUnits = 16;
/** Two marks of a kind closer than this look like one. */
const apartPxMin = 2.5;

/** Draws the marks of events. Each is painted once and then stamped: a lane may hold thousands. */
export class Sprites {
  readonly #canvas: Canvas;
  readonly #palette: Palette;
  readonly #stamps = new Map<string, HTMLCanvasElement>();

  constructor(canvas: Canvas, palette: Palette) {
    this.#canvas = canvas;
    this.#palette = palette;
  }

  /** After a change of colours. */
  forget(): void {
    this.#stamps.clear();
  }

  /** The marks of events in order of time, on one height, `sizePx` high. */
  draw(events: readonly RecordedEvent[], scale: Scale, centrePx: number, sizePx: number): void {
    const first = firstFrom(events, scale.msAt(-sizePx));
    const end = firstFrom(events, scale.msAt(scale.widthPx + sizePx));
    for (const layer of [0, 1, 2]) {
      const lastPx = new Map<RecordedKind, number>();
      for (let i = first; i < end; i++) {
        const event = events[i] as RecordedEvent;
        if (markOf(event.kind).layer !== layer) continue;
        const x = scale.xOf(event.atMs);
        if (x - (lastPx.get(event.kind) ?? Number.NEGATIVE_INFINITY) < apartPxMin) continue;
        lastPx.set(event.kind, x);
        this.stamp(event.kind, x, centrePx, sizePx);
      }
    }
  }

  stamp(kind: RecordedKind, x: number, y: number, sizePx: number): void {
    this.#canvas.pen.drawImage(this.#stampOf(kind, sizePx), x - sizePx / 2, y - sizePx / 2, sizePx, sizePx);
  }

  #stampOf(kind: RecordedKind, sizePx: number): HTMLCanvasElement {
    const { density } = this.#canvas;
    const key = `${kind} ${sizePx} ${density}`;
    let stamp = this.#stamps.get(key);
    if (stamp !== undefined) return stamp;
    stamp = document.createElement('canvas');
    stamp.width = stamp.height = Math.ceil(sizePx * density);
    const pen = stamp.getContext('2d');
    const { path, colour } = markOf(kind);
    if (pen !== null) {
      const unit = stamp.width / boxUnits;
      pen.setTransform(unit, 0, 0, unit, stamp.width / 2, stamp.width / 2);
      const outline = new Path2D(path);
      pen.fillStyle = this.#palette.of(colour);
      pen.fill(outline);
      // a rim in the colour of the page keeps neighbours apart
      pen.strokeStyle = this.#palette.of('surface');
      pen.lineWidth = 1.2;
      pen.stroke(outline);
    }
    this.#stamps.set(key, stamp);
    return stamp;
  }
}
