import type { Write } from '../../node/core/effect.ts';
import type { Message, MessageOf, NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { fromBytes } from '../../node/core/text.ts';
import { Entry, HolderRecord } from '../../node/core/wire/messages.ts';
import { type Checker, Violation } from './checker.ts';

type Read = (key: string) => Uint8Array | undefined;
type Held = Pick<HolderRecord, 'sealedEpoch' | 'epoch' | 'sequence'>;
type Judge<K extends Message['type']> = (
  body: MessageOf<K>,
  read: Read,
  to: NodeId,
  held: (agent: string) => Held | undefined,
) => string | undefined;
type Judges = { [K in Message['type']]?: Judge<K> };

const holderPrefix = keys.holder('');

/**
 * What a node says that it has, its disk holds when the frame leaves: votes, entries, seals and replicated state. All
 * safety rests on this order (Ongaro 2014, §3.8; Vertical Paxos, Lamport et al. 2009).
 */
export class DurableBeforeSaid implements Checker {
  readonly name = 'anytime-durable-before-said';
  readonly #disk: (node: NodeId, key: string) => Uint8Array | undefined;
  /** What each node had on disk of an agent last, also when it is gone from there since: the agent was deleted then. */
  readonly #held = new Map<string, Held>();

  constructor(disk: (node: NodeId, key: string) => Uint8Array | undefined) {
    this.#disk = disk;
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (value === undefined || !key.startsWith(holderPrefix)) continue;
      const { sealedEpoch, epoch, sequence } = HolderRecord.decode(value);
      this.#held.set(`${node} ${key.slice(holderPrefix.length)}`, { sealedEpoch, epoch, sequence });
    }
  }

  sent(node: NodeId, _cluster: string, message: Message, to: NodeId | undefined): void {
    if (to === undefined) return;
    const judge = judges[message.type] as
      | ((
          body: Message['body'],
          read: Read,
          to: NodeId,
          held: (agent: string) => Held | undefined,
        ) => string | undefined)
      | undefined;
    const read = (key: string): Uint8Array | undefined => this.#disk(node, key);
    const wrong = judge?.(message.body, read, to, (agent) => this.#held.get(`${node} ${agent}`));
    if (wrong !== undefined) throw new Violation(this.name, `${node} told ${to} ${wrong}`);
  }
}

const judges: Judges = {
  voteReply({ pre, granted, term }, read, to) {
    if (pre || !granted) return undefined;
    const kept = hardState(read);
    const stands = kept.term > term || (kept.term === term && kept.vote === to);
    return stands ? undefined : `that it votes for it in term ${term}; its disk says ${show(kept)}`;
  },

  voteRequest({ pre, term }, read) {
    if (pre) return undefined;
    const kept = hardState(read);
    return kept.term >= term ? undefined : `that it stands in term ${term}; its disk says ${show(kept)}`;
  },

  appendReply({ success, matchIndex, term }, read) {
    if (!success || matchIndex === 0) return undefined;
    const bytes = read(keys.entry(matchIndex));
    if (bytes !== undefined && Entry.decode(bytes).term <= term) return undefined;
    return `that it has the log up to ${matchIndex}; its disk has no such entry`;
  },

  sealed({ granted, agent, epoch }, _read, _to, held) {
    if (!granted) return undefined;
    const kept = held(agent);
    if (kept !== undefined && kept.sealedEpoch >= epoch) return undefined;
    return `that it sealed ${agent} at ${epoch}; its disk says ${kept?.sealedEpoch ?? 'nothing'}`;
  },

  replicated({ accepted, agent, epoch, sequence }, _read, _to, held) {
    if (!accepted) return undefined;
    const kept = held(agent);
    // A later epoch's state holds what an earlier one acknowledged.
    const has = kept !== undefined && (kept.epoch > epoch || (kept.epoch === epoch && kept.sequence >= sequence));
    if (has) return undefined;
    const what = kept === undefined ? 'nothing' : `step ${kept.sequence} of epoch ${kept.epoch}`;
    return `that it keeps step ${sequence} of ${agent} in epoch ${epoch}; its disk has ${what}`;
  },
};

interface HardState {
  term: number;
  vote: string;
}

function hardState(read: Read): HardState {
  const bytes = read(keys.hardState);
  return bytes === undefined ? { term: 0, vote: '' } : (JSON.parse(fromBytes(bytes)) as HardState);
}

const show = ({ term, vote }: HardState): string => `term ${term}, vote for ${vote || 'nobody'}`;
