/// <reference lib="dom" />
import type { RecordedEvent, RecordedSpan } from '../recording.ts';
import { barLabel } from './bars.ts';
import { element, icon } from './element.ts';
import { markOf } from './marks.ts';
import { formatMs } from './scale.ts';
import type { Flow, Traffic } from './traffic.ts';
import type { Picked, Shown } from './view.ts';

type Fact = readonly [name: string, value: string];

const exact = (ms: number): string => formatMs(ms, 1);
const count = (number: number): string => number.toLocaleString('en');

/** All that is known of what the reader picked. */
export class Details {
  readonly #box: HTMLElement;
  readonly #traffic: Traffic;
  #picked: Picked | undefined | null = null;

  constructor(box: HTMLElement, traffic: Traffic) {
    this.#box = box;
    this.#traffic = traffic;
  }

  draw({ picked, messageType }: Shown): void {
    if (picked === this.#picked) return;
    this.#picked = picked;
    this.#box.scrollTop = 0;
    this.#box.replaceChildren(...this.#content(picked, messageType));
  }

  #content(picked: Picked | undefined, messageType: string | undefined): Node[] {
    if (picked === undefined) {
      return [element('p', { class: 'hint' }, 'Click an event, a bar or a message to see all that is known of it.')];
    }
    if (picked.what === 'event') return eventContent(picked.event);
    if (picked.what === 'span') return spanContent(picked.span);
    return flowContent(picked.flow, this.#traffic.typesOf(picked.flow, messageType));
  }
}

function factList(facts: readonly Fact[]): HTMLElement {
  const pairs = facts.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);
  return element('dl', { class: 'facts' }, ...pairs);
}

function eventContent(event: RecordedEvent): Node[] {
  const { path, colour, label } = markOf(event.kind);
  const facts: Fact[] = [
    ['time', exact(event.atMs)],
    ['node', event.node ?? 'the whole world'],
    ...(event.agent === undefined ? [] : [['agent', event.agent] as const]),
    ['kind', label],
    ['step', count(event.step)],
  ];
  const content: Node[] = [element('h3', {}, icon(path, colour), element('span', {}, event.text)), factList(facts)];
  if (event.details !== undefined && Object.keys(event.details).length > 0) {
    content.push(
      element('h4', {}, 'Data'),
      element('pre', { tabindex: 0, 'aria-label': 'Data as JSON' }, JSON.stringify(event.details, undefined, 2)),
    );
  }
  return content;
}

function spanContent(span: RecordedSpan): Node[] {
  return [
    element('h3', {}, `${span.node}: ${barLabel(span)}`),
    factList([
      ['from', exact(span.fromMs)],
      ['until', exact(span.toMs)],
      ['lasted', exact(span.toMs - span.fromMs)],
      ['node', span.node],
      ...(span.agent === undefined ? [] : [['agent', span.agent] as const]),
    ]),
  ];
}

function flowContent(flow: Flow, types: readonly { type: string; sent: number; lost: number }[]): Node[] {
  const rows = types.map(({ type, sent, lost }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, type),
      element('td', {}, count(sent)),
      element('td', {}, count(lost)),
    ),
  );
  const head = ['type', 'sent', 'lost'].map((name) => element('th', { scope: 'col' }, name));
  return [
    element('h3', {}, `Messages from ${flow.from} to ${flow.to}`),
    factList([
      ['from', exact(flow.atMs)],
      ['until', exact(flow.atMs + flow.binMs)],
      ['sent', count(flow.sent)],
      ['lost', count(flow.lost)],
    ]),
    element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows)),
  ];
}
