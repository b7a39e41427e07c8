/// <reference lib="dom" />
import type { RecordedEvent } from '../recording.ts';
import { element, icon } from './element.ts';
import { firstFrom } from './lanes.ts';
import { markOf } from './marks.ts';
import { formatMs } from './scale.ts';
import type { Shown, View } from './view.ts';

const rowPx = 28;
/** Rows drawn above and below what is in sight, so that scrolling shows no gap. */
const rowsBeyond = 6;

interface EventListParts {
  /** The box that scrolls, a listbox. */
  box: HTMLElement;
  /** Holds the rows and is as high as all of them would be. */
  rows: HTMLElement;
  summary: HTMLElement;
  empty: HTMLElement;
}

/** The events within the stretch that the lanes show, as a list of which only the rows in sight exist. */
export class EventList {
  readonly #parts: EventListParts;
  readonly #view: View;
  readonly #total: number;
  #events: readonly RecordedEvent[] = [];
  #key: readonly unknown[] = [];
  #picked: RecordedEvent | undefined;

  constructor(view: View, parts: EventListParts, total: number) {
    this.#view = view;
    this.#parts = parts;
    this.#total = total;
    parts.box.addEventListener('scroll', () => this.#fill());
    parts.rows.addEventListener('click', (event) => this.#clicked(event));
    new ResizeObserver(() => this.#resized()).observe(parts.box);
  }

  draw({ scale, passing, picked }: Shown): void {
    const event = picked?.what === 'event' ? picked.event : undefined;
    const key = [scale.fromMs, scale.toMs, passing];
    if (key.some((each, index) => each !== this.#key[index])) {
      this.#key = key;
      this.#events = passing.slice(firstFrom(passing, scale.fromMs), firstFrom(passing, scale.toMs));
      this.#summarize(passing.length);
      if (event !== undefined) this.#reveal(event);
    }
    if (event !== this.#picked) {
      this.#picked = event;
      if (event !== undefined) this.#reveal(event);
    }
    this.#fill();
  }

  /** The details beside the list grow and shrink: what is picked stays in sight. */
  #resized(): void {
    if (this.#picked !== undefined) this.#reveal(this.#picked);
    this.#fill();
  }

  #summarize(passing: number): void {
    const { rows, summary, empty, box } = this.#parts;
    const number = (count: number): string => count.toLocaleString('en');
    const filtered = passing === this.#total ? '' : ` · ${number(this.#total - passing)} filtered out`;
    summary.textContent = `${number(this.#events.length)} of ${number(this.#total)} events in view${filtered}`;
    rows.style.height = `${this.#events.length * rowPx}px`;
    empty.hidden = this.#events.length > 0;
    box.hidden = this.#events.length === 0;
  }

  #reveal(event: RecordedEvent): void {
    const { box } = this.#parts;
    const index = this.#events.indexOf(event);
    if (index === -1) return;
    const topPx = index * rowPx;
    if (topPx >= box.scrollTop && topPx + rowPx <= box.scrollTop + box.clientHeight) return;
    box.scrollTop = topPx - (box.clientHeight - rowPx) / 2;
  }

  #fill(): void {
    const { box, rows } = this.#parts;
    const first = Math.max(0, Math.floor(box.scrollTop / rowPx) - rowsBeyond);
    const end = Math.min(this.#events.length, Math.ceil((box.scrollTop + box.clientHeight) / rowPx) + rowsBeyond);
    const made: HTMLElement[] = [];
    for (let index = first; index < end; index++) {
      const event = this.#events[index];
      if (event !== undefined) made.push(this.#row(event, index));
    }
    rows.replaceChildren(...made);
    const active = this.#picked === undefined ? undefined : made.find((row) => row.ariaSelected === 'true');
    if (active === undefined) box.removeAttribute('aria-activedescendant');
    else box.setAttribute('aria-activedescendant', active.id);
  }

  #row(event: RecordedEvent, index: number): HTMLElement {
    const { path, colour, label } = markOf(event.kind);
    const row = element(
      'div',
      {
        class: 'row',
        role: 'option',
        id: `row-${index}`,
        'data-index': index,
        'aria-selected': String(event === this.#picked),
        'aria-setsize': this.#events.length,
        'aria-posinset': index + 1,
      },
      element('span', { class: 'time' }, formatMs(event.atMs, 1)),
      icon(path, colour),
      element('span', { class: 'visually-hidden' }, label),
      element('span', { class: 'who' }, event.node ?? 'world'),
      element('span', { class: 'text' }, event.text),
    );
    row.style.top = `${index * rowPx}px`;
    return row;
  }

  #clicked(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>('.row') : null;
    const found = this.#events[Number(row?.dataset['index'])];
    if (found !== undefined) this.#view.goTo(found);
  }
}
