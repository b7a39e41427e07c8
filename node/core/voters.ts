import type { NodeId } from './message.ts';
import { majorityOf } from './replication.ts';

/** What counts about a member when it is decided who votes. Times in ms, as far as this leader has seen. */
export interface VoterCandidate {
  node: NodeId;
  name: string;
  site: string;
  membership: 'alive' | 'dead' | 'left';
  /** Log index of the last change of its membership or start: of two, the lower one lives longer. */
  since: number;
  suspect: boolean;
  /** It is to give its vote to another. */
  draining: boolean;
  /** It answered the leader just now. */
  answers: boolean;
  /** Entries that its log lacks; undefined when the leader knows nothing of its log yet. */
  behind: number | undefined;
  /** Alive this long without a restart or a suspicion; 0 when it is not. */
  stableMs: number;
  /** Not alive for this long; 0 when it is. */
  deadMs: number;
  /** Alive, and no answer came to this leader for this long; 0 when it is not alive. */
  silentMs: number;
}

/** What the leader knows at one moment. */
export interface VoterPicture {
  /** The leader, which never chooses itself to go. */
  self: NodeId;
  voters: readonly NodeId[];
  members: ReadonlyMap<NodeId, VoterCandidate>;
  /** Since the voters changed last, ms. */
  calmMs: number;
}

export interface VoterRules {
  votersMax: number;
  voterGraceMs: number;
  voterSettleMs: number;
  voterSwapPauseMs: number;
}

/** One voter more or less, and why, in words that stay the same as long as the reason does. */
export interface VoterChange {
  node: NodeId;
  votes: boolean;
  reason: string;
}

/** A learner that lacks no more entries than this has caught up. */
const behindMax = 16;

/**
 * The next single step towards as many voters as there should be, spread over sites; undefined when all is well, or
 * when a step could put the majority at risk. Pure: whoever does the steps one by one comes to an end.
 */
export function nextVoterChange(picture: VoterPicture, rules: VoterRules): VoterChange | undefined {
  const { voters } = picture;
  const lost = lostVoters(picture, rules);
  const [first] = lost;
  // Who takes the place of a dead voter comes before that one goes: for a moment there is one more.
  if (voters.length < rules.votersMax + (first === undefined ? 0 : 1)) {
    const vacancy =
      first === undefined
        ? `${voters.length} of ${rules.votersMax} voted`
        : `voter ${nameIn(picture, first)} ${howLost(picture.members.get(first))}`;
    const added = addition(picture, rules, vacancy);
    if (added !== undefined) return added;
  }
  if (first !== undefined) {
    if (!isGain(voters.length, lost.length, rules) || !mayGo(picture, first)) return undefined;
    const how = picture.members.get(first)?.membership === 'alive' ? 'without an answer' : 'dead';
    return { node: first, votes: false, reason: `${how} for more than ${rules.voterGraceMs / 1_000} s` };
  }
  // With one voter down, every other change could be one too many.
  if (!voters.every((voter) => isWell(picture.members.get(voter)))) return undefined;
  if (voters.some((voter) => picture.members.get(voter)?.draining)) return handOver(picture, rules);
  return voters.length > rules.votersMax ? removal(picture, rules) : swap(picture, rules);
}

/** Why a member that does not vote does not, for people. */
export function whyNoVoter(picture: VoterPicture, rules: VoterRules, node: NodeId): string {
  const member = picture.members.get(node);
  if (member === undefined) return 'it is no member';
  if (member.membership !== 'alive') return member.membership === 'left' ? 'it left' : 'it is dead';
  if (picture.voters.length >= rules.votersMax && lostVoters(picture, rules).length === 0) {
    return `${picture.voters.length} voters are enough`;
  }
  return whyUnfit(member, rules) ?? 'next in turn';
}

function whyUnfit(member: VoterCandidate, { voterSettleMs }: VoterRules): string | undefined {
  const { suspect, draining, behind, answers, stableMs } = member;
  if (draining) return 'draining';
  if (suspect) return 'suspected to be down';
  if (behind === undefined) return 'has not shown its log yet';
  if (behind > behindMax) return `still catching up, ${behind} entries behind`;
  if (!answers) return 'does not answer the leader';
  if (stableMs < voterSettleMs) return `alive for ${Math.floor(stableMs / 1_000)} s only`;
  return undefined;
}

