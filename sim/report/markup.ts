/** The fixed part of the page's body; the viewer fills it in. Nothing that a run recorded is in it. */
export const markup = `<header class="head">
  <section id="verdict" class="verdict" aria-label="Verdict">
    <h1>A simulated run</h1>
    <noscript>
      <p>This page draws its picture with the script that it contains. Scripts are off in this browser.</p>
    </noscript>
  </section>
  <section class="again" aria-label="The run">
    <div class="command">
      <span>Run it again</span>
      <code id="command"></code>
      <button type="button" id="copy">Copy</button>
      <span id="copied" role="status"></span>
    </div>
    <dl id="counts" class="counts"></dl>
    <p id="omitted" class="omitted" hidden></p>
  </section>
</header>
<main>
  <section class="timeline" aria-label="Timeline">
    <div class="toolbar" id="toolbar">
      <div class="group">
        <button type="button" id="whole" title="Whole run (0)">Whole run</button>
        <button type="button" id="before" hidden>Before violation</button>
      </div>
      <div class="group">
        <button type="button" id="zoom-out" class="sign" aria-label="Zoom out" title="Zoom out (−)">−</button>
        <button type="button" id="zoom-in" class="sign" aria-label="Zoom in" title="Zoom in (+)">+</button>
      </div>
      <div class="group">
        <button type="button" id="previous" aria-label="Previous event" title="Previous event (P)">‹ Event</button>
        <button type="button" id="next" aria-label="Next event" title="Next event (N)">Event ›</button>
      </div>
      <div class="group options">
        <label class="option" id="messages-option"><input type="checkbox" id="messages"> Messages</label>
        <select id="message-type" aria-label="Type of message"><option value="">all types</option></select>
        <label class="option"><input type="checkbox" id="compact"> Low lanes</label>
        <details class="legend" id="legend">
          <summary>Legend</summary>
          <div id="legend-text" class="legend-text"></div>
        </details>
      </div>
    </div>
    <canvas id="overview" class="overview" aria-hidden="true"></canvas>
    <div class="chart">
      <div class="scroller" id="scroller" tabindex="0" role="region" aria-label="Lanes, one for each node">
        <div class="corner"><output id="range" aria-live="off"></output></div>
        <canvas class="axis" id="axis" aria-hidden="true"></canvas>
        <ol class="names" id="names"></ol>
        <canvas class="lanes" id="lanes" role="img"
          aria-label="What happened on each node over time. The list of events says the same in words."></canvas>
      </div>
      <div class="frame" id="frame" hidden></div>
      <div class="cursor" id="cursor" hidden><span id="cursor-time"></span></div>
    </div>
  </section>
  <aside class="side" aria-label="Events">
    <section class="details-panel" aria-labelledby="details-title">
      <h2 id="details-title">Details</h2>
      <div id="details" class="details" aria-live="polite"></div>
    </section>
    <section class="events" aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      <input type="search" id="filter" placeholder="Filter: words, node, agent" aria-label="Filter events by words"
        autocomplete="off" spellcheck="false">
      <fieldset class="kinds" id="kinds">
        <legend class="visually-hidden">Kinds of events that are shown</legend>
      </fieldset>
      <p class="summary" id="summary"></p>
      <div class="list" id="list" role="listbox" tabindex="0" aria-label="Events in view">
        <div class="rows" id="rows" role="presentation"></div>
      </div>
      <p class="hint" id="empty" hidden>No event of this stretch passes the filter.</p>
    </section>
  </aside>
</main>
<div class="tooltip" id="tooltip" hidden><b></b><span></span></div>
`;
