/// <reference lib="dom" />

/** Agents beyond this many share a colour; their names tell them apart. */
export const agentColours = 8;

/** The colours of the style sheet, for the canvas; read again when the scheme changes between light and dark. */
export class Palette {
  readonly #style: CSSStyleDeclaration;
  readonly #known = new Map<string, string>();

  constructor(root: Element) {
    this.#style = getComputedStyle(root);
  }

  /** The colour of a name in the style sheet, without the dashes in front. */
  of(name: string): string {
    let colour = this.#known.get(name);
    if (colour === undefined) {
      colour = this.#style.getPropertyValue(`--${name}`).trim();
      this.#known.set(name, colour);
    }
    return colour;
  }

  agent(index: number): string {
    return this.of(`agent-${((index % agentColours) + agentColours) % agentColours}`);
  }

  forget(): void {
    this.#known.clear();
  }
}
