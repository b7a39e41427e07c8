/// <reference lib="dom" />

/** A canvas that is as sharp as the screen; drawn in CSS pixels. */
export class Canvas {
  readonly element: HTMLCanvasElement;
  readonly pen: CanvasRenderingContext2D;
  widthPx = 1;
  heightPx = 1;
  /** Device pixels per CSS pixel. */
  density = 1;

  constructor(element: HTMLCanvasElement) {
    this.element = element;
    const pen = element.getContext('2d');
    if (pen === null) throw new Error('this browser draws no canvas');
    this.pen = pen;
  }

  /** Clears it for a new picture, in the size that it has on the page by now. */
  clear(): void {
    const { element, pen } = this;
    const density = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = element;
    const width = Math.max(1, Math.round(clientWidth * density));
    const height = Math.max(1, Math.round(clientHeight * density));
    if (element.width !== width) element.width = width;
    if (element.height !== height) element.height = height;
    Object.assign(this, { widthPx: clientWidth, heightPx: clientHeight, density });
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, clientWidth, clientHeight);
  }
}

const lettersKept = 4_000;
const widths = new Map<string, number>();

function widthOf(pen: CanvasRenderingContext2D, text: string): number {
  const key = `${pen.font}|${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > lettersKept) widths.clear();
    widths.set(key, (width = pen.measureText(text).width));
  }
  return width;
}

/** Least that is worth writing: two letters and the dots. */
const lettersMin = 3;

/** The text, or as much of its beginning as fits; empty when that would say nothing. */
export function fit(pen: CanvasRenderingContext2D, text: string, widthPx: number): string {
  const whole = widthOf(pen, text);
  if (whole <= widthPx) return text;
  const letters = Math.floor((text.length * (widthPx - widthOf(pen, '…'))) / whole);
  if (letters < lettersMin) return '';
  let cut = text.slice(0, letters);
  while (cut.length >= lettersMin && widthOf(pen, `${cut}…`) > widthPx) cut = cut.slice(0, -1);
  return cut.length >= lettersMin ? `${cut.trimEnd()}…` : '';
}
