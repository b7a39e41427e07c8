import type { EffectOf, Write } from '../../node/core/effect.ts';
import { snapshotIndexIn } from '../../node/core/log-records.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { toJson } from '../../node/core/text.ts';
import { hashBytes } from '../trace.ts';
import { type Checker, Violation } from './checker.ts';
import { entryOf } from './written.ts';

interface Committed {
  term: number;
  leader: NodeId;
}

interface Known {
  index: number;
  term: number;
  kind: number;
  data: Uint8Array;
}

const entryPrefix = keys.entry(0).slice(0, -16);

/**
 * Committed entries never change, and every node applies the same commands in the same order (Ongaro 2014, §3.6).
 *
 * Committed is what a leader announced with its commit index, as the entries of its term's log say. No disk may then
 * put another entry in that place or cut the log before it; and what nodes report of an index must be equal.
 */
export class SameLog implements Checker {
  readonly name = 'anytime-same-log';
  /** A hash of what each leader sent or wrote, by term and index: the two name an entry. */
  readonly #entries = new Map<number, Map<number, number>>();
  readonly #committed = new Map<number, Committed>();
  readonly #terms = new Map<NodeId, Map<number, number>>();
  /** Up to where a snapshot stands for each disk's log. */
  readonly #covered = new Map<NodeId, number>();
  readonly #reports = new Map<number, string[]>();
  /** How many reports of which index a node's present life has made. */
  readonly #reported = new Map<NodeId, { index: number; count: number }>();
  #commitIndex = 0;

  /** Highest index that is known to be committed. */
  get commitIndex(): number {
    return this.#commitIndex;
  }

  started(node: NodeId, wiped: boolean): void {
    this.#reported.delete(node);
    if (!wiped) return;
    this.#terms.delete(node);
    this.#covered.delete(node);
  }

  sent(node: NodeId, _cluster: string, message: Message): void {
    if (message.type !== 'appendRequest') return;
    const { commitIndex, entries } = message.body;
    for (const entry of entries) this.#learn(node, entry);
    const log = this.#terms.get(node);
    if (log === undefined) return;
    for (let index = this.#commitIndex + 1; index <= commitIndex; index++) {
      const term = log.get(index);
      // The leader's own disk may lag behind its followers: it is judged at its next announcement.
      if (term === undefined) break;
      this.#committed.set(index, { term, leader: node });
      this.#commitIndex = index;
    }
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    let log = this.#terms.get(node);
    if (log === undefined) this.#terms.set(node, (log = new Map()));
    const cut: number[] = [];
    const covered = this.#learnCovered(node, writes);
    for (const { key, value } of writes) {
      if (!key.startsWith(entryPrefix)) continue;
      const index = Number(key.slice(entryPrefix.length));
      if (value === undefined) {
        const committed = this.#committed.get(index);
        // What a snapshot stands for may go. What stood there is remembered, unless it was another leader's.
        if (index <= covered) {
          if (committed !== undefined && log.get(index) !== committed.term) log.delete(index);
          continue;
        }
        // A former leader's own entry in that place is no loss.
        if (log.get(index) === committed?.term) cut.push(index);
        log.delete(index);
      } else {
        const entry = entryOf(value);
        this.#learn(node, entry);
        this.#expectCommitted(node, index, entry.term, log.get(index));
        log.set(index, entry.term);
      }
    }
    for (const index of cut) this.#expectNotCut(node, index, log);
  }

  #learnCovered(node: NodeId, writes: readonly Write[]): number {
    for (const { key, value } of writes) {
      if (key === keys.snapshot && value !== undefined) this.#covered.set(node, snapshotIndexIn(value));
    }
    return this.#covered.get(node) ?? 0;
  }

  reported(node: NodeId, report: EffectOf<'report'>['report']): void {
    const { index } = report;
    if (index === 0) return;
    const last = this.#reported.get(node) ?? { index: 0, count: 0 };
    if (index < last.index) throw new Violation(this.name, `${node} reported index ${index} after ${last.index}`);
    const count = index === last.index ? last.count : 0;
    this.#reported.set(node, { index, count: count + 1 });
    const text = toJson(report);
    let known = this.#reports.get(index);
    if (known === undefined) this.#reports.set(index, (known = []));
    const expected = known[count];
    if (expected === undefined) known[count] = text;
    else if (expected !== text)
      throw new Violation(this.name, `${node} applied at ${index}: ${text}, others: ${expected}`);
  }

  #learn(node: NodeId, { index, term, kind, data }: Known): void {
    let entries = this.#entries.get(term);
    if (entries === undefined) this.#entries.set(term, (entries = new Map()));
    const known = entries.get(index);
    const print = Math.imul(hashBytes(data), kind + 1);
    if (known === undefined) entries.set(index, print);
    else if (known !== print) {
      const text = new TextDecoder().decode(data.subarray(0, 300));
      throw new Violation(this.name, `${node} has another entry at term/index ${term}/${index}: ${kind} ${text}`);
    }
  }

  #expectCommitted(node: NodeId, index: number, term: number, before: number | undefined): void {
    const committed = this.#committed.get(index);
    if (committed === undefined || before !== committed.term || term === committed.term) return;
    const what = `a committed entry at index ${index} (term ${committed.term}, announced by ${committed.leader})`;
    throw new Violation(this.name, `${node} replaced ${what} by one of term ${term}`);
  }

  /** Entries may go from the front, never from the end when they are committed. */
  #expectNotCut(node: NodeId, index: number, log: ReadonlyMap<number, number>): void {
    if (!this.#committed.has(index) || log.has(index)) return;
    for (const kept of log.keys()) if (kept > index) return;
    throw new Violation(this.name, `${node} cut its log before index ${index}, which is committed`);
  }
}
