/// <reference lib="dom" />
import { element, icon } from './element.ts';
import { kinds, markOf } from './marks.ts';

/** What the bars and lines mean: the class of a sample, and the words. */
const samples: readonly (readonly [sample: string, name: string, meaning: string])[] = [
  ['leading', 'leads', 'the node is the leader, in the term that is written there'],
  ['off', 'off', 'striped: the machine is off'],
  ['paused', 'paused', 'dotted: the process stands still, and does not know it'],
  ['cut', 'cut off', 'dashed frame: the network lets nothing through to the nodes that are named'],
  ['agent', 'agent', 'an instance of the agent exists on the node; each agent has a colour'],
  [
    'message',
    'messages',
    'from sender to receiver, in their slice of time; thicker when there are more; of very many, the thickest',
  ],
  ['lost', 'lost', 'dashed line: some or all of these messages were lost'],
];

const intro =
  'Time runs from left to right. Each lane is a node: above, the state that it is in; in the middle, what happened; ' +
  'below, its agents.';

const controls: readonly (readonly [keys: string, meaning: string])[] = [
  ['wheel, pinch, + −', 'zoom'],
  ['drag, Shift + wheel, ← →', 'move in time'],
  ['drag the time axis', 'zoom to a stretch; so does Shift + drag'],
  ['double click, 0', 'whole run'],
  ['N  P', 'next and previous event'],
  ['Enter', 'closer to the event; Esc lets it go'],
];

export function fillLegend(box: HTMLElement): void {
  const marked = kinds.map((kind) => {
    const { label, meaning, path, colour } = markOf(kind);
    return entry(icon(path, colour), label, meaning);
  });
  const drawn = samples.map(([sample, name, meaning]) =>
    entry(element('span', { class: `sample ${sample}`, 'aria-hidden': 'true' }), name, meaning),
  );
  const keys = controls.map(([name, meaning]) =>
    element('div', {}, element('dt', {}, name), element('dd', {}, meaning)),
  );
  const part = (title: string, list: HTMLElement): HTMLElement =>
    element('section', {}, element('h2', {}, title), list);
  box.replaceChildren(
    element('p', {}, intro),
    part('Events', element('ul', {}, ...marked)),
    part('Bars and lines', element('ul', {}, ...drawn)),
    part('Mouse, fingers and keys', element('dl', { class: 'keys' }, ...keys)),
  );
}

function entry(sign: Element, name: string, meaning: string): HTMLElement {
  return element('li', {}, sign, element('span', {}, element('b', {}, name), `: ${meaning}`));
}
