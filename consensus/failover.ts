/** Place of a voter among those that follow a leader's id in the ring of ordered ids: 0 stands first. */
export function failoverRank(leader: string, voters: readonly string[], self: string): number {
  const others = voters.filter((voter) => voter !== leader).sort();
  const ring = [...others.filter((voter) => voter > leader), ...others.filter((voter) => voter < leader)];
  return Math.max(0, ring.indexOf(self));
}

/**
 * A voter's plan to replace a leader whose connection closed, without waiting for the election timeout: voters try one
 * after the other, and each tries again while the others have not noticed. It only decides when to ask; whether a vote is
 * given is decided as always.
 */
export class Failover {
  /** When to try next. */
  atMs: number;
  #triesLeft: number;

  constructor(atMs: number, triesMax: number) {
    this.atMs = atMs;
    this.#triesLeft = triesMax;
  }

  /** Uses up one try; false when there is none left. The next one is planned for `nextMs`. */
  try(nextMs: number): boolean {
    if (this.#triesLeft === 0) return false;
    this.#triesLeft -= 1;
    this.atMs = nextMs;
    return true;
  }
}
