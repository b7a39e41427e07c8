import type { RelayReport } from './message.ts';
import type { Progress } from './progress.ts';
import type { Replication } from './replication.ts';
import type { State } from './state.ts';

/** How many learners a leader serves itself, and each relay in turn: two steps always reach all of them. */
export function directLearners(learners: number, least: number): number {
  return Math.max(least, Math.ceil(Math.sqrt(learners)));
}

/** Heartbeats after which a relay is told again whom it serves. */
const repeatEvery = 10;

/**
 * Where there are many learners, the leader brings the log to a few of them, and each of these to a few more. A relay
 * passes on what is committed and nothing else, so it cannot tell a learner anything that another leader would take back.
 * What is not well is taken back at once: the leader serves a learner itself until it is, and knows, well served.
 */
export class Relays {
  readonly #state: State;
  readonly #replication: Replication;
  /** Whom each relay was last told to serve. */
  #told = new Map<string, readonly string[]>();
  #heartbeats = 0;

  constructor(state: State, replication: Replication) {
    this.#state = state;
    this.#replication = replication;
  }

  /** To be called at every heartbeat. */
  assign(): void {
    this.#heartbeats += 1;
    const { configuration, options } = this.#state;
    const max = directLearners(configuration.learners.length, options.directLearnersMin);
    this.#takeBack();
    const served = this.#served();
    const isRelay = (id: string): boolean => (served.get(id)?.length ?? 0) > 0;
    // Who is not well is asked how it is and no more: it counts neither as served nor as one that could serve.
    const direct = configuration.learners.filter((id) => this.#isDirect(this.#progressOf(id)));
    const candidates = direct.slice(0, max);
    let excess = direct.length - max;
    // From the end: the first ones stay where they are, and serve.
    for (const id of direct.toReversed()) {
      if (excess <= 0) break;
      const progress = this.#progressOf(id);
      if (progress === undefined || isRelay(id)) continue;
      const relay = this.#freeRelay(candidates, served, max, id, progress.failedRelay);
      if (relay === undefined) continue;
      progress.relay = relay;
      served.set(relay, [...(served.get(relay) ?? []), id]);
      excess -= 1;
    }
    this.#tell(served);
  }

  /** Takes in what a relay says of those that it serves. */
  reported(from: string, { children }: RelayReport): void {
    const { nowMs, log } = this.#state;
    for (const { id, matchIndex, ageMs } of children) {
      const progress = this.#progressOf(id);
      if (progress?.relay !== from || matchIndex > log.lastIndex) continue;
      progress.matched(matchIndex);
      progress.lastAckMs = Math.max(progress.lastAckMs, nowMs - ageMs);
    }
  }

  /** The connection to a relay closed. */
  lost(relay: string): void {
    for (const progress of this.#replication.progress.values()) if (progress.relay === relay) progress.serveDirectly();
  }

  #progressOf(id: string): Progress | undefined {
    return this.#replication.progress.get(id);
  }

  #isDirect(progress: Progress | undefined): boolean {
    return progress !== undefined && progress.relay === undefined && this.#isWell(progress);
  }

  #isWell(progress: Progress): boolean {
    const { nowMs, options } = this.#state;
    return progress.state === 'replicate' && progress.answeredWithin(options.electionTimeoutMsMin / 2, nowMs);
  }

  #takeBack(): void {
    const { nowMs, options, configuration } = this.#state;
    for (const [id, progress] of this.#replication.progress) {
      if (progress.relay === undefined) continue;
      const relay = this.#progressOf(progress.relay);
      const isServed = nowMs - progress.lastAckMs < options.electionTimeoutMsMin;
      const stands = relay !== undefined && relay.relay === undefined && this.#isWell(relay);
      // A relay that is well and did not reach it would not the next time either.
      if (stands && !isServed) progress.failedRelay = progress.relay;
      if (!stands || !isServed || configuration.voters.includes(id)) progress.serveDirectly();
    }
  }

  #served(): Map<string, string[]> {
    const served = new Map<string, string[]>();
    for (const [id, { relay }] of this.#replication.progress) {
      if (relay !== undefined) served.set(relay, [...(served.get(relay) ?? []), id]);
    }
    return served;
  }

  /** The one that serves the fewest, and has not failed this learner. */
  #freeRelay(
    candidates: readonly string[],
    served: ReadonlyMap<string, readonly string[]>,
    max: number,
    learner: string,
    failed: string | undefined,
  ): string | undefined {
    const load = (id: string): number => served.get(id)?.length ?? 0;
    let best: string | undefined;
    for (const id of candidates) {
      const progress = this.#progressOf(id);
      if (id === learner || id === failed || progress === undefined || load(id) >= max) continue;
      if (best === undefined || load(id) < load(best)) best = id;
    }
    return best;
  }

  #tell(served: ReadonlyMap<string, readonly string[]>): void {
    const { term } = this.#state;
    const repeats = this.#heartbeats % repeatEvery === 0;
    for (const relay of new Set([...served.keys(), ...this.#told.keys()])) {
      const children = served.get(relay) ?? [];
      const before = this.#told.get(relay) ?? [];
      const isSame = children.length === before.length && children.every((id, place) => id === before[place]);
      if (isSame && !(repeats && children.length > 0)) continue;
      this.#state.sendEarly(relay, { type: 'relay', body: { term, children: [...children] } });
    }
    this.#told = new Map(served);
  }
}
