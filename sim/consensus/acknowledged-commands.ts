import type { EffectOf } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { fromBytes } from '../../node/core/text.ts';
import { Entry } from '../../node/core/wire/messages.ts';
import { type Checker, Violation } from '../checkers/checker.ts';

/**
 * What clients were told of their commands, against the log that the nodes apply: an acknowledged command stands in it
 * where the client was told, exactly once, for ever; one that was refused stands nowhere; one whose answer is missing at
 * most once. Each try of a client is a command of its own, so that its text says which.
 */
export class AcknowledgedCommands implements Checker {
  readonly name = 'anytime-acknowledged-command';
  /** The log as the first node to apply each place reported it, from index 1 on. */
  readonly #log: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #tries = new Set<string>();
  readonly #acknowledged = new Map<string, number>();
  readonly #refused = new Set<string>();
  /** How far each node's present life has applied the log. */
  readonly #applied = new Map<NodeId, number>();

  /** Length of the log, as far as anybody has applied it. */
  get length(): number {
    return this.#log.length;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  /** How far a node's present life has applied the log. */
  applied(node: NodeId): number {
    return this.#applied.get(node) ?? 0;
  }

  // ---- what nodes apply ----

  started(node: NodeId): void {
    this.#applied.delete(node);
  }

  reported(node: NodeId, { index, kind, text }: EffectOf<'report'>['report']): void {
    const before = this.applied(node);
    if (index !== before + 1) throw new Violation(this.name, `${node} applied entry ${index} after ${before}`);
    this.#applied.set(node, index);
    if (index <= this.#log.length) {
      const known = this.#log[index - 1];
      if (known === text) return;
      throw new Violation(this.name, `${node} applied "${text}" at ${index}, where others applied "${known}"`);
    }
    this.#log.push(text);
    if (kind === 'command') this.#enter(node, text, index);
  }

  #enter(node: NodeId, text: string, index: number): void {
    const what = `${node} applied "${text}" at ${index}`;
    const other = this.#places.get(text);
    if (other !== undefined) throw new Violation(this.name, `${what}, which stands at ${other} already`);
    if (!this.#tries.has(text)) throw new Violation(this.name, `${what}, which nobody sent`);
    if (this.#refused.has(text)) throw new Violation(this.name, `${what}, which was refused`);
    this.#places.set(text, index);
  }

  // ---- what clients know ----

  tried(text: string): void {
    this.#tries.add(text);
  }

  /** The client was told where its command stands. */
  acknowledged(text: string, index: number): void {
    const place = this.#places.get(text);
    if (place !== index) {
      const where = place === undefined ? 'no node has applied it' : `it stands at ${place}`;
      throw new Violation(this.name, `"${text}" was acknowledged at ${index}, but ${where}`);
    }
    this.#acknowledged.set(text, index);
  }

  /** The client was told that nothing came of it. */
  refused(text: string): void {
    const place = this.#places.get(text);
    if (place !== undefined) throw new Violation(this.name, `"${text}" was refused, but it stands at ${place}`);
    this.#refused.add(text);
  }

  /** Judges a log on a disk that should be complete: it holds every acknowledged command in its place, and no place twice. */
  judge(node: NodeId, read: (key: string) => Uint8Array | undefined): void {
    for (const [at, text] of this.#log.entries()) {
      const bytes = read(keys.entry(at + 1));
      const kept = bytes === undefined ? undefined : fromBytes(Entry.decode(bytes).data);
      if (kept === text) continue;
      const fate = this.#acknowledged.has(text) ? 'acknowledged' : 'applied';
      throw new Violation(this.name, `the disk of ${node} has "${kept}" at ${at + 1}, where "${text}" was ${fate}`);
    }
  }
}
