import { decodeConfiguration } from '../../consensus/configuration.ts';
import {
  type Configuration,
  type Entry,
  entryKinds,
  type Persist,
  type Raft,
  type RaftMessage,
  type Snapshot,
} from '../../consensus/raft.ts';
import { type Scene, wordsIn } from './stage.ts';

/** What is said about anything but votes, and who asks for these, goes without saying. */
const toldBriefly: ReadonlySet<string> = new Set(['voteReply', 'transferLeadership']);

/** Tells what is to be seen on a stage, in plain words. An entry is told as index/term. */
export class Narrator {
  #lines: string[] = [];
  #parts = new Map<string, string>();
  /** Leaves out what nodes write and what they say about the log. */
  isBrief = false;

  readonly watch = (scene: Scene): void => {
    switch (scene.kind) {
      case 'acted':
        return this.#actedBy(scene.raft);
      case 'said':
        return this.#said(scene.from, scene.to, scene.message);
      case 'writing':
        if (!this.isBrief) this.tell(`${scene.id} writes ${writing(scene.persist)}`);
        return;
      case 'applied':
        return this.#applied(scene.id, entryText(scene.entry));
      case 'installed':
        return this.tell(`${scene.id} goes on from ${snapshotText(scene.snapshot)}`);
      case 'answered':
        return this.tell(`${scene.id} answers its read ${scene.read}: ${wordsText(scene.words)}`);
      case 'lost':
        return this.tell(`${scene.id} cannot answer its read ${scene.read}`);
    }
  };

  tell(line: string): void {
    this.#lines.push(line);
  }

  /** What was told since the last call. */
  take(): string[] {
    return this.#lines.splice(0);
  }

  #actedBy(raft: Raft): void {
    const part = partOf(raft);
    if (this.#parts.get(raft.id) === part) return;
    this.#parts.set(raft.id, part);
    this.tell(`${raft.id} ${part}`);
  }

  #applied(id: string, text: string): void {
    const last = this.#lines.at(-1);
    const begin = `${id} commits `;
    if (last?.startsWith(begin)) this.#lines[this.#lines.length - 1] = `${last}, ${text}`;
    else this.tell(begin + text);
  }

  #said(from: string, to: string, message: RaftMessage): void {
    if (this.isBrief && !toldBriefly.has(message.type)) return;
    const text = messageText(message);
    const last = this.#lines.at(-1);
    const [sender, said] = [`${from} → `, `: ${text}`];
    // The same word to several at once is told once.
    if (last?.startsWith(sender) && last.endsWith(said) && !last.includes(` ${to}:`)) {
      this.#lines[this.#lines.length - 1] = `${last.slice(0, -said.length)} ${to}${said}`;
    } else {
      this.tell(`${sender}${to}${said}`);
    }
  }
}

function partOf(raft: Raft): string {
  switch (raft.role) {
    case 'leader':
      return `leads term ${raft.term}`;
    case 'candidate':
      return `stands for term ${raft.term}`;
    case 'preCandidate':
      return `would stand for term ${raft.term + 1}`;
    case 'follower':
      return `follows ${raft.leader || 'nobody'} in term ${raft.term}`;
  }
}

function messageText(message: RaftMessage): string {
  switch (message.type) {
    case 'voteRequest': {
      const { term, pre, lastIndex, lastTerm, transfer } = message.body;
      const question = pre ? 'would you vote for me' : 'vote for me';
      return `${question} in term ${term}, my log ends with ${lastIndex}/${lastTerm}${transfer ? ', the leader wants it' : ''}`;
    }
    case 'voteReply': {
      const { term, pre, granted } = message.body;
      if (granted) return pre ? `I would, in term ${term}` : `my vote, in term ${term}`;
      return pre ? `I would not, in term ${term}` : `not my vote, in term ${term}`;
    }
    case 'appendRequest': {
      const { term, previousIndex, previousTerm, entries, commitIndex } = message.body;
      const load = entries.length > 0 ? entries.map(entryText).join(', ') : 'nothing';
      return `term ${term}, behind ${previousIndex}/${previousTerm} comes ${load}; commit ${commitIndex}`;
    }
    case 'appendReply': {
      const { term, success, matchIndex, conflictIndex, conflictTerm } = message.body;
      if (success) return `term ${term}, I have all up to ${matchIndex}`;
      if (conflictIndex === 0) return `no, it is term ${term}`;
      return `term ${term}, it does not fit, try ${conflictIndex}${conflictTerm > 0 ? ` or my term ${conflictTerm}` : ''}`;
    }
    case 'snapshotChunk': {
      const { term, index, snapshotTerm, length, offset, data } = message.body;
      const part = `bytes ${offset + 1} to ${offset + data.byteLength} of ${length}`;
      return `term ${term}, of a snapshot of ${index}/${snapshotTerm} come ${part}`;
    }
    case 'snapshotReply': {
      const { term, index, offset, installed } = message.body;
      return `term ${term}, ${installed ? `I have all up to ${index}` : `of the snapshot of ${index} I have ${offset} bytes`}`;
    }
    case 'transferLeadership':
      return `stand now, in place of me in term ${message.body.term}`;
    default:
      return JSON.stringify(message);
  }
}

function writing({ hardState, truncateFrom, snapshot, dropFrom, dropThrough, entries }: Persist): string {
  const parts: string[] = [];
  if (hardState) parts.push(`term ${hardState.term}, vote for ${hardState.vote || 'nobody'}`);
  if (snapshot) parts.push(snapshotText(snapshot));
  if (dropFrom !== undefined) parts.push(`nothing from ${dropFrom} to ${dropThrough} any more`);
  if (truncateFrom !== undefined) parts.push(`a cut from ${truncateFrom} on`);
  if (entries.length > 0) parts.push(entries.map(entryText).join(', '));
  return parts.join('; ');
}

export function entryText({ index, term, kind, data }: Entry): string {
  const place = `${index}/${term}`;
  if (kind === entryKinds.command) return `${place} ${new TextDecoder().decode(data)}`;
  if (kind !== entryKinds.configuration) return place;
  const { voters = [], learners = [] } = decodeConfiguration(data) ?? {};
  return `${place} ${membersText({ voters, learners })}`;
}

export function membersText({ voters, learners }: Configuration): string {
  return `voters ${voters.join(' ')}${learners.length > 0 ? ` learners ${learners.join(' ')}` : ''}`;
}

function snapshotText(snapshot: Snapshot): string {
  const { index, term, configuration } = snapshot;
  return `a snapshot of ${index}/${term} (${wordsText(wordsIn(snapshot))}; ${membersText(configuration)})`;
}

function wordsText(words: readonly string[]): string {
  return words.length > 0 ? words.join(' ') : 'nothing said yet';
}
