/// <reference lib="dom" />
import type { RecordedEvent, RecordedSpan } from '../recording.ts';
import type { Scale } from './scale.ts';
import type { Flow } from './traffic.ts';

/** What the reader chose to look at closely. */
export type Picked =
  | { what: 'event'; event: RecordedEvent }
  | { what: 'span'; span: RecordedSpan }
  | { what: 'flow'; flow: Flow };

/** Everything that decides what the page shows. */
export interface Shown {
  scale: Scale;
  /** The events that pass the filter, in order of time. */
  passing: readonly RecordedEvent[];
  picked: Picked | undefined;
  messages: boolean;
  /** Only messages of this type; all without. */
  messageType: string | undefined;
  /** Low lanes: more nodes at once, without words in the bars. */
  compact: boolean;
}

/** Holds what is shown and lets the parts of the page draw it, at most once per frame. */
export class View {
  #shown: Shown;
  readonly #parts: ((shown: Shown) => void)[] = [];
  #planned = false;

  constructor(shown: Shown) {
    this.#shown = shown;
  }

  get shown(): Shown {
    return this.#shown;
  }

  /** A part of the page; it is called before the next frame whenever something changed. */
  onDraw(draw: (shown: Shown) => void): void {
    this.#parts.push(draw);
  }

  change(part: Partial<Shown>): void {
    this.#shown = { ...this.#shown, ...part };
    this.redraw();
  }

  redraw(): void {
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      for (const draw of this.#parts) draw(this.#shown);
    });
  }

  /** Picks an event and brings it into sight. */
  goTo(event: RecordedEvent): void {
    this.change({ picked: { what: 'event', event }, scale: this.#shown.scale.reaching(event.atMs) });
  }

  /** The event that is picked, if it is one. */
  get pickedEvent(): RecordedEvent | undefined {
    const { picked } = this.#shown;
    return picked?.what === 'event' ? picked.event : undefined;
  }
}
