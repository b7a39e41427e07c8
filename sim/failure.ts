/** A run that broke a promise, with its seed and what the nodes did last. `cause` is the violation, or what was thrown. */
export class WorldFailure extends Error {
  /** Virtual time, ms. */
  readonly atMs: number;

  constructor(message: string, atMs: number, cause: unknown) {
    super(message, { cause });
    this.name = 'WorldFailure';
    this.atMs = atMs;
  }
}