/** The founding voters of a new cluster, the founder among them: spread over sites, then the lowest ids. */
export function chooseFounders(founder: NodeId, siteOf: ReadonlyMap<NodeId, string>, count: number): NodeId[] {
  const chosen = [founder];
  const left = [...siteOf.keys()].filter((node) => node !== founder).sort();
  while (chosen.length < count && left.length > 0) {
    const held = (node: NodeId): number => chosen.filter((one) => siteOf.get(one) === siteOf.get(node)).length;
    const next = left.reduce((best, node) => (held(node) < held(best) ? node : best));
    chosen.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return chosen;
}

/**
 * Voters that are dead for so long that they are to be replaced, the one first that died first: it is the least likely to
 * come back, and to let go of one that does could cost the majority. One that others can reach and that does not answer the
 * leader, its disk hanging or a link cut, is as good as dead to the majority.
 */
function lostVoters({ self, voters, members }: VoterPicture, { voterGraceMs }: VoterRules): NodeId[] {
  const isDead = ({ membership }: VoterCandidate): boolean => membership !== 'alive';
  return voters
    .flatMap((node) => members.get(node) ?? [])
    .filter(({ node, deadMs, silentMs }) => node !== self && Math.max(deadMs, silentMs) >= voterGraceMs)
    .sort((a, b) => Number(isDead(b)) - Number(isDead(a)) || (isDead(a) ? a.since - b.since : b.silentMs - a.silentMs))
    .map(({ node }) => node);
}

function howLost(member: VoterCandidate | undefined): string {
  if (member?.membership === 'alive') return 'does not answer';
  return member?.membership === 'left' ? 'left' : 'died';
}

/**
 * A dead voter that comes back counts again, so it is let go only where that gains something: where another has its
 * place, or the majority gets smaller, now or with the next one.
 */
function isGain(voters: number, lost: number, { votersMax }: VoterRules): boolean {
  return voters > votersMax || (voters > 3 && (voters % 2 === 0 || lost > 1));
}

/** It is not needed: the others that answer are a majority without it. One that is dead by the log and answers is back. */
function mayGo({ voters, members }: VoterPicture, node: NodeId): boolean {
  const gone = members.get(node);
  if (gone?.membership !== 'alive' && gone?.answers) return false;
  const remaining = voters.filter((voter) => voter !== node);
  const answering = remaining.filter((voter) => members.get(voter)?.answers).length;
  return answering >= majorityOf(remaining.length);
}

const isWell = (member: VoterCandidate | undefined): boolean =>
  member?.membership === 'alive' && member.answers && !member.suspect;

/** The learner to be added: of the site with the fewest living voters, then who lives longest, then the lowest id. */
function addition(picture: VoterPicture, rules: VoterRules, reason: string): VoterChange | undefined {
  const best = bestLearner(picture, rules);
  if (best === undefined) return undefined;
  const answering = picture.voters.filter((voter) => picture.members.get(voter)?.answers).length;
  if (answering + 1 < majorityOf(picture.voters.length + 1)) return undefined;
  return { node: best.node, votes: true, reason };
}

function bestLearner(picture: VoterPicture, rules: VoterRules): VoterCandidate | undefined {
  const held = votersBySite(picture);
  const of = ({ site }: VoterCandidate): number => held.get(site) ?? 0;
  return [...picture.members.values()]
    .filter((member) => !picture.voters.includes(member.node) && member.membership === 'alive')
    .filter((member) => whyUnfit(member, rules) === undefined)
    .sort((a, b) => of(a) - of(b) || a.since - b.since || (a.node < b.node ? -1 : 1))[0];
}

/**
 * A voter that drains goes where that makes the majority smaller, and before that another comes to take its place. With
 * nobody to take it, it votes on. The leader itself makes way first.
 */
function handOver(picture: VoterPicture, rules: VoterRules): VoterChange | undefined {
  const { voters, members, self } = picture;
  const draining = voters.filter((voter) => members.get(voter)?.draining);
  if (draining.length === voters.length) return undefined;
  if (voters.length % 2 === 1 && voters.length <= rules.votersMax) {
    return addition(picture, rules, `voter ${nameIn(picture, draining[0] ?? '')} is drained`);
  }
  const gone = draining.find((voter) => voter !== self);
  return gone !== undefined && mayGo(picture, gone) ? { node: gone, votes: false, reason: 'it is drained' } : undefined;
}

/** One voter too many: of the site with the most voters, who lives shortest, then the highest id; never the leader. */
function removal(picture: VoterPicture, { votersMax }: VoterRules): VoterChange | undefined {
  const [least] = crowded(picture);
  if (least === undefined || !mayGo(picture, least.node)) return undefined;
  const count = votersBySite(picture).get(least.site) ?? 0;
  const reason = `${picture.voters.length} voted, ${votersMax} are enough, and site ${least.site} had ${count}`;
  return { node: least.node, votes: false, reason };
}

function crowded(picture: VoterPicture): VoterCandidate[] {
  const held = votersBySite(picture);
  const of = ({ site }: VoterCandidate): number => held.get(site) ?? 0;
  return picture.voters
    .filter((voter) => voter !== picture.self)
    .flatMap((voter) => picture.members.get(voter) ?? [])
    .sort((a, b) => of(b) - of(a) || b.since - a.since || (a.node > b.node ? -1 : 1));
}

/** The first half of a swap that evens the sites out; `removal` is the second. Not in quick succession. */
function swap(picture: VoterPicture, rules: VoterRules): VoterChange | undefined {
  if (picture.voters.length < rules.votersMax || picture.calmMs < rules.voterSwapPauseMs) return undefined;
  const held = votersBySite(picture);
  const [most] = crowded(picture);
  const best = bestLearner(picture, rules);
  if (most === undefined || best === undefined) return undefined;
  const [many, few] = [held.get(most.site) ?? 0, held.get(best.site) ?? 0];
  if (many - few < 2) return undefined;
  return addition(picture, rules, `site ${best.site} had ${few} of the voters, site ${most.site} ${many}`);
}

/** Of the dead, the place is to be taken: they do not count. */
function votersBySite({ voters, members }: VoterPicture): Map<string, number> {
  const held = new Map<string, number>();
  for (const voter of voters) {
    const member = members.get(voter);
    if (member?.membership === 'alive') held.set(member.site, (held.get(member.site) ?? 0) + 1);
  }
  return held;
}

function nameIn({ members }: VoterPicture, node: NodeId): string {
  return members.get(node)?.name ?? node.slice(-8);
}
