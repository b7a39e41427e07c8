import type { Write } from '../../node/core/effect.ts';
import { snapshotIndexIn } from '../../node/core/log-records.ts';
import type { Message, MessageOf, NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { fromBytes } from '../../node/core/text.ts';
import type { HolderRecord } from '../../node/core/wire/messages.ts';
import { type Checker, Violation } from './checker.ts';
import { entryOf, holderOf } from './written.ts';

type Held = Pick<HolderRecord, 'sealedEpoch' | 'epoch' | 'sequence'>;

interface HardState {
  term: number;
  vote: string;
}

/**
 * What has reached a node's disk. A batch may hold a record and its end: what was cut off the log or deleted with its
 * agent since was there all the same.
 */
interface OnDisk {
  hardState(): HardState;
  /** The lowest term of an entry that ever stood at that index. */
  entryTerm(index: number): number | undefined;
  /** Whether a later leader's entry stands at that index, or at one before it. */
  isOverwritten(index: number, term: number): boolean;
  /** Up to where a snapshot ever stood for its log. */
  snapshotIndex(): number;
  held(agent: string): Held | undefined;
}

type Judges = {
  [K in Message['type']]?: (body: MessageOf<K>, disk: OnDisk, to: NodeId) => string | undefined;
};
type Judge = (body: Message['body'], disk: OnDisk, to: NodeId) => string | undefined;

/** Entries that one append may bring. */
const overwrittenMax = 512;
const holderPrefix = keys.holder('');
const entryPrefix = keys.entry(0).slice(0, -16);

/**
 * What a node says that it has, its disk holds when the frame leaves: votes, entries, seals and replicated state. All
 * safety rests on this order (Ongaro 2014, §3.8; Vertical Paxos, Lamport et al. 2009).
 */
export class DurableBeforeSaid implements Checker {
  readonly name = 'anytime-durable-before-said';
  readonly #read: (node: NodeId, key: string) => Uint8Array | undefined;
  readonly #held = new Map<string, Held>();
  readonly #entryTerms = new Map<string, number>();
  readonly #snapshots = new Map<NodeId, number>();

  /** `read`: the record that a node's disk has under a key now. */
  constructor(read: (node: NodeId, key: string) => Uint8Array | undefined) {
    this.#read = read;
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (value === undefined) continue;
      if (key.startsWith(holderPrefix)) {
        const { sealedEpoch, epoch, sequence } = holderOf(value);
        const place = `${node} ${key.slice(holderPrefix.length)}`;
        // What it let go of was there all the same.
        const step = epoch > 0 ? { epoch, sequence } : (this.#held.get(place) ?? { epoch, sequence });
        this.#held.set(place, { ...step, sealedEpoch });
      } else if (key.startsWith(entryPrefix)) {
        const { index, term } = entryOf(value);
        const before = this.#entryTerms.get(`${node} ${index}`) ?? term;
        this.#entryTerms.set(`${node} ${index}`, Math.min(before, term));
      } else if (key === keys.snapshot) this.#snapshots.set(node, snapshotIndexIn(value));
    }
  }

  sent(node: NodeId, _cluster: string, message: Message, to: NodeId | undefined): void {
    if (to === undefined) return;
    const wrong = (judges[message.type] as Judge | undefined)?.(message.body, this.#diskOf(node), to);
    if (wrong !== undefined) throw new Violation(this.name, `${node} told ${to} ${wrong}`);
  }

  #diskOf(node: NodeId): OnDisk {
    return {
      hardState: () => {
        const bytes = this.#read(node, keys.hardState);
        return bytes === undefined ? { term: 0, vote: '' } : (JSON.parse(fromBytes(bytes)) as HardState);
      },
      entryTerm: (index) => this.#entryTerms.get(`${node} ${index}`),
      isOverwritten: (index, term) => {
        for (let at = index; at > 0 && at > index - overwrittenMax; at--) {
          const value = this.#read(node, keys.entry(at));
          if (value !== undefined && entryOf(value).term > term) return true;
        }
        return false;
      },
      snapshotIndex: () => this.#snapshots.get(node) ?? 0,
      held: (agent) => this.#held.get(`${node} ${agent}`),
    };
  }
}

const judges: Judges = {
  voteReply({ pre, granted, term }, { hardState }, to) {
    if (pre || !granted) return undefined;
    const kept = hardState();
    const stands = kept.term > term || (kept.term === term && kept.vote === to);
    return stands ? undefined : `that it votes for it in term ${term}; its disk says ${show(kept)}`;
  },

  voteRequest({ pre, term }, { hardState }) {
    if (pre) return undefined;
    const kept = hardState();
    return kept.term >= term ? undefined : `that it stands in term ${term}; its disk says ${show(kept)}`;
  },

  appendReply({ success, matchIndex, term }, { hardState, entryTerm, snapshotIndex, isOverwritten }) {
    if (!success || matchIndex <= snapshotIndex()) return undefined;
    const kept = entryTerm(matchIndex);
    if (kept !== undefined && kept <= term) return undefined;
    // Of what came together one write has the end alone: what a later leader cut off at once is as if it had stood there.
    if (hardState().term > term && isOverwritten(matchIndex, term)) return undefined;
    return `that it has the log up to ${matchIndex}; its disk has no such entry`;
  },

  snapshotReply({ installed, index }, { entryTerm, snapshotIndex }) {
    if (!installed || index <= snapshotIndex() || entryTerm(index) !== undefined) return undefined;
    return `that it has a snapshot of ${index}; its disk has one of ${snapshotIndex()}`;
  },

  sealed({ granted, agent, epoch }, { held }) {
    if (!granted) return undefined;
    const kept = held(agent);
    if (kept !== undefined && kept.sealedEpoch >= epoch) return undefined;
    return `that it sealed ${agent} at ${epoch}; its disk says ${kept?.sealedEpoch ?? 'nothing'}`;
  },

  replicated({ accepted, agent, epoch, sequence }, { held }) {
    if (!accepted) return undefined;
    const kept = held(agent);
    // A later epoch's state holds what an earlier one acknowledged.
    const has = kept !== undefined && (kept.epoch > epoch || (kept.epoch === epoch && kept.sequence >= sequence));
    if (has) return undefined;
    const what = kept === undefined ? 'nothing' : `step ${kept.sequence} of epoch ${kept.epoch}`;
    return `that it keeps step ${sequence} of ${agent} in epoch ${epoch}; its disk has ${what}`;
  },
};

const show = ({ term, vote }: HardState): string => `term ${term}, vote for ${vote || 'nobody'}`;
