/// <reference lib="dom" />
import type { RecordedSpan } from '../recording.ts';
import { type Canvas, fit } from './canvas.ts';
import type { Bar, Density, PlacedLane } from './lanes.ts';
import type { Palette } from './palette.ts';
import type { Scale } from './scale.ts';

export const barFont = '11px system-ui, sans-serif';
/** Bars lower than this hold no words. */
const labelHeightPxMin = 13;
const labelInsetPx = 5;
/** However short it lasted, something is to be seen of it. */
const barWidthPxMin = 2;
const fadedAlpha = 0.3;

/** What is written into a bar. */
export function barLabel(span: RecordedSpan): string {
  const labels: { [K in RecordedSpan['kind']]: string } = {
    off: span.text === '' ? 'off' : span.text.startsWith('off') ? span.text : `off: ${span.text}`,
    paused: 'paused',
    cut: span.text === '' ? 'cut off' : `cut off from ${span.text}`,
    leading: /^\d+$/.test(span.text) ? `leads term ${span.text}` : `leads ${span.text}`,
    agent: /^\d+$/.test(span.text) ? `${span.agent ?? ''} · epoch ${span.text}` : `${span.agent ?? ''} ${span.text}`,
  };
  return labels[span.kind] ?? span.text;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Draws the bars of lanes: what state a node is in, and which agents it has. */
export class Bars {
  readonly #canvas: Canvas;
  readonly #palette: Palette;
  readonly #agents: ReadonlyMap<string, number>;
  #patterns = new Map<string, CanvasPattern | string>();

  constructor(canvas: Canvas, palette: Palette, agents: readonly string[]) {
    this.#canvas = canvas;
    this.#palette = palette;
    this.#agents = new Map(agents.map((agent, index) => [agent, index]));
  }

  /** After a change of colours. */
  forget(): void {
    this.#patterns = new Map();
  }

  /** `offsetPx` is how far the lanes are scrolled; with `agent`, the bars of the others are faint. */
  draw(placed: PlacedLane, density: Density, scale: Scale, offsetPx: number, agent: string | undefined): void {
    const { lane, statesPx, agentsPx } = placed;
    this.#canvas.pen.font = barFont;
    this.#canvas.pen.textBaseline = 'middle';
    this.#row(lane.states, statesPx - offsetPx, density.stateRowPx, scale, undefined);
    this.#row(lane.agents, agentsPx - offsetPx, density.agentRowPx, scale, agent);
  }

  #row(bars: readonly Bar[], topPx: number, rowPx: number, scale: Scale, agent: string | undefined): void {
    const gapPx = rowPx > labelHeightPxMin ? 2 : 1;
    const { pen } = this.#canvas;
    for (const { span, row } of bars) {
      if (span.toMs < scale.fromMs) continue;
      if (span.fromMs > scale.toMs) break;
      const x = Math.max(-labelInsetPx, scale.xOf(span.fromMs));
      const end = Math.min(scale.widthPx + labelInsetPx, scale.xOf(span.toMs));
      const width = Math.max(barWidthPxMin, end - x - (end - x > 2 * barWidthPxMin ? 1 : 0));
      const box = { x, y: topPx + row * rowPx, width, height: rowPx - gapPx };
      pen.globalAlpha = agent !== undefined && span.agent !== agent ? fadedAlpha : 1;
      this.#paint(span, box);
      this.#label(span, box);
    }
    pen.globalAlpha = 1;
  }

  #paint(span: RecordedSpan, { x, y, width, height }: Box): void {
    const { pen } = this.#canvas;
    const colour = this.#colourOf(span);
    const alpha = pen.globalAlpha;
    pen.fillStyle = span.kind === 'off' || span.kind === 'paused' ? this.#pattern(span.kind) : colour;
    pen.globalAlpha =
      alpha * (span.kind === 'agent' || span.kind === 'leading' ? (height < labelHeightPxMin ? 0.75 : 0.24) : 1);
    if (span.kind !== 'cut') pen.fillRect(x, y, width, height);
    pen.globalAlpha = alpha;
    pen.fillStyle = colour;
    if (span.kind === 'cut') {
      // two rails with a gap between them: broken, also where colours are not seen
      pen.setLineDash([5, 3]);
      pen.strokeStyle = colour;
      pen.lineWidth = height < labelHeightPxMin ? 2 : 1.5;
      pen.strokeRect(x + 0.75, y + 0.75, Math.max(0.5, width - 1.5), Math.max(1, height - 1.5));
      pen.setLineDash([]);
    } else {
      pen.fillRect(x, y, Math.min(width, 3), height);
    }
  }

  #label(span: RecordedSpan, { x, y, width, height }: Box): void {
    if (height < labelHeightPxMin) return;
    const { pen } = this.#canvas;
    const fromPx = Math.max(0, x) + labelInsetPx + 1;
    const text = fit(pen, barLabel(span), Math.min(x + width, this.#canvas.widthPx) - fromPx - 3);
    if (text === '') return;
    if (span.kind === 'off' || span.kind === 'paused') {
      pen.fillStyle = this.#palette.of('surface');
      pen.fillRect(fromPx - 3, y, pen.measureText(text).width + 6, height);
    }
    pen.fillStyle = this.#palette.of('ink');
    pen.fillText(text, fromPx, y + height / 2 + 0.5);
  }

  #colourOf(span: RecordedSpan): string {
    return span.kind === 'agent'
      ? this.#palette.agent(this.#agents.get(span.agent ?? '') ?? 0)
      : this.#palette.of(span.kind);
  }

  /** Stripes for a machine that is off, dots for a process that stands still. */
  #pattern(kind: 'off' | 'paused'): CanvasPattern | string {
    let pattern = this.#patterns.get(kind);
    if (pattern !== undefined) return pattern;
    const tile = document.createElement('canvas');
    tile.width = tile.height = 6;
    const pen = tile.getContext('2d');
    if (pen === null) return this.#palette.of(kind);
    pen.fillStyle = pen.strokeStyle = this.#palette.of(kind);
    pen.globalAlpha = 0.18;
    pen.fillRect(0, 0, 6, 6);
    pen.globalAlpha = 0.75;
    pen.lineWidth = 1.4;
    pen.beginPath();
    for (const shift of kind === 'off' ? [-6, 0, 6] : []) {
      pen.moveTo(shift, 6);
      pen.lineTo(shift + 6, 0);
    }
    pen.stroke();
    if (kind === 'paused') pen.fillRect(1, 1, 2, 2);
    pattern = this.#canvas.pen.createPattern(tile, 'repeat') ?? this.#palette.of(kind);
    this.#patterns.set(kind, pattern);
    return pattern;
  }
}
