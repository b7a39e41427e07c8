/// <reference lib="dom" />
// Runs in the browser that shows a report page: reads the recording out of the page and draws it.
import type { Recording } from '../recording.ts';
import { Axis } from './axis.ts';
import { Chart } from './chart.ts';
import { Controls } from './controls.ts';
import { Details } from './details.ts';
import { byId, byIdAs, element } from './element.ts';
import { EventList } from './event-list.ts';
import { Gestures } from './gestures.ts';
import { hit } from './hit.ts';
import { Journey } from './journey.ts';
import { listenToKeys } from './keys.ts';
import { lanesOf } from './lanes.ts';
import { fillLegend } from './legend.ts';
import { Overview } from './overview.ts';
import { Palette } from './palette.ts';
import { formatMs, Scale } from './scale.ts';
import { showTooltip } from './tooltip.ts';
import { Traffic } from './traffic.ts';
import { showVerdict } from './verdict.ts';
import { type Picked, type Shown, View } from './view.ts';
import { stretchBefore, violationMsOf } from './violation.ts';

/** With more nodes than this, lanes are low at first. */
const roomyNodesMax = 10;
/** More lines than this, for each pixel of width, hide what is behind them: messages are off at first. */
const linesPerPxMax = 0.4;

const recording = JSON.parse(byId('recording').textContent ?? '') as Recording;
const events = recording.events.toSorted((a, b) => a.atMs - b.atMs || a.step - b.step);
const violationMs = violationMsOf(recording);
const violation = events.find(({ kind }) => kind === 'violation');
const palette = new Palette(document.documentElement);
const traffic = new Traffic(recording);
const lanes = lanesOf(recording);
const scroller = byId('scroller');
const lanesCanvas = byIdAs('lanes', HTMLCanvasElement);
const axisCanvas = byIdAs('axis', HTMLCanvasElement);

const view = new View({
  scale: firstScale(),
  passing: events,
  picked: violation === undefined ? undefined : { what: 'event', event: violation },
  messages: false,
  messageType: undefined,
  compact: recording.nodes.length > roomyNodesMax,
});
const journey = new Journey(view, violationMs);
const axis = new Axis(axisCanvas, recording, palette, violationMs);
const chart = new Chart(lanesCanvas, recording, { palette, lanes, traffic, violationMs });

showVerdict(recording);
fillLegend(byId('legend-text'));
const overview = new Overview(byIdAs('overview', HTMLCanvasElement), palette, recording.durationMs, violationMs);
const details = new Details(byId('details'), traffic);
const list = new EventList(
  view,
  { box: byId('list'), rows: byId('rows'), summary: byId('summary'), empty: byId('empty') },
  events.length,
);
new Controls(view, journey, { events, traffic, violationMs });
listenToKeys(journey, view);
overview.listen(view);

function firstScale(): Scale {
  const whole = Scale.whole(recording.durationMs, lanesCanvas.clientWidth);
  if (violationMs === undefined) return whole;
  const { fromMs, toMs } = stretchBefore(violationMs, recording.durationMs);
  return whole.showing(fromMs, toMs);
}

function showNames(): void {
  const items = chart.placed.map(({ lane, heightPx }) => {
    const item = element('li', { class: lane.node === undefined ? 'world' : '', title: lane.name });
    item.append(element('span', {}, lane.name));
    item.style.height = `${heightPx}px`;
    return item;
  });
  byId('names').classList.toggle('low', view.shown.compact);
  byId('names').replaceChildren(...items);
}

function fitToPage(): void {
  axisCanvas.style.height = `${axis.heightPx}px`;
  lanesCanvas.style.top = `${axis.heightPx}px`;
  lanesCanvas.style.height = `${Math.max(0, scroller.clientHeight - axis.heightPx)}px`;
  byId('cursor-time').style.top = `${axis.ticksPx}px`;
  view.change({ scale: view.shown.scale.sized(lanesCanvas.clientWidth) });
}

/** The upright line under the mouse and its time. */
function showCursor(x: number | undefined): void {
  const cursor = byId('cursor');
  cursor.hidden = x === undefined;
  if (x === undefined) return;
  const { scale } = view.shown;
  cursor.style.left = `${lanesCanvas.offsetLeft + x}px`;
  cursor.classList.toggle('flip', x > scale.widthPx - 90);
  byId('cursor-time').textContent = formatMs(scale.msAt(x), Math.min(1, scale.msPerPx));
}

function hoverLanes(x: number | undefined, y: number): void {
  const under = x === undefined ? undefined : hit(chart, view.shown.scale, x, y);
  showCursor(x);
  lanesCanvas.classList.toggle('over', under !== undefined);
  const { left, top } = lanesCanvas.getBoundingClientRect();
  showTooltip(byId('tooltip'), under, left + (x ?? 0), top + y);
}

new Gestures(
  view,
  {
    canvas: lanesCanvas,
    drag: 'pan',
    scroller,
    clicked: (x, y) => view.change({ picked: hit(chart, view.shown.scale, x, y) }),
    hovered: hoverLanes,
  },
  byId('frame'),
);
new Gestures(
  view,
  {
    canvas: axisCanvas,
    drag: 'select',
    clicked: (x, y) => {
      const event = axis.phaseAt(view.shown.scale, x, y);
      if (event !== undefined) view.change({ picked: { what: 'event', event } });
    },
    hovered: showCursor,
  },
  byId('frame'),
);

let revealed: Picked | undefined;
/** Scrolls the lanes to the node of an event that was picked elsewhere. */
function revealLane({ picked }: Shown): void {
  if (picked === revealed) return;
  revealed = picked;
  if (picked?.what !== 'event') return;
  const placed = chart.placed.find(({ lane }) => lane.node === picked.event.node);
  if (placed === undefined) return;
  const roomPx = lanesCanvas.clientHeight;
  const { topPx, heightPx } = placed;
  if (topPx >= scroller.scrollTop && topPx + heightPx <= scroller.scrollTop + roomPx) return;
  scroller.scrollTop = topPx - (roomPx - heightPx) / 2;
}

view.onDraw((shown) => {
  if (chart.arrange(shown.compact)) showNames();
  revealLane(shown);
  chart.draw(shown, scroller.scrollTop);
  axis.draw(shown);
  overview.draw(shown);
  list.draw(shown);
  details.draw(shown);
});
scroller.addEventListener('scroll', () => view.redraw());
new ResizeObserver(fitToPage).observe(scroller);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  palette.forget();
  chart.forget();
  view.redraw();
});
fitToPage();
const { scale } = view.shown;
const flowsAtFirst = traffic.flows(scale.fromMs, scale.toMs, scale.msPerPx, undefined).length;
view.change({ messages: !traffic.isEmpty && flowsAtFirst <= scale.widthPx * linesPerPxMax });
