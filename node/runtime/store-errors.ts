/** LevelDB's words for a lock that another process holds; of any other trouble with the file it says something else. */
export const isLockHeld = (cause: string): boolean =>
  /already held by process|Resource temporarily unavailable/.test(cause);

/** What LevelDB calls damage, and not a path that has the word in it. */
export const isCorruption = (cause: string): boolean => /(^|: )Corruption: /.test(cause);

const removeAndStart =
  "Remove this node's data directory and start it again: it joins as a new member and gets its state from the others.";

/** What is stored is not what was written. The node must not take part with it: it would break its promises. */
export class StoreDamaged extends Error {
  override readonly name = 'StoreDamaged';

  /** What is wrong with it, without the directory and without what to do. */
  readonly what: string;

  constructor(directory: string, what: string, next = removeAndStart) {
    super(`The store in ${directory} is damaged: ${what}. Nothing was changed. ${next}`);
    this.what = what;
  }
}

/** Another process has the store open. */
export class StoreBusy extends Error {
  override readonly name = 'StoreBusy';

  constructor(directory: string) {
    super(`The store in ${directory} is in use: another node runs on it. Nothing was changed. Stop that one first.`);
  }
}

/** Another version of this program wrote the store. */
export class StoreOutdated extends Error {
  override readonly name = 'StoreOutdated';

  constructor(directory: string, version: number, versionRead: number) {
    super(
      `The store in ${directory} was written by another version of this program: its records are of version ${version}, ` +
        `this one reads version ${versionRead}. Nothing was changed. Start the node with the program that wrote it, or ` +
        "remove this node's data directory: it joins as a new member and gets its state from the others.",
    );
  }
}

/** The disk took no more. Nothing that was acknowledged is lost. */
export class StoreFull extends Error {
  override readonly name = 'StoreFull';

  constructor(directory: string) {
    super(
      `The disk under ${directory} is full. Nothing that was acknowledged is lost, and nothing more is written. ` +
        'Free some space and start again what has ended.',
    );
  }
}

/** The store cannot be opened or written for another reason. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';

  constructor(directory: string, reason: string) {
    super(
      `The store in ${directory} cannot be used: ${reason}. Nothing that was acknowledged is lost. ` +
        'See to the disk and the permissions of the directory, and start again what has ended.',
    );
  }
}

/** Exit codes after sysexits.h: 65 damaged, 73 in use, of another version or cannot be opened, 74 full, 70 anything else. */
export function storeExitCode(error: unknown): number {
  if (error instanceof StoreDamaged) return 65;
  if ([StoreBusy, StoreOutdated, StoreUnavailable].some((kind) => error instanceof kind)) return 73;
  return error instanceof StoreFull ? 74 : 70;
}
