import { type Configuration, type Entry, entryKinds, Raft, type RaftOptions } from '../../consensus/raft.ts';
import type { Disk } from './disk.ts';
import { membersText, Narrator } from './narrator.ts';
import { type Letter, Stage } from './stage.ts';

type Step = [pattern: RegExp, act: (player: Player, ...words: string[]) => void];

const name = '(\\w+)';
const names = '(\\w+(?: \\w+)*)';
const step = (pattern: string, act: Step[1]): Step => [new RegExp(`^${pattern}$`), act];

/** Every step that a transcript may ask for. */
const steps: Step[] = [
  step(`voters ${names}`, (player, voters) => player.found(split(voters))),
  step(`at most (\\d+) entries in a message`, (player, count) => player.limitMessages(Number(count))),
  step(`at most (\\d+) bytes in a chunk`, (player, count) => player.limitChunks(Number(count))),
  step(`${name} has ((?:\\d+ ?)+) in term (\\d+)`, (player, id, terms, term) =>
    player.add(id, split(terms).map(Number), Number(term)),
  ),
  step(`${name} is new`, (player, id) => player.add(id, [], 0)),
  step(`${name} wakes`, (player, id) => player.stage.wake(id)),
  step(`(\\d+) ms pass`, (player, ms) => player.pass(Number(ms))),
  step(`${name} hears ${name}`, (player, to, from) => player.hear(player.stage.letters(from, to))),
  step(`${name} hears ${name} once`, (player, to, from) => player.hear(player.stage.letters(from, to).slice(0, 1))),
  step(`${name} hears ${name} again`, (player, to, from) => player.hearAgain(from, to)),
  step(`${name} hears ${name} late`, (player, to, from) => player.hear(player.stage.letters(from, to, true))),
  step(`what ${name} says to ${name} is late`, (player, from, to) => {
    for (const letter of player.stage.letters(from, to)) letter.isDelayed = true;
  }),
  step(`what ${name} says to ${name} is lost`, (player, from, to) => {
    for (const letter of player.stage.letters(from, to)) player.stage.lose(letter);
  }),
  step(`all else is lost`, (player) => player.loseAll()),
  step(`${name} saves`, (player, id) => player.saveAll(id)),
  step(`${name} saves once`, (player, id) => player.stage.save(id)),
  step(`${name} is told again of its write (\\d+)`, (player, id, place) => player.tellAgain(id, Number(place))),
  step(`${name} asks ${names} for votes`, (player, id, voters) => player.askForVotes(id, split(voters))),
  step(`${name} crashes`, (player, id) => player.stage.crash(id)),
  step(`${name} crashes with (\\d+) writes? through`, (player, id, through) => player.stage.crash(id, Number(through))),
  step(`${name} restarts`, (player, id) => player.stage.start(id)),
  step(`${name} proposes ${name}`, (player, id, text) => player.propose(id, text)),
  step(`${name} reads`, (player, id) => player.read(id)),
  step(`${name} compacts and keeps (\\d+)`, (player, id, kept) => player.compact(id, Number(kept))),
  step(`${name} hands over to ${name}`, (player, id, to) => player.handOver(id, to)),
  step(`${name} changes to voters ${names}`, (player, id, voters) => player.change(id, split(voters), [])),
  step(`${name} loses sight of ${name}`, (player, id, peer) => {
    player.stage.on(id, (raft, now) => raft.peerLost(peer, now));
  }),
  step(`${names} talk alone`, (player, ids) => player.talkAlone(split(ids))),
  step(`logs`, (player) => player.tellLogs()),
  step(`state of ${name}`, (player, id) => player.tellState(id)),
  step(`members at ${name}`, (player, id) => player.tellMembers(id)),
];

/**
 * Plays a story and returns it with what came of each step. A line that is indented is what was told by an earlier play,
 * one that begins with # is for the reader; every other line is a step.
 */
export function play(story: string): string {
  const player = new Player();
  const kept = story
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('  '));
  const told = kept.flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [line];
    player.act(line);
    return [line, ...player.narrator.take().map((said) => `  ${said}`)];
  });
  return `${told.join('\n')}\n`;
}

class Player {
  readonly narrator = new Narrator();
  /** Every message stands for itself. */
  #options: Partial<RaftOptions> = { commitToldMsMax: 0 };
  // Nobody draws lots in a story: every timeout is the middle one.
  #stage: Stage | undefined;
  #founded: Entry[] = [];
  #heard = new Map<string, Letter>();

  get stage(): Stage {
    this.#stage ??= new Stage(this.#options, () => 0.5, this.narrator.watch);
    return this.#stage;
  }

  act(line: string): void {
    for (const [pattern, act] of steps) {
      const words = pattern.exec(line)?.slice(1);
      if (words === undefined) continue;
      act(this, ...words);
      return;
    }
    throw new Error(`Nobody knows how to play: ${line}`);
  }

  limitMessages(entriesPerMessageMax: number): void {
    this.#options = { ...this.#options, entriesPerMessageMax };
  }

  limitChunks(snapshotChunkBytes: number): void {
    this.#options = { ...this.#options, snapshotChunkBytes };
  }

  found(voters: string[]): void {
    this.#founded = Raft.bootstrapEntries({ voters, learners: [] });
  }

