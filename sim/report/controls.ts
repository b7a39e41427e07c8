/// <reference lib="dom" />
import type { RecordedEvent } from '../recording.ts';
import { byId, byIdAs, element } from './element.ts';
import { Filter, kindBoxes } from './filter.ts';
import type { Journey } from './journey.ts';
import { formatMs } from './scale.ts';
import type { Traffic } from './traffic.ts';
import type { Shown, View } from './view.ts';

const pageRows = 10;

/** The buttons, boxes and fields of the page, and the keys of the list of events. */
export class Controls {
  readonly #view: View;
  readonly #journey: Journey;
  readonly #events: readonly RecordedEvent[];
  readonly #traffic: Traffic;

  constructor(
    view: View,
    journey: Journey,
    run: { events: readonly RecordedEvent[]; traffic: Traffic; violationMs: number | undefined },
  ) {
    this.#view = view;
    this.#journey = journey;
    this.#events = run.events;
    this.#traffic = run.traffic;
    byId('before').hidden = run.violationMs === undefined;
    this.#buttons();
    this.#filter();
    this.#messages();
    this.#listKeys();
    const compact = byIdAs('compact', HTMLInputElement);
    compact.addEventListener('change', () => view.change({ compact: compact.checked }));
    document.addEventListener('pointerdown', (event) => this.#closeLegend(event));
    view.onDraw((shown) => this.#draw(shown));
  }

  #buttons(): void {
    const journey = this.#journey;
    const actions: Record<string, () => void> = {
      whole: () => journey.whole(),
      before: () => journey.beforeViolation(),
      'zoom-in': () => journey.zoomIn(),
      'zoom-out': () => journey.zoomOut(),
      previous: () => journey.step(-1),
      next: () => journey.step(1),
    };
    for (const [id, action] of Object.entries(actions)) byId(id).addEventListener('click', action);
  }

  #filter(): void {
    const filter = new Filter(this.#events);
    const apply = (): void => this.#view.change({ passing: filter.passing() });
    const field = byIdAs('filter', HTMLInputElement);
    field.addEventListener('input', () => {
      filter.text = field.value;
      apply();
    });
    const boxes = kindBoxes(this.#events, (kind, isShown) => {
      filter.show(kind, isShown);
      apply();
    });
    byId('kinds').append(...boxes);
  }

  #messages(): void {
    const box = byIdAs('messages', HTMLInputElement);
    const select = byIdAs('message-type', HTMLSelectElement);
    box.disabled = select.disabled = this.#traffic.isEmpty;
    for (const { type, sent } of this.#traffic.types) {
      select.append(element('option', { value: type }, `${type} (${sent.toLocaleString('en')})`));
    }
    box.addEventListener('change', () => this.#view.change({ messages: box.checked }));
    // Who chooses a type wants to see it.
    select.addEventListener('change', () =>
      this.#view.change({ messages: true, messageType: select.value === '' ? undefined : select.value }),
    );
  }

  #listKeys(): void {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: pageRows, PageUp: -pageRows };
    byId('list').addEventListener('keydown', (event) => {
      const by = steps[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.#journey.step(by);
    });
  }

  #closeLegend(event: PointerEvent): void {
    const legend = byIdAs('legend', HTMLDetailsElement);
    if (legend.open && event.target instanceof Node && !legend.contains(event.target)) legend.open = false;
  }

  #draw({ scale, messages, compact, passing }: Shown): void {
    const from = Math.max(0, scale.fromMs);
    const to = Math.min(scale.durationMs, scale.toMs);
    const stepMs = Math.max(0.01, 10 ** Math.floor(Math.log10(scale.stretchMs / 100)));
    byId('range').textContent = `${formatMs(from, stepMs).replace(' s', '')} – ${formatMs(to, stepMs)}`;
    byIdAs('messages', HTMLInputElement).checked = messages;
    byIdAs('compact', HTMLInputElement).checked = compact;
    for (const id of ['previous', 'next']) byIdAs(id, HTMLButtonElement).disabled = passing.length === 0;
  }
}
