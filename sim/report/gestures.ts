/// <reference lib="dom" />
import type { View } from './view.ts';

/** What a drag with the mouse or one finger does. */
export type Drag = 'pan' | 'select';

export interface GestureTarget {
  canvas: HTMLCanvasElement;
  drag: Drag;
  /** What scrolls the lanes up and down while they are dragged. */
  scroller?: HTMLElement;
  clicked(x: number, y: number): void;
  hovered(x: number | undefined, y: number): void;
}

/** Less than this is a click by an unsteady hand, px. */
const dragPxMin = 4;
const wheelZoom = 0.0016;
/** Pinching on a touchpad comes as small wheel steps with the control key. */
const pinchZoom = 0.01;
const linePx = 16;

interface Pointer {
  x: number;
  y: number;
}

/** Wheel, mouse and fingers on a canvas whose x is time: they zoom, pan, choose a stretch and click. */
export class Gestures {
  readonly #view: View;
  readonly #target: GestureTarget;
  /** The frame that shows the stretch being chosen. */
  readonly #frame: HTMLElement;
  readonly #pointers = new Map<number, Pointer>();
  #begin: Pointer | undefined;
  #drag: Drag | undefined;

  constructor(view: View, target: GestureTarget, frame: HTMLElement) {
    this.#view = view;
    this.#target = target;
    this.#frame = frame;
    const { canvas } = target;
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    canvas.addEventListener('pointerup', (event) => this.#up(event));
    canvas.addEventListener('pointercancel', (event) => this.#cancel(event));
    canvas.addEventListener('pointerleave', () => target.hovered(undefined, 0));
    canvas.addEventListener('dblclick', () => view.change({ scale: view.shown.scale.whole() }));
  }

  #at(event: MouseEvent): Pointer {
    const { left, top } = this.#target.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : linePx;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const { scale } = this.#view.shown;
    const sideways = event.shiftKey || Math.abs(dx) > Math.abs(dy);
    if (sideways && !event.ctrlKey) {
      this.#view.change({ scale: scale.panned((dx || dy) * scale.msPerPx) });
      return;
    }
    const factor = Math.exp(-dy * (event.ctrlKey ? pinchZoom : wheelZoom));
    this.#view.change({ scale: scale.zoomed(factor, scale.msAt(this.#at(event).x)) });
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0 || this.#pointers.size >= 2) return;
    const at = this.#at(event);
    this.#pointers.set(event.pointerId, at);
    this.#target.canvas.setPointerCapture(event.pointerId);
    this.#begin = this.#pointers.size === 1 ? at : undefined;
    this.#drag = undefined;
  }

  #move(event: PointerEvent): void {
    const at = this.#at(event);
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) {
      this.#target.hovered(at.x, at.y);
      return;
    }
    if (this.#pointers.size === 2) this.#pinch(event.pointerId, before, at);
    else this.#dragTo(before, at, event.shiftKey);
    this.#pointers.set(event.pointerId, at);
  }

  #dragTo(before: Pointer, at: Pointer, isShift: boolean): void {
    const begin = this.#begin;
    if (begin === undefined) return;
    if (this.#drag === undefined) {
      if (Math.hypot(at.x - begin.x, at.y - begin.y) < dragPxMin) return;
      this.#drag = isShift ? 'select' : this.#target.drag;
      this.#target.hovered(undefined, 0);
    }
    const { scale } = this.#view.shown;
    if (this.#drag === 'select') {
      this.#showFrame(begin.x, at.x);
      return;
    }
    this.#target.scroller?.scrollBy(0, before.y - at.y);
    this.#view.change({ scale: scale.panned((before.x - at.x) * scale.msPerPx) });
  }

  /** Both fingers stay on the moments on which they were put. */
  #pinch(id: number, before: Pointer, at: Pointer): void {
    const other = [...this.#pointers].find(([each]) => each !== id)?.[1];
    if (other === undefined) return;
    const { scale } = this.#view.shown;
    const [wasPx, isPx] = [Math.abs(before.x - other.x), Math.abs(at.x - other.x)];
    const middleMs = scale.msAt((before.x + other.x) / 2);
    const factor = Math.max(isPx, 1) / Math.max(wasPx, 1);
    const zoomed = scale.zoomed(Math.min(2, Math.max(0.5, factor)), middleMs);
    this.#view.change({ scale: zoomed.panned(((before.x - at.x) / 2) * zoomed.msPerPx) });
  }

  #up(event: PointerEvent): void {
    const at = this.#at(event);
    const begin = this.#begin;
    if (this.#pointers.size === 1 && begin !== undefined) {
      if (this.#drag === 'select') this.#choose(begin.x, at.x);
      else if (this.#drag === undefined) this.#target.clicked(at.x, at.y);
    }
    this.#cancel(event);
  }

  #cancel(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    this.#begin = undefined;
    this.#drag = undefined;
    this.#frame.hidden = true;
  }

  #choose(oneX: number, otherX: number): void {
    const { scale } = this.#view.shown;
    const [from, to] = [Math.min(oneX, otherX), Math.max(oneX, otherX)];
    this.#view.change({ scale: scale.showing(scale.msAt(from), scale.msAt(to)) });
  }

  #showFrame(oneX: number, otherX: number): void {
    const { offsetLeft } = this.#target.canvas;
    this.#frame.hidden = false;
    this.#frame.style.left = `${offsetLeft + Math.min(oneX, otherX)}px`;
    this.#frame.style.width = `${Math.abs(otherX - oneX)}px`;
  }
}
