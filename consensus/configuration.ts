import { type Entry, entryKinds } from './entry.ts';

/** Most members, voters and learners together, that a configuration may name. */
export const membersMax = 4096;
const idLengthMax = 256;

/** Who takes part: voters count for majorities, learners only follow the log. No id is in both. */
export interface Configuration {
  voters: readonly string[];
  learners: readonly string[];
}

export const noConfiguration: Configuration = { voters: [], learners: [] };

/** The data of a configuration entry: JSON, UTF-8, ids in order, so that equal configurations are equal bytes. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const voters = [...configuration.voters].sort();
  const learners = [...configuration.learners].sort();
  return new TextEncoder().encode(JSON.stringify({ voters, learners }));
}

/** Reads a configuration entry's data; `undefined` when it is not a usable configuration. */
export function decodeConfiguration(data: Uint8Array): Configuration | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { voters, learners } = value as { voters?: unknown; learners?: unknown };
  if (!isIds(voters) || !isIds(learners)) return undefined;
  const configuration = { voters, learners };
  return isUsable(configuration) ? configuration : undefined;
}

/** Whether a cluster could run with it: at least one voter, no id twice, not too many. */
export function isUsable({ voters, learners }: Configuration): boolean {
  const ids = [...voters, ...learners];
  if (voters.length === 0 || ids.length > membersMax) return false;
  return new Set(ids).size === ids.length && ids.every((id) => id.length > 0 && id.length <= idLengthMax);
}

/** How many ids are a voter in one of the two and not in the other. */
export function votersChanged(a: Configuration, b: Configuration): number {
  const onlyIn = (x: Configuration, y: Configuration): number => x.voters.filter((v) => !y.voters.includes(v)).length;
  return onlyIn(a, b) + onlyIn(b, a);
}

function isIds(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= membersMax && value.every((id) => typeof id === 'string');
}

/**
 * The configurations that the log holds. The newest counts as soon as it is in the log, committed or not (thesis, 4.1);
 * when the log is cut behind it, the one before counts again.
 */
export class ConfigurationHistory {
  #known: { index: number; configuration: Configuration }[] = [{ index: 0, configuration: noConfiguration }];

  get current(): Configuration {
    return this.#last.configuration;
  }

  /** Log index of the current configuration; 0: the log holds none. */
  get index(): number {
    return this.#last.index;
  }

  /** Whether somebody votes by any configuration that may be in force, as far as this node knows. */
  mayCount(id: string): boolean {
    return this.#known.some(({ configuration }) => configuration.voters.includes(id));
  }

  /** Takes note of entries that came to the end of the log. */
  appended(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind !== entryKinds.configuration) continue;
      const configuration = decodeConfiguration(entry.data);
      if (configuration === undefined) throw new Error(`entry ${entry.index} is not a configuration`);
      this.#known.push({ index: entry.index, configuration });
    }
  }

  truncated(fromIndex: number): void {
    while (this.#known.length > 1 && this.#last.index >= fromIndex) this.#known.pop();
  }

  /** What is applied is never cut off again: all configurations but the last one up to there can be forgotten. */
  applied(index: number): void {
    const keep = this.#known.findLastIndex((known) => known.index <= index);
    if (keep > 0) this.#known.splice(0, keep);
  }

  /** The one that counted at an index which is applied, and of which no later one is: for a snapshot of it. */
  at(index: number): Configuration {
    return this.#known.findLast((known) => known.index <= index)?.configuration ?? noConfiguration;
  }

  /** Begins with what a snapshot says, and goes on with the entries behind it. */
  restart(index: number, configuration: Configuration, entries: readonly Entry[]): void {
    this.#known = [{ index, configuration }];
    this.appended(entries);
  }

  get #last(): { index: number; configuration: Configuration } {
    const last = this.#known.at(-1);
    if (last === undefined) throw new Error('the configuration history is never empty');
    return last;
  }
}
