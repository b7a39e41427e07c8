/// <reference lib="dom" />
import type { Recording } from '../recording.ts';
import { byId, element, icon } from './element.ts';
import { formatMs } from './scale.ts';

const tick = 'M-6.5 0.2-4.6-1.7-1.8 1.1 4.6-5.3 6.5-3.4-1.8 5Z';
const cross = 'M-6.5-4.4-4.4-6.5 0-2.1 4.4-6.5 6.5-4.4 2.1 0 6.5 4.4 4.4 6.5 0 2.1-4.4 6.5-6.5 4.4-2.1 0Z';
const copiedMs = 2_000;

/** A count's name as words: `tasksAcknowledged` becomes "tasks acknowledged". */
const words = (name: string): string => name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();

/** The head of the page: whether every promise held, and how to see the same run again. */
export function showVerdict(recording: Recording): void {
  const { verdict, seed, command } = recording;
  const title = verdict.ok ? 'Every promise held' : 'A promise was broken';
  document.title = `${title}: seed ${seed}`;
  const box = byId('verdict');
  box.classList.add(verdict.ok ? 'good' : 'bad');
  const checker = verdict.checker === undefined ? [] : [element('code', { class: 'checker' }, verdict.checker)];
  box.replaceChildren(
    element('h1', {}, icon(verdict.ok ? tick : cross, 'seal'), element('span', {}, title), ...checker),
    element('p', {}, verdict.summary),
  );
  if (verdict.evidence !== undefined && verdict.evidence !== '') {
    box.append(element('pre', { class: 'evidence', tabindex: 0, 'aria-label': 'Evidence' }, verdict.evidence));
  }
  // Lines break between words only: after a dash they would be misread.
  byId('command').replaceChildren(...command.split(' ').flatMap((word) => [element('span', {}, word), ' ']));
  byId('counts').replaceChildren(...counts(recording));
  const note = byId('omitted');
  note.hidden = recording.omitted === 0;
  note.textContent = `${recording.omitted.toLocaleString('en')} older events were left out to keep this page small.`;
  copyOnClick(byId('copy'), byId('command'), byId('copied'));
}

function counts(recording: Recording): HTMLElement[] {
  const facts: [string, string][] = [
    ['seed', recording.seed],
    ['virtual time', formatMs(recording.durationMs, 100)],
    ['nodes', recording.nodes.length.toLocaleString('en')],
    ['agents', recording.agents.length.toLocaleString('en')],
  ];
  const own = new Set(facts.map(([name]) => name));
  for (const [name, count] of Object.entries(recording.counts)) {
    if (!own.has(words(name))) facts.push([words(name), count.toLocaleString('en')]);
  }
  return facts.map(([name, value]) =>
    element('div', {}, element('dt', {}, name), element('dd', name === 'seed' ? { id: 'seed' } : {}, value)),
  );
}

function copyOnClick(button: HTMLElement, source: HTMLElement, said: HTMLElement): void {
  const say = (text: string): void => {
    said.textContent = text;
    setTimeout(() => {
      said.textContent = '';
    }, copiedMs);
  };
  button.addEventListener('click', () => {
    const text = source.textContent.trim();
    // Not every browser lets a page that was opened from a file write to the clipboard.
    const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard'));
    written.then(
      () => say('Copied'),
      () => {
        getSelection()?.selectAllChildren(source);
        say('Marked: press Ctrl+C');
      },
    );
  });
}
