/** Colours: words on surfaces keep the contrast of WCAG AA (4.5 : 1), marks and edges that of graphics (3 : 1). */
const colours = `
:root {
  color-scheme: light dark;
  --page: #f3f4f7; --surface: #ffffff; --raised: #f8f9fb; --ink: #1a1e26; --muted: #565f6d; --line: #d4d8df;
  --grid: #0f172a12; --accent: #1f57c3; --picked-line: #1f57c399; --hover: #e9edf5; --picked: #dce7fb;
  --good: #0f6a32; --good-page: #e7f5ec; --bad: #a80f27; --bad-page: #fdedef;
  --violation: #b3001e; --fault: #b84300; --mend: #157a3a; --report: #2459c9; --request: #7c3aad;
  --acknowledged: #0b7285; --phase: #3b4350;
  --leading: #a06a00; --off: #59616e; --paused: #6b5b95; --cut: #b84300; --message: #66758c; --lost: #c2255c;
  --absent: #5560701a; --world-lane: #f6f7fa; --phase-even: #e6e9ef; --phase-odd: #f0f2f6;
  --overview: #8f9bb0; --veil: #f3f4f7b8;
  --agent-0: #2f6fde; --agent-1: #0f8a7e; --agent-2: #8b46d8; --agent-3: #c25b12; --agent-4: #c22a7d;
  --agent-5: #4d8a1c; --agent-6: #8a7400; --agent-7: #5b6b85;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1217; --surface: #171b22; --raised: #1d222b; --ink: #e6e9ef; --muted: #a3adbc; --line: #303743;
    --grid: #ffffff12; --accent: #86b1ff; --picked-line: #86b1ff99; --hover: #242b36; --picked: #24344f;
    --good: #74dd93; --good-page: #12261a; --bad: #ff9ca4; --bad-page: #301519;
    --violation: #ff6b78; --fault: #ff9457; --mend: #5fd07e; --report: #82aaff; --request: #cf9cff;
    --acknowledged: #52cadb; --phase: #c2cad6;
    --leading: #f0b93f; --off: #98a2b1; --paused: #b9a6ec; --cut: #ff9457; --message: #8492a8; --lost: #ff7fb0;
    --absent: #0000004d; --world-lane: #14181e; --phase-even: #262d38; --phase-odd: #1d232c;
    --overview: #5a6679; --veil: #0f1217b3;
    --agent-0: #6ea3ff; --agent-1: #3fc7b8; --agent-2: #bd8bff; --agent-3: #f59a55; --agent-4: #f57ab9;
    --agent-5: #93d15a; --agent-6: #dcc64a; --agent-7: #9fb0cc;
  }
}`;

const basics = `
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { height: 100%; }
body { margin: 0; min-height: 100%; background: var(--page); color: var(--ink); font: 14px/1.45 system-ui, sans-serif;
  -webkit-text-size-adjust: 100%; }
code, pre { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
h1, h2, h3, h4, p, dl, dd, ul, ol, pre { margin: 0; padding: 0; }
h1 { font-size: 19px; line-height: 1.3; }
h2 { font-size: 13px; color: var(--muted); font-weight: 600; }
h3 { font-size: 14px; overflow-wrap: anywhere; }
h4 { font-size: 12px; color: var(--muted); margin-top: 10px; }
ul, ol { list-style: none; }
button, select, input[type=search] { font: inherit; color: inherit; background: var(--surface);
  border: 1px solid var(--line); border-radius: 6px; height: 30px; padding: 0 10px; }
button, select, summary { cursor: pointer; }
button:hover, select:hover, summary:hover { background: var(--hover); }
button:disabled { color: var(--muted); cursor: default; background: var(--raised); }
input[type=search]::placeholder { color: var(--muted); opacity: 1; }
input[type=checkbox] { accent-color: var(--accent); margin: 0; width: 14px; height: 14px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.visually-hidden { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; border: 0; }
.icon { width: 14px; height: 14px; flex: none; fill: var(--ink); }
.icon.violation { fill: var(--violation); } .icon.fault { fill: var(--fault); } .icon.mend { fill: var(--mend); }
.icon.report { fill: var(--report); } .icon.request { fill: var(--request); } .icon.phase { fill: var(--phase); }
.icon.acknowledged { fill: var(--acknowledged); }
.hint { color: var(--muted); }`;

