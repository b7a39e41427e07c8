/** Nothing is zoomed in further than this, ms across the whole width: below it there is nothing to see. */
const stretchMsMin = 1;
/** Room beside the first and the last moment, as a share of the run, so that marks there are whole. */
const marginShare = 0.01;
/** So close to an edge, as a share of what is shown, a moment counts as out of sight. */
const edgeShare = 0.02;

interface Window {
  fromMs: number;
  toMs: number;
  widthPx: number;
  durationMs: number;
}

/** Which stretch of virtual time is shown, and at which pixel a moment lies. Every move makes a new one. */
export class Scale {
  readonly fromMs: number;
  readonly toMs: number;
  readonly widthPx: number;
  readonly durationMs: number;

  private constructor({ fromMs, toMs, widthPx, durationMs }: Window) {
    this.fromMs = fromMs;
    this.toMs = toMs;
    this.widthPx = widthPx;
    this.durationMs = durationMs;
  }

  static whole(durationMs: number, widthPx: number): Scale {
    const lastsMs = Math.max(durationMs, stretchMsMin);
    const marginMs = lastsMs * marginShare;
    const stretch = { fromMs: -marginMs, toMs: lastsMs + marginMs };
    return new Scale({ ...stretch, widthPx: Math.max(1, widthPx), durationMs: lastsMs });
  }

  get stretchMs(): number {
    return this.toMs - this.fromMs;
  }

  get msPerPx(): number {
    return this.stretchMs / this.widthPx;
  }

  xOf(atMs: number): number {
    return (atMs - this.fromMs) / this.msPerPx;
  }

  msAt(xPx: number): number {
    return this.fromMs + xPx * this.msPerPx;
  }

  contains(atMs: number): boolean {
    return atMs >= this.fromMs && atMs <= this.toMs;
  }

  /** The stretch between two moments; no wider than the run, no narrower than can be told apart. */
  showing(fromMs: number, toMs: number): Scale {
    const marginMs = this.durationMs * marginShare;
    const stretchMs = Math.min(Math.max(toMs - fromMs, stretchMsMin), this.durationMs + 2 * marginMs);
    const centreMs = (fromMs + toMs) / 2;
    const latestMs = this.durationMs + marginMs - stretchMs;
    const beginMs = Math.max(-marginMs, Math.min(centreMs - stretchMs / 2, latestMs));
    return new Scale({ ...this, fromMs: beginMs, toMs: beginMs + stretchMs });
  }

  /** `factor` above 1 shows less time, larger; the moment `aroundMs` stays where it is. */
  zoomed(factor: number, aroundMs = (this.fromMs + this.toMs) / 2): Scale {
    const widestMs = this.durationMs * (1 + 2 * marginShare);
    const stretchMs = Math.min(Math.max(this.stretchMs / factor, stretchMsMin), widestMs);
    const fromMs = aroundMs - ((aroundMs - this.fromMs) * stretchMs) / this.stretchMs;
    return this.showing(fromMs, fromMs + stretchMs);
  }

  panned(byMs: number): Scale {
    return this.showing(this.fromMs + byMs, this.toMs + byMs);
  }

  /** As it is when the moment is well in sight, else moved until the moment is in the middle. */
  reaching(atMs: number): Scale {
    const { fromMs, toMs } = this.inner;
    return atMs >= fromMs && atMs <= toMs ? this : this.panned(atMs - (fromMs + toMs) / 2);
  }

  /** What is well in sight: not so close to an edge that it is easily missed. The run's own ends are no such edges. */
  get inner(): { fromMs: number; toMs: number } {
    const edgeMs = this.stretchMs * edgeShare;
    return {
      fromMs: this.fromMs <= 0 ? this.fromMs : this.fromMs + edgeMs,
      toMs: this.toMs >= this.durationMs ? this.toMs : this.toMs - edgeMs,
    };
  }

  whole(): Scale {
    return Scale.whole(this.durationMs, this.widthPx);
  }

  sized(widthPx: number): Scale {
    return new Scale({ ...this, widthPx: Math.max(1, widthPx) });
  }
}

export interface Tick {
  atMs: number;
  label: string;
}

const roundSteps = [1, 2, 5, 10];
const decimalsMax = 6;

/** A moment or a length of time in seconds, as exact as steps of `stepMs` need. */
export function formatMs(ms: number, stepMs: number): string {
  const decimals = Math.min(decimalsMax, Math.max(0, 3 - Math.floor(Math.log10(stepMs) + 1e-9)));
  const text = (ms / 1000).toFixed(decimals);
  return `${Number(text) === 0 ? text.replace('-', '') : text} s`;
}

/** Round moments at least `spacingPxMin` apart, none before the run or after it. */
export function ticksOf(scale: Scale, spacingPxMin: number): Tick[] {
  const leastMs = scale.msPerPx * spacingPxMin;
  const power = 10 ** Math.floor(Math.log10(leastMs));
  const stepMs = power * (roundSteps.find((step) => step * power >= leastMs * (1 - 1e-9)) ?? 10);
  const first = Math.max(0, Math.ceil(scale.fromMs / stepMs));
  const last = Math.floor(Math.min(scale.toMs, scale.durationMs) / stepMs + 1e-9);
  const ticks: Tick[] = [];
  for (let i = first; i <= last; i++) ticks.push({ atMs: i * stepMs, label: formatMs(i * stepMs, stepMs) });
  return ticks;
}
