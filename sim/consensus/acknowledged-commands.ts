import type { EffectOf } from '../../node/core/effect.ts';
import { readLog } from '../../node/core/log-records.ts';
import type { NodeId } from '../../node/core/message.ts';
import { fromBytes } from '../../node/core/text.ts';
import { type Checker, Violation } from '../checkers/checker.ts';
import { hashBehind } from './machine.ts';

/**
 * What clients were told of their commands, against the log that the nodes apply: an acknowledged command took effect
 * where the client was told, exactly once, for ever; a try that was refused stands nowhere; a command whose answer is
 * missing took effect at most once, however often it was tried. A read shows all that was acknowledged before it began.
 * And whoever begins with a snapshot has what the log up to there came to.
 */
export class AcknowledgedCommands implements Checker {
  readonly name = 'anytime-acknowledged-command';
  /** The log as the first node to apply each place reported it, from index 1 on, and the hash that it came to there. */
  readonly #log = new Map<number, { text: string; hash: number }>();
  #length = 0;
  /** What a snapshot says that the log comes to, at places that nobody was seen to apply yet. */
  readonly #promised = new Map<number, number>();
  /** Where each command took effect. */
  readonly #places = new Map<string, number>();
  readonly #tries = new Set<string>();
  readonly #acknowledged = new Map<string, number>();
  readonly #refused = new Set<string>();
  readonly #standing = new Set<string>();
  /** How far each node's present life has applied the log. */
  readonly #applied = new Map<NodeId, number>();
  /** What any client knows to have happened: a read that begins now shows it. */
  #knownIndex = 0;

  /** Length of the log, as far as anybody has applied it. */
  get length(): number {
    return this.#length;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  get knownIndex(): number {
    return this.#knownIndex;
  }

  /** How far a node's present life has applied the log. */
  applied(node: NodeId): number {
    return this.#applied.get(node) ?? 0;
  }

  // ---- what nodes apply ----

  started(node: NodeId): void {
    this.#applied.delete(node);
  }

  reported(node: NodeId, { index, kind, text, details }: EffectOf<'report'>['report']): void {
    const before = this.applied(node);
    if (kind === 'restored') return this.#restored(node, Number(details['index']), Number(details['hash']));
    if (index !== before + 1) throw new Violation(this.name, `${node} applied entry ${index} after ${before}`);
    this.#applied.set(node, index);
    const hash = Number(details['hash']);
    const known = this.#log.get(index);
    if (known === undefined) {
      if ((this.#promised.get(index) ?? hash) !== hash) throw this.#otherSnapshot(node, index);
      this.#log.set(index, { text, hash });
      this.#length = Math.max(this.#length, index);
      if (details['attempt'] !== undefined) this.#enter(node, kind, text, index, details);
    } else if (known.text !== text || known.hash !== hash) {
      throw new Violation(this.name, `${node} applied "${text}" at ${index}, where others applied "${known.text}"`);
    }
  }

  /** Began with a snapshot, or had one put in the place of its log. */
  #restored(node: NodeId, index: number, hash: number): void {
    if (index <= this.applied(node)) throw new Violation(this.name, `${node} went back to ${index}`);
    // Who made it may have died before anybody saw it apply what is in it.
    const known = this.#log.get(index)?.hash ?? this.#promised.get(index) ?? hash;
    if (known !== hash) throw this.#otherSnapshot(node, index);
    this.#promised.set(index, hash);
    this.#length = Math.max(this.#length, index);
    this.#applied.set(node, index);
  }

  #otherSnapshot(node: NodeId, index: number): Violation {
    return new Violation(this.name, `${node} has a snapshot of ${index} that is not what the log came to there`);
  }

  #enter(node: NodeId, kind: string, text: string, index: number, details: Record<string, unknown>): void {
    const attempt = Number(details['attempt']);
    const what = `${node} applied try ${attempt} of "${text}" at ${index}`;
    if (!this.#tries.has(`${text}#${attempt}`)) throw new Violation(this.name, `${what}, which nobody sent`);
    if (this.#refused.has(`${text}#${attempt}`)) throw new Violation(this.name, `${what}, which was refused`);
    this.#standing.add(`${text}#${attempt}`);
    if (kind === 'expired') return;
    const place = kind === 'command' ? index : Number(details['place']);
    const other = this.#places.get(text) ?? place;
    if (other !== place || (kind === 'command' && this.#places.has(text))) {
      throw new Violation(this.name, `${what}, and it took effect at ${other} already`);
    }
    this.#places.set(text, place);
  }

  // ---- what clients know ----

  tried(text: string, attempt: number): void {
    this.#tries.add(`${text}#${attempt}`);
  }

  /** The client was told where its command took effect. */
  acknowledged(text: string, index: number): void {
    const place = this.#places.get(text);
    if (place !== index) {
      const where = place === undefined ? 'no node has applied it' : `it took effect at ${place}`;
      throw new Violation(this.name, `"${text}" was acknowledged at ${index}, but ${where}`);
    }
    this.#acknowledged.set(text, index);
    this.#knownIndex = Math.max(this.#knownIndex, index);
  }

  /** The client was told that nothing came of a try. */
  refused(text: string, attempt: number): void {
    if (this.#standing.has(`${text}#${attempt}`)) {
      throw new Violation(this.name, `try ${attempt} of "${text}" was refused, but it stands in the log`);
    }
    this.#refused.add(`${text}#${attempt}`);
  }

  /** A read that began when `knownIndex` was so much was answered with the log up to `index`. */
  read(node: NodeId, knownIndex: number, index: number): void {
    if (index < knownIndex) {
      throw new Violation(
        this.name,
        `${node} answered a read with ${index}, and ${knownIndex} was known before it began`,
      );
    }
    if (index > this.#length) throw new Violation(this.name, `${node} answered a read with ${index}, not yet applied`);
    this.#knownIndex = Math.max(this.#knownIndex, index);
  }

  /** Judges a log on a disk that should be complete up to `length`: its snapshot and its entries come to what everybody applied. */
  judge(node: NodeId, records: ReadonlyMap<string, Uint8Array>, length: number): void {
    const { entries, snapshot } = readLog(records);
    let index = snapshot?.index ?? 0;
    let hash = snapshot === undefined ? 0 : (JSON.parse(fromBytes(snapshot.data)) as { hash: number }).hash;
    const differs = (at: number): Violation => {
      const text = this.#log.get(at)?.text;
      const fate = text !== undefined && this.#acknowledged.has(text) ? 'acknowledged' : 'applied';
      return new Violation(this.name, `the disk of ${node} has something else at ${at}, where "${text}" was ${fate}`);
    };
    if (index > 0 && hash !== this.#hashAt(index)) throw differs(index);
    for (const entry of entries) {
      if (entry.index !== index + 1 || entry.index > this.#length) continue;
      index = entry.index;
      hash = hashBehind(hash, index, entry.data);
      if (hash !== (this.#hashAt(index) ?? hash)) throw differs(index);
    }
    if (index < length) throw differs(index + 1);
  }

  #hashAt(index: number): number | undefined {
    return this.#log.get(index)?.hash ?? this.#promised.get(index);
  }
}