const head = `
.head { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 12px; padding: 12px 16px 0; }
.verdict { display: flex; flex-direction: column; justify-content: center; border: 1px solid var(--line);
  border-left-width: 5px; border-radius: 8px; padding: 10px 14px;
  background: var(--surface); overflow-wrap: anywhere; min-width: 0; }
.verdict.good { border-color: var(--good); background: var(--good-page); }
.verdict.bad { border-color: var(--bad); background: var(--bad-page); }
.verdict h1 { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; }
.verdict.good h1 { color: var(--good); } .verdict.bad h1 { color: var(--bad); }
.seal { width: 20px; height: 20px; } .good .seal { fill: var(--good); } .bad .seal { fill: var(--bad); }
.checker { font-size: 13px; font-weight: 600; }
.evidence { margin-top: 6px; max-height: 95px; overflow: auto; scrollbar-width: thin; white-space: pre-wrap;
  color: var(--bad); }
.again { display: flex; flex-direction: column; justify-content: center; gap: 8px; min-width: 0; }
.command > span:first-child, .counts dt { color: var(--muted); }
.command { display: flex; align-items: center; gap: 8px; min-width: 0; }
.command > span { white-space: nowrap; }
.command code { flex: 0 1 auto; min-width: 0; max-height: 76px; overflow-y: auto; overflow-wrap: anywhere;
  padding: 5px 10px; background: var(--surface);
  border: 1px solid var(--line); border-radius: 6px; scrollbar-width: thin; }
.command code span { display: inline-block; max-width: 100%; }
.command #copied { color: var(--good); }
.counts { display: flex; flex-wrap: wrap; gap: 2px 18px; }
.counts div { display: flex; gap: 6px; align-items: baseline; min-width: 0; overflow-wrap: anywhere; }
.counts dt { min-width: 2.2em; } .counts dd { font-weight: 600; }
.counts dd, .time, td { font-variant-numeric: tabular-nums; }
.omitted { color: var(--muted); font-size: 13px; }`;

const timeline = `
main { display: grid; grid-template-columns: minmax(0, 1fr) 372px; gap: 12px; padding: 12px 16px 16px; }
.timeline { display: flex; flex-direction: column; gap: 8px; min-width: 0; }
.toolbar { position: relative; font-size: 13px; }
.toolbar, .group { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; }
.toolbar { gap: 6px 12px; } .group { flex-wrap: nowrap; } .options { margin-left: auto; gap: 10px; }
.sign { width: 32px; padding: 0; font-size: 17px; line-height: 1; }
.option { display: inline-flex; gap: 6px; align-items: center; white-space: nowrap; }
#message-type { width: 112px; padding: 0 4px; }
.overview { width: 100%; height: 38px; flex: none; background: var(--surface); border: 1px solid var(--line);
  border-radius: 6px; cursor: grab; touch-action: none; }
.chart { position: relative; flex: 1; min-height: 220px; background: var(--surface); border: 1px solid var(--line);
  border-radius: 6px; overflow: hidden; }
.scroller { display: grid; grid-template-columns: 104px minmax(0, 1fr); grid-template-rows: auto 1fr; height: 100%;
  overflow: hidden auto; scrollbar-width: thin; }
.scroller:focus-visible { outline-offset: -2px; }
.corner { position: sticky; top: 0; z-index: 2; display: flex; align-items: flex-end; padding: 0 6px 3px 10px;
  color: var(--muted); font-size: 11px; line-height: 1.3; font-variant-numeric: tabular-nums;
  background: var(--surface); border: solid var(--line); border-width: 0 1px 1px 0; }
.axis { position: sticky; top: 0; z-index: 1; width: 100%; background: var(--surface); cursor: col-resize;
  touch-action: none; }
.names { border-right: 1px solid var(--line); }
.names li { display: flex; align-items: center; padding: 0 10px; border-bottom: 1px solid var(--line);
  font-weight: 600;
  font-size: 13px; }
.names li.world { color: var(--muted); background: var(--world-lane); }
.names span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.names.low li { font-size: 11px; }
.lanes { position: sticky; align-self: start; width: 100%; cursor: grab; touch-action: pan-y; }
.lanes.over { cursor: pointer; } .lanes:active { cursor: grabbing; }
.frame { position: absolute; inset-block: 0; background: color-mix(in srgb, var(--accent) 18%, transparent);
  border: solid var(--accent); border-width: 0 1px; pointer-events: none; z-index: 3; }
.cursor { position: absolute; inset-block: 0; width: 1px; background: var(--muted); opacity: 0.9;
  pointer-events: none; z-index: 3; }
.cursor span { position: absolute; left: 5px; padding: 0 5px; font-size: 11px; white-space: nowrap;
  color: var(--surface); background: var(--muted); border-radius: 3px; font-variant-numeric: tabular-nums; }
.cursor.flip span { left: auto; right: 5px; }
.tooltip { position: fixed; z-index: 20; max-width: min(380px, 90vw); padding: 6px 9px; background: var(--ink);
  color: var(--page);
  border-radius: 6px; font-size: 12px; pointer-events: none; overflow-wrap: anywhere; }
.tooltip b { display: block; }`;

