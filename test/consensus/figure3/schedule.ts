import fc from 'fast-check';
import { type Configuration, Raft } from '../../../consensus/raft.ts';
import { seeded } from '../random.ts';
import { Stage } from '../stage.ts';
import type { Judge, Sight } from './judges.ts';

/** What the world does next; `a` and `b` choose among what there is. */
export interface Step {
  do: keyof typeof acts;
  a: number;
  b: number;
}

export interface Schedule {
  voters: number;
  seed: number;
  steps: Step[];
}

/** Lives long enough for a few terms, with all that a network, a disk and a user can do. */
export function schedules(stepsMax = 250): fc.Arbitrary<Schedule> {
  const draw = fc.nat(1_000);
  const step = fc
    .tuple(fc.oneof(...weights.map(([act, weight]) => ({ weight, arbitrary: fc.constant(act) }))), draw, draw)
    .map(([act, a, b]): Step => ({ do: act, a, b }));
  return fc.record({
    voters: fc.integer({ min: 3, max: 5 }),
    seed: fc.nat(),
    steps: fc.array(step, { minLength: stepsMax / 2, maxLength: stepsMax, size: 'max' }),
  });
}

/** Short messages and portions, so that few entries already need several. */
const options = { entriesPerMessageMax: 2, committedPerOutputMax: 2, messagesInFlightMax: 3 };
/** More than that is under way only when it is as good as lost. */
const lettersMax = 80;

const acts = {
  /** Any letter, not only the oldest: they overtake each other. */
  deliver: ({ stage }: World, a: number) => {
    const letter = pick(stage.wire, a);
    if (letter !== undefined) stage.deliver(letter);
  },
  double: ({ stage }: World, a: number) => {
    const letter = pick(stage.wire, a);
    if (letter === undefined) return;
    stage.deliver(letter);
    stage.wire.push(letter);
  },
  lose: ({ stage }: World, a: number) => {
    const letter = pick(stage.wire, a);
    if (letter !== undefined) stage.lose(letter);
  },
  loseSome: ({ stage }: World, a: number) => {
    stage.wire = stage.wire.filter((_, place) => (place + a) % 3 === 0);
  },
  save: ({ stage }: World, a: number) => {
    const raft = pick(stage.running, a);
    if (raft !== undefined) stage.save(raft.id);
  },
  /** For a while everything that is said arrives and everything is saved, among some or all. */
  calm: ({ stage }: World, a: number, b: number) => {
    const isOut = (id: string): boolean => b % 2 === 1 && pick([...stage.actors.keys()], a)?.includes(id) === true;
    for (let turn = 0; turn < 10 + (b % 30); turn += 1) {
      const letter = stage.wire.find(({ from, to }) => !isOut(from) && !isOut(to));
      if (letter !== undefined) stage.deliver(letter);
      for (const { id } of stage.running) if (!isOut(id)) stage.save(id);
    }
  },
  wake: ({ stage }: World, a: number) => {
    const raft = pick(stage.running, a);
    if (raft !== undefined) stage.wake(raft.id);
  },
  wakeFirst: ({ stage }: World) => {
    const [first] = stage.running.toSorted((x, y) => x.deadlineMs() - y.deadlineMs());
    if (first !== undefined) stage.wake(first.id);
  },
  /** Everybody sleeps for so long that leaders are given up. */
  sleep: ({ stage }: World, a: number) => {
    stage.nowMs += 300 + a;
  },
  crash: ({ stage }: World, a: number, b: number) => {
    const raft = pick(stage.running, a);
    if (raft === undefined) return;
    stage.crash(raft.id, b % 4);
    for (const other of stage.running) stage.on(other.id, (one, now) => one.peerLost(raft.id, now));
  },
  restart: ({ stage }: World, a: number) => {
    const down = [...stage.actors.values()].filter(({ raft }) => raft === undefined);
    const actor = pick(down, a);
    if (actor !== undefined) stage.start(actor.id);
  },
  propose: ({ stage }: World, a: number, b: number) => {
    for (const { id } of stage.running) stage.on(id, (raft, now) => raft.propose(Buffer.from(`${a} ${b}`), now));
  },
  change: ({ stage }: World, a: number) => {
    for (const { id } of stage.running) {
      stage.on(id, (raft, now) => {
        if (raft.role === 'leader')
          raft.changeConfiguration(changed(raft.configuration(), [...stage.actors.keys()], a), now);
      });
    }
  },
  handOver: ({ stage }: World, a: number) => {
    const to = pick([...stage.actors.keys()], a) ?? '';
    for (const { id } of stage.running) stage.on(id, (raft, now) => raft.transferLeadership(to, now));
  },
};

const weights: [Step['do'], number][] = [
  ['deliver', 30],
  ['double', 4],
  ['lose', 3],
  ['loseSome', 2],
  ['save', 10],
  ['calm', 14],
  ['wake', 8],
  ['wakeFirst', 8],
  ['sleep', 4],
  ['crash', 5],
  ['restart', 9],
  ['propose', 8],
  ['change', 3],
  ['handOver', 3],
];

interface World {
  stage: Stage;
}

/** A world in which a crash takes the last writes along although the disk had said that they are safe. */
class ForgetfulStage extends Stage {
  override crash(id: string): void {
    const { disk } = this.actor(id);
    super.crash(id);
    const term = Math.max(1, disk.hardState.term - 1);
    disk.hardState = { term, vote: '' };
    const kept = disk.entries.slice(0, -2).filter((entry) => entry.term <= term);
    disk.entries.length = Math.max(Math.min(1, disk.entries.length), kept.length);
  }
}

/** Plays a schedule before a judge. Returns what came of it, for those who want to know that something did. */
export function play(
  { voters, seed, steps }: Schedule,
  judge: Judge,
  isForgetful = false,
): { applied: number; terms: number } {
  const random = seeded(seed);
  const stage = isForgetful ? new ForgetfulStage(options, random) : new Stage(options, random);
  const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, voters);
  for (const id of ids) stage.add(id, Raft.bootstrapEntries({ voters: ids, learners: [] }), { term: 1, vote: '' });
  stage.add('x', [], { term: 0, vote: '' });
  const terms = new Set<number>();
  let applied = 0;
  for (const { do: act, a, b } of steps) {
    acts[act]({ stage }, a, b);
    if (stage.wire.length > lettersMax) stage.wire.splice(0, stage.wire.length - lettersMax);
    judge(sights(stage));
    for (const raft of stage.running) if (raft.role === 'leader') terms.add(raft.term);
    for (const actor of stage.actors.values()) applied = Math.max(applied, actor.applied.length);
  }
  return { applied, terms: terms.size };
}

function sights(stage: Stage): Sight[] {
  return [...stage.actors.values()].flatMap(({ raft, applied }) => {
    if (raft === undefined) return [];
    const log = Array.from({ length: raft.lastIndex }, (_, place) => raft.entry(place + 1));
    return [{ id: raft.id, role: raft.role, term: raft.term, log, applied: [...applied] }];
  });
}

/** One member more or less, as a voter or a learner. */
function changed({ voters, learners }: Configuration, ids: string[], a: number): Configuration {
  const id = pick(ids, a) ?? '';
  const others = learners.filter((learner) => learner !== id);
  if (!voters.includes(id)) return { voters: [...voters, id], learners: others };
  return { voters: voters.filter((voter) => voter !== id), learners: a % 2 === 0 ? [...others, id] : others };
}

function pick<T>(from: readonly T[], a: number): T | undefined {
  return from[a % Math.max(1, from.length)];
}
