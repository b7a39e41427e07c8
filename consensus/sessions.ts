/** What a command of a client says about itself. */
export interface Serial {
  /** The session: the log index at which it was opened, or any name that the log made unique. */
  session: string;
  /** Counts the client's commands, from 1. A command that is tried again keeps its number. */
  serial: number;
  /** The client knows the outcomes of all below this: they need not be kept. At most `serial`. */
  lowest: number;
}

/** `done`: it took effect before, and this came of it. `expired`: whether it did can no longer be told. */
export type Standing<R> = { kind: 'new' } | { kind: 'done'; result: R } | { kind: 'expired' };

export interface SessionLimits {
  /** Sessions that are kept; the one unused for longest makes room. */
  sessionsMax: number;
  /** Results that are kept of one session: commands that a client may have under way at once. */
  resultsMax: number;
  /** A session that no entry used for so many entries of the log has expired. */
  idleEntriesMax: number;
}

interface Session<R> {
  usedIndex: number;
  /** All below are known to the client, or so old that they were dropped. */
  lowest: number;
  results: Map<number, R>;
}

/**
 * Who has which commands behind it, so that one that is sent again takes effect once (thesis, 6.3). A part of the
 * replicated state: changed only by entries of the log at their place in it, so the same everywhere; time does not
 * count here, only positions.
 */
export class Sessions<R> {
  readonly #limits: SessionLimits;
  /** The one used last stands last. */
  readonly #sessions = new Map<string, Session<R>>();

  constructor(limits: SessionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#sessions.size;
  }

  has(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** Opens a session at a place in the log; one that is open already stays as it is. */
  open(session: string, index: number): void {
    this.#expire(index);
    const known = this.#sessions.get(session) ?? { usedIndex: index, lowest: 1, results: new Map() };
    this.#use(session, known, index);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= this.#limits.sessionsMax) break;
      this.#sessions.delete(oldest);
    }
  }

  close(session: string): void {
    this.#sessions.delete(session);
  }

  /** What to do with a command at its place in the log: only a `new` one may take effect, and ends with `end`. */
  begin({ session: name, serial, lowest }: Serial, index: number): Standing<R> {
    this.#expire(index);
    const session = this.#sessions.get(name);
    if (session === undefined) return { kind: 'expired' };
    this.#use(name, session, index);
    if (lowest > session.lowest) this.#forgetBelow(session, Math.min(lowest, serial));
    if (session.results.has(serial)) return { kind: 'done', result: session.results.get(serial) as R };
    return serial < session.lowest ? { kind: 'expired' } : { kind: 'new' };
  }

  end({ session: name, serial }: Serial, result: R): void {
    const session = this.#sessions.get(name);
    if (session === undefined) return;
    session.results.set(serial, result);
    if (session.results.size > this.#limits.resultsMax) {
      const oldest = Math.min(...session.results.keys());
      this.#forgetBelow(session, oldest + 1);
    }
  }

  /** For a snapshot: plain values, in the order of their use. */
  encode(): [string, { usedIndex: number; lowest: number; results: [number, R][] }][] {
    return [...this.#sessions].map(([name, { usedIndex, lowest, results }]) => [
      name,
      { usedIndex, lowest, results: [...results] },
    ]);
  }

  load(encoded: ReturnType<Sessions<R>['encode']>): void {
    this.#sessions.clear();
    for (const [name, { usedIndex, lowest, results }] of encoded) {
      this.#sessions.set(name, { usedIndex, lowest, results: new Map(results) });
    }
  }

  #use(name: string, session: Session<R>, index: number): void {
    session.usedIndex = index;
    this.#sessions.delete(name);
    this.#sessions.set(name, session);
  }

  #forgetBelow(session: Session<R>, lowest: number): void {
    session.lowest = Math.max(session.lowest, lowest);
    for (const serial of session.results.keys()) if (serial < session.lowest) session.results.delete(serial);
  }

  #expire(index: number): void {
    for (const [name, { usedIndex }] of this.#sessions) {
      if (index - usedIndex <= this.#limits.idleEntriesMax) break;
      this.#sessions.delete(name);
    }
  }
}
