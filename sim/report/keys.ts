/// <reference lib="dom" />
import type { Journey } from './journey.ts';
import type { View } from './view.ts';

/** Keys work everywhere but where they mean something else already. */
const otherUse = 'input, select, textarea, [contenteditable]';
const pressable = 'button, summary, a[href]';

export function listenToKeys(journey: Journey, view: View): void {
  const actions: Record<string, () => void> = {
    ArrowLeft: () => journey.pan(-1),
    ArrowRight: () => journey.pan(1),
    '+': () => journey.zoomIn(),
    '=': () => journey.zoomIn(),
    '-': () => journey.zoomOut(),
    '0': () => journey.whole(),
    Home: () => journey.toBegin(),
    End: () => journey.toEnd(),
    n: () => journey.step(1),
    p: () => journey.step(-1),
    Enter: () => journey.focus(),
    Escape: () => view.change({ picked: undefined }),
  };
  document.addEventListener('keydown', (event) => {
    const target = event.target instanceof Element ? event.target : undefined;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target?.closest(otherUse) !== null && target !== undefined) return;
    if (event.key === 'Enter' && target !== undefined && target.closest(pressable) !== null) return;
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}