  /** A log of these terms; its first entry is the configuration. */
  add(id: string, terms: number[], term: number): void {
    const entries = terms.map((of, place): Entry => {
      const founding = this.#founded[place];
      return founding ?? { index: place + 1, term: of, kind: entryKinds.command, data: Buffer.from(`of${of}`) };
    });
    this.stage.add(id, entries, { term, vote: '' });
    this.narrator.take();
  }

  pass(ms: number): void {
    this.stage.nowMs += ms;
  }

  hear(letters: Letter[]): void {
    if (letters.length === 0) this.narrator.tell('(nothing)');
    for (const letter of letters) {
      this.#heard.set(`${letter.from} ${letter.to}`, letter);
      this.stage.deliver(letter);
    }
  }

  hearAgain(from: string, to: string): void {
    const letter = this.#heard.get(`${from} ${to}`);
    if (letter !== undefined) this.stage.deliver(letter);
  }

  loseAll(): void {
    this.stage.wire = this.stage.wire.filter(({ isDelayed }) => isDelayed);
  }

  saveAll(id: string): void {
    while (this.stage.save(id));
  }

  tellAgain(id: string, place: number): void {
    const persist = this.stage.actor(id).written[place - 1];
    if (persist === undefined) throw new Error(`${id} made no write ${place}`);
    this.stage.on(id, (raft, now) => raft.durable(persist, now));
    this.tellState(id);
  }

  propose(id: string, text: string): void {
    const proposed = this.stage.on(id, (raft, now) => raft.propose(Buffer.from(text), now));
    if (!proposed.ok) this.narrator.tell(`${id} refuses: ${proposed.reason}`);
  }

  read(id: string): void {
    const read = this.stage.on(id, (raft, now) => raft.read(now));
    if (!read.ok) this.narrator.tell(`${id} refuses: ${read.reason}`);
  }

  compact(id: string, kept: number): void {
    if (!this.stage.compact(id, kept)) this.narrator.tell(`${id} refuses`);
  }

  handOver(id: string, to: string): void {
    const begun = this.stage.on(id, (raft, now) => raft.transferLeadership(to, now));
    if (!begun) this.narrator.tell(`${id} refuses`);
  }

  change(id: string, voters: string[], learners: string[]): void {
    const next: Configuration = { voters, learners };
    const proposed = this.stage.on(id, (raft, now) => raft.changeConfiguration(next, now));
    if (!proposed.ok) this.narrator.tell(`${id} refuses: ${proposed.reason}`);
  }

  /** A candidacy that only these hear of. What a winner then says about its log stays under way. */
  askForVotes(id: string, voters: string[]): void {
    const isVote = ({ message: { type } }: Letter): boolean => type === 'voteRequest' || type === 'voteReply';
    this.narrator.isBrief = true;
    this.stage.wake(id);
    this.#talk([id, ...voters], isVote);
    this.narrator.isBrief = false;
    this.stage.wire = this.stage.wire.filter((letter) => letter.isDelayed || !isVote(letter));
  }

  /** Lets some nodes say and save all they have to, told briefly. What they say to others is lost. */
  talkAlone(ids: string[]): void {
    this.narrator.isBrief = true;
    this.#talk(ids, () => true);
    this.narrator.isBrief = false;
    this.loseAll();
  }

  #talk(ids: string[], isMeant: (letter: Letter) => boolean): void {
    const isAmong = ({ from, to, isDelayed }: Letter): boolean => !isDelayed && ids.includes(from) && ids.includes(to);
    for (let turn = 0; turn < 1_000; turn += 1) {
      const letter = this.stage.wire.find((one) => isAmong(one) && isMeant(one));
      if (letter !== undefined) this.stage.deliver(letter);
      const saved = ids.filter((id) => this.stage.actor(id).raft !== undefined && this.stage.save(id));
      if (letter === undefined && saved.length === 0) return;
    }
    throw new Error('they never come to an end');
  }

  tellLogs(): void {
    for (const { id, raft, disk } of this.stage.actors.values()) {
      const fate = raft ? `commit ${raft.commitIndex}` : 'down';
      this.narrator.tell(`${id}: ${logText(raft, disk)}, ${fate}`);
    }
  }

  tellMembers(id: string): void {
    this.narrator.tell(`${id}: ${membersText(this.stage.node(id).configuration())}`);
  }

  tellState(id: string): void {
    const { role, term, commitIndex, rejected } = this.stage.node(id);
    this.narrator.tell(`${id}: ${role} of term ${term}, commit ${commitIndex}, ${rejected} rejected`);
  }
}

/** The terms of a log, as the paper draws them; in brackets what is not on disk yet. */
function logText(raft: Raft | undefined, disk: Disk): string {
  const { index, term } = raft?.base ?? disk.base;
  const stored = disk.entries.filter((entry) => entry.index > index).map((entry) => entry.term);
  const length = (raft?.lastIndex ?? disk.lastIndex) - index;
  const held = raft ? Array.from({ length }, (_, i) => raft.entry(index + i + 1)?.term ?? 0) : stored;
  let same = 0;
  while (same < held.length && held[same] === stored[same]) same += 1;
  const compacted = disk.base.index === index ? `[${index}/${term}]` : `([${index}/${term}])`;
  const saved = [...(index > 0 ? [compacted] : []), ...held.slice(0, same)].join(' ');
  return same < held.length ? `${saved} (${held.slice(same).join(' ')})` : saved;
}

function split(words: string): string[] {
  return words.trim().split(' ');
}
