import type { Member } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { Detector } from './detector.ts';
import type { NodeId } from './message.ts';
import { nextVoterChange, type VoterCandidate, type VoterChange, type VoterPicture, whyNoVoter } from './voters.ts';

/** A voter that answered a heartbeat this long ago still answers. */
const answeringMs = 200;

/**
 * Keeps the configuration as it should be while this node leads: who joined learns, and of those as many vote as
 * there should, one change at a time. Why somebody is to vote goes into the log right before the change.
 */
export class VoterChanges {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #detector: Detector;
  /** For how long this leader has known that a node is not alive, ms; 0 for one that is. */
  readonly #deadForMs: (node: NodeId) => number;
  /** Since when a start of a node is alive and unsuspected. */
  readonly #stable = new Map<NodeId, { boot: number; sinceMs: number }>();
  #noting = false;
  #changedMs: number | undefined;
  #changed: readonly NodeId[] = [];
  #ledSinceMs: number | undefined;

  constructor(context: Context, decisions: Decisions, detector: Detector, deadForMs: (node: NodeId) => number) {
    this.#context = context;
    this.#decisions = decisions;
    this.#detector = detector;
    this.#deadForMs = deadForMs;
  }

  /** A new leadership has seen nothing yet. */
  reset(): void {
    this.#stable.clear();
    this.#noting = false;
    this.#changedMs = undefined;
    this.#ledSinceMs = undefined;
  }

  /** Takes the next step, if there is one and the one before is done. */
  tick(): void {
    this.#observe();
    if (this.#changeLearners()) return;
    const change = nextVoterChange(this.#picture(), this.#context.settings);
    if (change !== undefined) this.#make(change);
  }

  /** Tells of any member why it does not vote; undefined when this node does not lead, and so does not know. */
  whyNot(): ((node: NodeId) => string) | undefined {
    if (!this.#decisions.isReady()) return undefined;
    const picture = this.#picture();
    return (node) => whyNoVoter(picture, this.#context.settings, node);
  }

  #observe(): void {
    const { nowMs } = this.#context;
    const { state, raft } = this.#decisions;
    for (const { node, boot, membership } of state.members.values()) {
      if (membership !== 'alive' || this.#isSuspect(node)) this.#stable.delete(node);
      else if (this.#stable.get(node)?.boot !== boot) this.#stable.set(node, { boot, sinceMs: nowMs });
    }
    const { voters } = raft.configuration();
    const isSame = voters.length === this.#changed.length && voters.every((voter) => this.#changed.includes(voter));
    if (isSame && this.#changedMs !== undefined) return;
    this.#changed = voters;
    this.#changedMs = nowMs;
  }

  /** Who joined and is in no configuration yet learns; who left does not. */
  #changeLearners(): boolean {
    const { raft, state } = this.#decisions;
    const { voters, learners } = raft.configuration();
    const unknown = state.alive().filter(({ node }) => !voters.includes(node) && !learners.includes(node));
    const gone = learners.filter((node) => state.members.get(node)?.membership === 'left');
    if (unknown.length === 0 && gone.length === 0) return false;
    const kept = learners.filter((node) => !gone.includes(node));
    this.#decisions.changeConfiguration({ voters, learners: [...kept, ...unknown.map(({ node }) => node)] });
    return true;
  }

  /** The log must say why before it says that: whoever reads it finds both, also under the next leader. */
  #make({ node, votes, reason }: VoterChange): void {
    const { raft, state } = this.#decisions;
    const noted = state.voterNote;
    if (noted?.node === node && noted.votes === votes && noted.reason === reason) {
      const { voters, learners } = raft.configuration();
      const others = learners.filter((learner) => learner !== node);
      this.#decisions.changeConfiguration(
        votes
          ? { voters: [...voters, node], learners: others }
          : { voters: voters.filter((voter) => voter !== node), learners: [...others, node] },
      );
    } else if (!this.#noting) {
      this.#noting = true;
      this.#decisions.propose({ kind: 'voterNote', node, votes, reason }, () => {
        this.#noting = false;
      });
    }
  }

  #picture(): VoterPicture {
    const { raft, state } = this.#decisions;
    const { self, nowMs } = this.#context;
    const members = new Map<NodeId, VoterCandidate>();
    for (const member of state.members.values()) members.set(member.node, this.#candidate(member));
    return { self, voters: raft.configuration().voters, members, calmMs: nowMs - (this.#changedMs ?? nowMs) };
  }

  #candidate({ node, boot, profile, membership, since, drain }: Member): VoterCandidate {
    const { raft } = this.#decisions;
    const { self, nowMs } = this.#context;
    const progress = raft.progress().get(node);
    const stable = this.#stable.get(node);
    const matched = node === self ? raft.lastIndex : (progress?.matchIndex ?? 0);
    return {
      node,
      name: profile.name,
      site: profile.site,
      membership,
      since,
      suspect: this.#isSuspect(node),
      draining: drain !== undefined,
      answers: node === self || nowMs - (progress?.lastAckMs ?? Number.NEGATIVE_INFINITY) < answeringMs,
      behind: matched > 0 ? raft.lastIndex - matched : undefined,
      stableMs: stable?.boot === boot ? nowMs - stable.sinceMs : 0,
      deadMs: this.#deadForMs(node),
      silentMs: membership === 'alive' && node !== self ? this.#silentForMs(progress?.lastAckMs) : 0,
    };
  }

  /** Counted from the beginning of this leadership for one that never answered it. */
  #silentForMs(lastAckMs = Number.NEGATIVE_INFINITY): number {
    const { nowMs } = this.#context;
    this.#ledSinceMs ??= nowMs;
    return nowMs - Math.max(lastAckMs, this.#ledSinceMs);
  }

  #isSuspect(node: NodeId): boolean {
    return this.#detector.isSuspect(node) || this.#detector.accusers(node).length > 0;
  }
}
