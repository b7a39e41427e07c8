/// <reference lib="dom" />
import { barLabel } from './bars.ts';
import { markOf } from './marks.ts';
import { formatMs } from './scale.ts';
import type { Picked } from './view.ts';

const offsetPx = 14;
const textLengthMax = 160;

function linesFor(picked: Picked): [title: string, text: string] {
  if (picked.what === 'event') {
    const { atMs, kind, node, text } = picked.event;
    const short = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
    return [`${formatMs(atMs, 1)} · ${node ?? 'world'} · ${markOf(kind).label}`, short];
  }
  if (picked.what === 'span') {
    const { fromMs, toMs, node } = picked.span;
    return [`${formatMs(fromMs, 1)} to ${formatMs(toMs, 1)} · ${node}`, barLabel(picked.span)];
  }
  const { atMs, binMs, from, to, sent, lost } = picked.flow;
  const loss = lost === 0 ? '' : `, ${lost.toLocaleString('en')} lost`;
  return [
    `${formatMs(atMs, 1)} to ${formatMs(atMs + binMs, 1)}`,
    `${from} → ${to}: ${sent.toLocaleString('en')} ${sent === 1 ? 'message' : 'messages'}${loss}`,
  ];
}

/** Shows what is under the mouse, beside it and within the page; nothing hides it. */
export function showTooltip(box: HTMLElement, picked: Picked | undefined, clientX: number, clientY: number): void {
  box.hidden = picked === undefined;
  if (picked === undefined) return;
  const [title, text] = linesFor(picked);
  const [first, second] = [box.firstElementChild, box.lastElementChild];
  if (first !== null) first.textContent = title;
  if (second !== null) second.textContent = text;
  const { offsetWidth, offsetHeight } = box;
  const { clientWidth, clientHeight } = document.documentElement;
  const right = clientX + offsetPx;
  const below = clientY + offsetPx;
  const left = right + offsetWidth > clientWidth ? clientX - offsetPx - offsetWidth : right;
  const top = below + offsetHeight > clientHeight ? clientY - offsetPx - offsetHeight : below;
  box.style.left = `${Math.max(4, left)}px`;
  box.style.top = `${Math.max(4, top)}px`;
}
