import type { RecordedEvent } from '../recording.ts';
import { firstFrom } from './lanes.ts';
import type { View } from './view.ts';
import { stretchBefore } from './violation.ts';

/** Share of the sight by which a key or a button moves it. */
const stepShare = 0.2;
const zoomFactor = 1.6;

/** The moves that buttons and keys have in common. */
export class Journey {
  readonly #view: View;
  readonly #violationMs: number | undefined;

  constructor(view: View, violationMs: number | undefined) {
    this.#view = view;
    this.#violationMs = violationMs;
  }

  zoomIn(): void {
    this.#zoom(zoomFactor);
  }

  zoomOut(): void {
    this.#zoom(1 / zoomFactor);
  }

  whole(): void {
    this.#view.change({ scale: this.#view.shown.scale.whole() });
  }

  /** The last stretch before a promise was broken; nothing where none was. */
  beforeViolation(): void {
    if (this.#violationMs === undefined) return;
    const { fromMs, toMs } = stretchBefore(this.#violationMs, this.#view.shown.scale.durationMs);
    this.#view.change({ scale: this.#view.shown.scale.showing(fromMs, toMs) });
  }

  /** By steps: −1 is one to the left. */
  pan(steps: number): void {
    const { scale } = this.#view.shown;
    this.#view.change({ scale: scale.panned(steps * stepShare * scale.stretchMs) });
  }

  toBegin(): void {
    const { scale } = this.#view.shown;
    this.#view.change({ scale: scale.panned(-scale.durationMs) });
  }

  toEnd(): void {
    const { scale } = this.#view.shown;
    this.#view.change({ scale: scale.panned(scale.durationMs) });
  }

  /** Picks the event `by` places after the picked one; the first or last in sight when none is picked. */
  step(by: number): void {
    const { passing, scale } = this.#view.shown;
    const picked = this.#view.pickedEvent;
    const at = picked === undefined ? -1 : passing.indexOf(picked);
    const last = passing.length - 1;
    const { fromMs, toMs } = scale.inner;
    const fresh = by > 0 ? firstFrom(passing, picked?.atMs ?? fromMs) : firstFrom(passing, picked?.atMs ?? toMs) - 1;
    const event = passing[Math.max(0, Math.min(last, at === -1 ? fresh : at + by))];
    if (event !== undefined) this.#view.goTo(event);
  }

  /** Brings what is picked into the middle and closer; picks the first event in sight when nothing is. */
  focus(): void {
    const event: RecordedEvent | undefined = this.#view.pickedEvent;
    if (event === undefined) {
      this.step(1);
      return;
    }
    const { scale } = this.#view.shown;
    const halfMs = scale.stretchMs / zoomFactor / 2;
    this.#view.change({ scale: scale.showing(event.atMs - halfMs, event.atMs + halfMs) });
  }

  /** Around what is picked, where that is in sight. */
  #zoom(factor: number): void {
    const { scale } = this.#view.shown;
    const atMs = this.#view.pickedEvent?.atMs;
    const aroundMs = atMs !== undefined && scale.contains(atMs) ? atMs : undefined;
    this.#view.change({ scale: scale.zoomed(factor, aroundMs) });
  }
}
