/// <reference lib="dom" />
import type { RecordedEvent, RecordedKind } from '../recording.ts';
import { element, icon } from './element.ts';
import { kinds, markOf } from './marks.ts';

/** What a text is looked for in; small letters, so that it does not matter how it is written. */
const haystackOf = ({ kind, node, agent, text }: RecordedEvent): string =>
  `${text}\n${node ?? 'world'}\n${agent ?? ''}\n${kind}`.toLowerCase();

/** Which events are shown: those of the kinds that are ticked and, with a text, those that contain all its words. */
export class Filter {
  readonly #events: readonly RecordedEvent[];
  readonly #haystacks: readonly string[];
  readonly #hidden = new Set<RecordedKind>();
  #words: string[] = [];

  /** The events in order of time. */
  constructor(events: readonly RecordedEvent[]) {
    this.#events = events;
    this.#haystacks = events.map(haystackOf);
  }

  set text(text: string) {
    this.#words = text.toLowerCase().split(/\s+/).filter(Boolean);
  }

  show(kind: RecordedKind, isShown: boolean): void {
    if (isShown) this.#hidden.delete(kind);
    else this.#hidden.add(kind);
  }

  passing(): readonly RecordedEvent[] {
    if (this.#hidden.size + this.#words.length === 0) return this.#events;
    return this.#events.filter(
      ({ kind }, index) =>
        !this.#hidden.has(kind) && this.#words.every((word) => this.#haystacks[index]?.includes(word) === true),
    );
  }
}

/** A check box for each kind that the run has, with its mark and how many there are. */
export function kindBoxes(
  events: readonly RecordedEvent[],
  changed: (kind: RecordedKind, isShown: boolean) => void,
): HTMLElement[] {
  const counts = new Map<RecordedKind, number>();
  for (const { kind } of events) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return kinds
    .filter((kind) => counts.has(kind))
    .map((kind) => {
      const { label, path, colour, meaning } = markOf(kind);
      const box = element('input', { type: 'checkbox', checked: true, value: kind });
      box.addEventListener('change', () => changed(kind, box.checked));
      const count = element('span', { class: 'count' }, (counts.get(kind) ?? 0).toLocaleString('en'));
      return element('label', { class: 'kind', title: meaning }, box, icon(path, colour), label, ' ', count);
    });
}