const side = `
.side { display: flex; flex-direction: column; gap: 12px; min-width: 0; min-height: 0; }
.side section { background: var(--surface); border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px;
  min-width: 0; }
.events { order: 1; flex: 1 1 0; min-height: 200px; display: flex; flex-direction: column; gap: 8px; }
.details-panel { order: 2; flex: 0 1 auto; max-height: 46%; display: flex; flex-direction: column; gap: 6px;
  overflow: hidden; }
.details { overflow: auto; min-height: 0; }
.events input[type=search] { width: 100%; flex: none; }
.kinds { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 12px; font-size: 13px; }
.kind { display: inline-flex; align-items: center; gap: 4px; white-space: nowrap; }
.kind .count, .summary { color: var(--muted); font-size: 12px; }
.list { flex: 1; min-height: 120px; overflow: hidden auto; margin: 0 -12px -10px;
  border-top: 1px solid var(--line); scrollbar-width: thin; }
.list:focus-visible { outline-offset: -2px; }
.rows { position: relative; }
.row { position: absolute; inset-inline: 0; height: 28px; display: grid; align-items: center; gap: 8px;
  grid-template-columns: 64px 14px 42px minmax(0, 1fr); padding: 0 12px; font-size: 13px; cursor: pointer; }
.row:hover { background: var(--hover); }
.row[aria-selected=true] { background: var(--picked); box-shadow: inset 3px 0 var(--accent); }
.row .time { text-align: right; color: var(--muted); font-size: 12px; }
.row .who, .row .text { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .who { font-weight: 600; font-size: 12px; }
.details h3 { display: flex; gap: 8px; } .details h3 .icon { margin-top: 3px; }
.facts, .keys { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 1px 12px; margin-top: 6px;
  font-size: 13px; }
.facts dt { color: var(--muted); } .facts dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.details pre { margin-top: 4px; padding: 8px 10px; background: var(--raised); border: 1px solid var(--line);
  border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin-top: 8px; font-size: 13px; width: 100%; }
th, td { text-align: right; padding: 2px 0; border-bottom: 1px solid var(--line); font-weight: 400; }
th:first-child { text-align: left; overflow-wrap: anywhere; } thead th { color: var(--muted); }
.legend summary { list-style: none; border: 1px solid var(--line); border-radius: 6px; height: 30px;
  line-height: 28px;
  padding: 0 10px; background: var(--surface); }
.legend summary::-webkit-details-marker { display: none; }
.legend[open] summary { background: var(--picked); }
.legend-text { position: absolute; right: 0; top: 100%; margin-top: 6px; z-index: 10; width: min(800px, 100%);
  max-height: 76vh; overflow: auto; padding: 14px 16px;
  display: grid; gap: 12px 28px; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr));
  background: var(--surface); border: 1px solid var(--line); border-radius: 8px; box-shadow: 0 8px 30px #0004;
  font-size: 13px; }
.legend-text > p, .legend-text > section:last-child { grid-column: 1 / -1; }
.legend-text h2 { color: var(--ink); margin: 0 0 4px; font-size: 13px; }
.legend-text li { display: flex; gap: 8px; padding: 1px 0; } .legend-text .icon { margin: 3px 5px 0; }
.keys { grid-template-columns: repeat(auto-fit, minmax(min(330px, 100%), 1fr)); column-gap: 28px; }
.keys div { display: grid; grid-template-columns: 184px minmax(0, 1fr); gap: 12px; } .keys dt { font-weight: 600; }
.sample { flex: none; width: 24px; height: 13px; margin-top: 3px; border-left: 3px solid var(--c);
  position: relative; }
.sample.leading { --c: var(--leading); background: color-mix(in srgb, var(--c) 26%, transparent); }
.sample.agent { --c: var(--agent-0); background: color-mix(in srgb, var(--c) 26%, transparent); }
.sample.off { --c: var(--off);
  background: repeating-linear-gradient(135deg, var(--c) 0 1.4px, transparent 1.4px 4.2px); }
.sample.paused { --c: var(--paused);
  background: radial-gradient(circle at 50% 50%, var(--c) 1.1px, transparent 1.2px) 0 0 / 5px 5px; }
.sample.cut { --c: var(--cut); border: 1.5px dashed var(--c); }
.sample.message, .sample.lost { height: 0; border: 0; border-top: 2px solid var(--message); margin-top: 9px; }
.sample.lost { border-top: 2px dashed var(--lost); }`;

/** Wide: one screen, of which the lanes and the list scroll. Narrow: one column that scrolls as a page. */
const widths = `
@media (min-width: 900px) and (min-height: 560px) {
  body { height: 100dvh; display: flex; flex-direction: column; }
  main { flex: 1; min-height: 0; grid-template-rows: minmax(0, 1fr); }
  .timeline { min-height: 0; }
}
@media (max-width: 899px), (max-height: 559px) {
  .chart { height: min(68vh, 640px); flex: none; }
  .events { flex: none; } .list { height: 340px; flex: none; }
  .details-panel { order: 0; max-height: none; } .details { max-height: 50vh; }
}
@media (max-width: 899px) {
  .head { grid-template-columns: minmax(0, 1fr); } main { grid-template-columns: minmax(0, 1fr); }
  .again { gap: 6px; }
}
@media (max-width: 560px) {
  .head { padding: 10px 10px 0; } main { padding: 10px; }
  .scroller { grid-template-columns: 66px minmax(0, 1fr); } .names li, .corner { padding-inline: 8px 4px; }
  .command { flex-wrap: wrap; } .command > span:first-child { width: 100%; } .command code { flex: 1 1 0; }
  .options { margin-left: 0; flex-wrap: wrap; }
}`;

/** The style sheet of the report page. */
export const style = [colours, basics, head, timeline, side, widths].join('\n').trim();
