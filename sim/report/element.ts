/// <reference lib="dom" />

/** Attributes of a new element; `false` and `undefined` leave one out. */
export type Attributes = Record<string, string | number | boolean | undefined>;

const svgNamespace = 'http://www.w3.org/2000/svg';

/** A new element. Children that are text become text nodes, never markup: what a run recorded is not trusted. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  assign(made, attributes);
  made.append(...children);
  return made;
}

/** A small picture from the data of one path in a box of 16 units; decoration, the words beside it say the same. */
export function icon(path: string, className: string): SVGSVGElement {
  const svg = document.createElementNS(svgNamespace, 'svg');
  assign(svg, { viewBox: '-8 -8 16 16', class: `icon ${className}`, 'aria-hidden': 'true' });
  const shape = document.createElementNS(svgNamespace, 'path');
  shape.setAttribute('d', path);
  svg.append(shape);
  return svg;
}

function assign(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) target.setAttribute(name, value === true ? '' : String(value));
  }
}

/** The element of the page's fixed markup with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found;
}

/** The one with this id, as the kind of element that it is known to be. */
export function byIdAs<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = byId(id);
  if (!(found instanceof type)) throw new Error(`#${id} is no ${type.name}`);
  return found;
}
