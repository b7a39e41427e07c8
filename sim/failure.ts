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

/** A scenario's script asks for something that is not there, such as a node that does not exist. Not a broken promise. */
export class ScenarioMistake extends Error {
  override readonly name = 'ScenarioMistake';
}
