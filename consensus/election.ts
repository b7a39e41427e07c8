import { Failover, failoverRank } from './failover.ts';
import type { RaftMessage, VoteReply, VoteRequest } from './message.ts';
import { majorityOf } from './quorum.ts';
import type { State } from './state.ts';

/** What an election can lead to; it asks for these, others do them. */
export interface Transitions {
  /** Go on as a follower in this term, of this leader ('' when it is not known). */
  follow(term: number, leader: string): void;
  /** The election is won, by these votes; the votes had been asked for at `sinceMs`. */
  lead(granters: ReadonlySet<string>, sinceMs: number): void;
}

/** The part of a node that votes, notices that there is no leader, and stands for election. */
export class Election {
  readonly #state: State;
  readonly #transitions: Transitions;
  #deadlineMs = 0;
  #sinceMs = 0;
  #granters = new Set<string>();
  #refusers = new Set<string>();
  #transfer = false;
  #leaderLost = false;
  #failover: Failover | undefined;
  readonly #startedMs: number;

  constructor(state: State, transitions: Transitions) {
    this.#state = state;
    this.#transitions = transitions;
    this.#startedMs = state.nowMs;
    this.#waitForLeader();
  }

  deadlineMs(): number {
    if (this.#state.role === 'leader' || !this.#state.mayStand) return Number.POSITIVE_INFINITY;
    return Math.min(this.#deadlineMs, this.#failover?.atMs ?? Number.POSITIVE_INFINITY);
  }

  tick(): void {
    const { role, mayStand, nowMs } = this.#state;
    if (role === 'leader' || !mayStand) return;
    if (this.#state.isDiskStalled) {
      // Its vote for itself would not get to the disk: others may do better.
      this.#failover = undefined;
      if (nowMs >= this.#deadlineMs) this.#resetDeadline();
    } else if (nowMs >= this.#deadlineMs) {
      // From here on the ordinary way, whatever had been planned.
      this.#failover = undefined;
      this.askForVotes();
    } else if (this.#failover !== undefined && nowMs >= this.#failover.atMs) {
      this.#failOver(this.#failover);
    }
  }

  /** The node became a follower; one that was something else begins to wait anew. */
  following(wasFollower: boolean): void {
    this.#forgetBallots();
    if (!wasFollower) this.#waitForLeader();
  }

  leading(): void {
    this.#forgetBallots();
    this.#heardFromLeader();
  }

  /** The present leader gave a sign of life, so long ago. */
  leaderHeard(ageMs = 0): void {
    const { nowMs, heardLeaderMs } = this.#state;
    this.#state.heardLeaderMs = Math.max(heardLeaderMs, nowMs - ageMs);
    this.#heardFromLeader();
    this.#awaitSilence();
  }

  /**
   * The connection to a peer closed. If it is the leader, or the candidate that this node made leader without having heard
   * of it since: do not hold on to it, and plan to replace it.
   */
  peerLost(peer: string): void {
    const { role, leader, vote, configuration, id, isVoter, nowMs, options } = this.#state;
    if (role !== 'follower' || peer === '' || peer !== (leader || vote)) return;
    this.#leaderLost = true;
    if (!isVoter || options.leaseReads) return;
    const rank = failoverRank(peer, configuration.voters, id);
    this.#failover = new Failover(nowMs + this.#turnMs(rank), options.fastElectionTriesMax);
  }

  /** Asks whether votes would be given, which disturbs nobody (thesis, 9.6). */
  askForVotes(): void {
    this.#resetDeadline();
    this.#forgetBallots();
    this.#state.role = 'preCandidate';
    this.#state.leader = '';
    this.#sinceMs = this.#state.nowMs;
    this.#granters.add(this.#state.id);
    if (this.#won()) this.stand(false);
    else this.#sendRequests();
  }

  /** Stands for election in a new term. The own vote counts when it is on disk, see `ownVoteDurable` below. */
  stand(transfer: boolean): void {
    this.#resetDeadline();
    this.#forgetBallots();
    this.#state.setHardState(this.#state.term + 1, this.#state.id);
    this.#state.role = 'candidate';
    this.#state.leader = '';
    this.#sinceMs = this.#state.nowMs;
    this.#transfer = transfer;
    if (this.#failover) this.#failover.atMs = this.#state.nowMs + this.#state.options.fastElectionRetryMs;
    this.#sendRequests();
  }

  /** A candidate's hard state of a term is on disk, and with it the vote for itself. */
  ownVoteDurable(term: number): void {
    if (this.#state.role !== 'candidate' || this.#state.term !== term) return;
    this.#granters.add(this.#state.id);
    this.#count();
  }

  voteRequested(from: string, request: VoteRequest): void {
    const state = this.#state;
    const sticky = !request.transfer && this.#holdsOnToLeader();
    if (!sticky && !request.pre && request.term > state.term) this.#transitions.follow(request.term, '');
    const free = request.term > state.term || state.vote === '' || state.vote === from;
    const granted =
      !sticky && free && request.term >= state.term && state.log.isCoveredBy(request.lastIndex, request.lastTerm);
    if (request.pre) {
      const body = { term: granted ? request.term : state.term, pre: true, granted };
      state.sendEarly(from, { type: 'voteReply', body });
      return;
    }
    if (granted) this.#give(from);
    state.sendLate(from, { type: 'voteReply', body: { term: state.term, pre: false, granted } });
  }

  voteAnswered(from: string, reply: VoteReply): void {
    const state = this.#state;
    if (!state.otherVoters.includes(from)) return;
    if (reply.term > state.term && !(reply.pre && reply.granted)) {
      this.#transitions.follow(reply.term, '');
      return;
    }
    const asked = reply.pre ? 'preCandidate' : 'candidate';
    const termAsked = reply.pre && reply.granted ? state.term + 1 : state.term;
    if (state.role !== asked || reply.term !== termAsked) return;
    if (reply.granted) this.#granters.add(from);
    else this.#refusers.add(from);
    this.#count();
  }

  #give(candidate: string): void {
    const { term, vote, nowMs, options } = this.#state;
    if (vote === '') this.#state.setHardState(term, candidate);
    this.#resetDeadline();
    // The one voted for may be gone as well: time for it to win, then go on with the plan.
    if (this.#failover) this.#failover.atMs = nowMs + options.electionTimeoutMsMin / 2 + this.#smallDelayMs();
  }

  /**
   * Whether a voter takes its leader for alive and refuses to elect another (thesis, 4.2.3): so a node that lost its
   * connections, or was removed, cannot depose a leader that the others hear.
   */
  #holdsOnToLeader(): boolean {
    const { role, leader, nowMs, heardLeaderMs, options } = this.#state;
    if (role === 'leader') return true;
    // A lease rests on voters that wait whatever happens, also when they have just started and may have heard a leader.
    if (options.leaseReads) return nowMs - Math.max(heardLeaderMs, this.#startedMs) < options.electionTimeoutMsMin;
    return leader !== '' && !this.#leaderLost && nowMs - heardLeaderMs < options.electionTimeoutMsMin;
  }

  #failOver(failover: Failover): void {
    const { role, term, nowMs, options } = this.#state;
    if (!failover.try(nowMs + options.fastElectionRetryMs)) {
      this.#failover = undefined;
      return;
    }
    if (role === 'follower') {
      this.askForVotes();
    } else if (role === 'candidate' && this.#refusers.size > 0) {
      // Somebody else stands too: let chance decide who goes first next time.
      this.#transitions.follow(term, '');
      failover.atMs = nowMs + this.#smallDelayMs();
    } else {
      this.#refusers.clear();
      this.#sendRequests();
    }
  }

  #count(): void {
    if (!this.#won()) return;
    if (this.#state.role === 'preCandidate') this.stand(false);
    else this.#transitions.lead(new Set(this.#granters), this.#sinceMs);
  }

  #won(): boolean {
    const { voters } = this.#state.configuration;
    return voters.filter((voter) => this.#granters.has(voter)).length >= majorityOf(voters.length);
  }

  /** To all voters that have not granted yet. Only real votes rest on what is on disk. */
  #sendRequests(): void {
    const { term, role, log, otherVoters } = this.#state;
    const pre = role === 'preCandidate';
    for (const voter of otherVoters) {
      if (this.#granters.has(voter)) continue;
      const message: RaftMessage = {
        type: 'voteRequest',
        body: {
          term: pre ? term + 1 : term,
          pre,
          lastIndex: log.lastIndex,
          lastTerm: log.lastTerm,
          transfer: this.#transfer,
        },
      };
      if (pre) this.#state.sendEarly(voter, message);
      else this.#state.sendLate(voter, message);
    }
  }

  #forgetBallots(): void {
    this.#granters = new Set();
    this.#refusers = new Set();
    this.#transfer = false;
  }

  #heardFromLeader(): void {
    this.#leaderLost = false;
    this.#failover = undefined;
  }

  #waitForLeader(): void {
    const { nowMs, isVoter, otherVoters } = this.#state;
    this.#resetDeadline();
    // Who votes alone has nobody to wait for.
    if (isVoter && otherVoters.length === 0) this.#deadlineMs = nowMs;
  }

  /**
   * The leader was heard. Should it fall silent, the voters ask one after the other, as soon as they let go of it: a round
   * of asking disturbs nobody, so the first one need not wait for chance to give it a lead. Whoever had no success waits a
   * random time from then on.
   */
  #awaitSilence(): void {
    const { nowMs, leader, configuration, id, options, random } = this.#state;
    const turnMs = this.#turnMs(failoverRank(leader, configuration.voters, id) + random() / 4);
    this.#deadlineMs = nowMs + Math.min(options.electionTimeoutMsMin + turnMs, options.electionTimeoutMsMax);
  }

  /** When it is a voter's turn to replace a leader, ms. Who should rather not lead lets all others go first. */
  #turnMs(rank: number): number {
    const { options, configuration, priority } = this.#state;
    return (rank + (1 - priority) * configuration.voters.length) * options.fastElectionStaggerMs;
  }

  #resetDeadline(): void {
    const { nowMs, options, random, priority } = this.#state;
    const { electionTimeoutMsMin, electionTimeoutMsMax } = options;
    // Never all of it: those that should all rather not lead must not stand at the same moment either.
    const least = (1 - priority) * 0.7;
    const share = least + (1 - least) * random();
    this.#deadlineMs = nowMs + electionTimeoutMsMin + share * (electionTimeoutMsMax - electionTimeoutMsMin);
  }

  #smallDelayMs(): number {
    const { options, random, configuration } = this.#state;
    return random() * options.fastElectionStaggerMs * configuration.voters.length;
  }
}
