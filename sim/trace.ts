import type { Effect } from '../node/core/effect.ts';
import type { Event } from '../node/core/event.ts';
import type { NodeId } from '../node/core/message.ts';

interface Line {
  atMs: number;
  mark: '<-' | '->' | '**';
  what: unknown;
}

/** Lines kept per node for printing at a failure. */
const linesMax = 400;
const lineLengthMax = 260;

/**
 * What happened in a world: a rolling hash over all of it (two runs of a seed must agree), and the last lines of each
 * node for people.
 */
export class Trace {
  #high = 0x811c9dc5;
  #low = 0x01000193;
  readonly #lines = new Map<NodeId, Line[]>();
  #count = 0;

  /** Things recorded so far. */
  get count(): number {
    return this.#count;
  }

  /** The hash so far, 16 hex digits. */
  hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  event(atMs: number, node: NodeId, event: Event): void {
    this.#record(atMs, node, '<-', event);
  }

  effect(atMs: number, node: NodeId, effect: Effect): void {
    this.#record(atMs, node, '->', effect);
  }

  /** Something the world did to a node: crash, pause, cut. */
  fault(atMs: number, node: NodeId, what: string): void {
    this.#record(atMs, node, '**', what);
  }

  /** The last lines of a node, oldest first. */
  last(node: NodeId, count: number): string[] {
    const lines = (this.#lines.get(node) ?? []).slice(-count);
    return lines.map(({ atMs, mark, what }) =>
      `${atMs.toFixed(3)} ${node} ${mark} ${show(what)}`.slice(0, lineLengthMax),
    );
  }

  #record(atMs: number, node: NodeId, mark: Line['mark'], what: unknown): void {
    this.#count += 1;
    this.#mixNumber(atMs);
    this.#mixText(node);
    this.#mixText(mark);
    this.#mix(what);
    let lines = this.#lines.get(node);
    if (lines === undefined) this.#lines.set(node, (lines = []));
    lines.push({ atMs, mark, what });
    if (lines.length > 2 * linesMax) lines.splice(0, linesMax);
  }

  #mix(value: unknown): void {
    if (typeof value === 'string') this.#mixText(value);
    else if (typeof value === 'number') this.#mixNumber(value);
    else if (value instanceof Uint8Array) for (const byte of value) this.#mixWord(byte);
    else if (Array.isArray(value)) for (const part of value) this.#mix(part);
    else if (typeof value === 'object' && value !== null) {
      for (const [name, part] of Object.entries(value)) {
        this.#mixText(name);
        this.#mix(part);
      }
    } else this.#mixText(String(value));
  }

  #mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mixWord(text.charCodeAt(i));
    this.#mixWord(text.length);
  }

  #mixNumber(number: number): void {
    this.#mixWord(number | 0);
    if (!Number.isInteger(number) || Math.abs(number) > 2 ** 31) this.#mixText(String(number));
  }

  /** Two FNV-1a lanes that also feed each other. */
  #mixWord(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x01000193);
    this.#low = Math.imul(this.#low ^ word ^ (this.#high >>> 15), 0x85ebca6b);
  }
}

function show(what: unknown): string {
  if (typeof what === 'string') return what;
  const { type, ...rest } = what as { type: string };
  return `${type} ${JSON.stringify(rest, (_name, value) => (value instanceof Uint8Array ? showBytes(value) : value))}`;
}

function showBytes(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 60));
  return /^[\x20-\x7e]*$/.test(text) ? text : `${bytes.byteLength} bytes`;
}
