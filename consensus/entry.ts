/** What an entry's `data` is: see `Entry`. */
export const entryKinds = { noop: 0, command: 1, configuration: 2 } as const;

/**
 * One record of the log. `kind` 0: a new leader's first entry, `data` is the UTF-8 of its id. 1: a command, opaque here.
 * 2: a configuration, see `encodeConfiguration`.
 */
export interface Entry {
  index: number;
  term: number;
  kind: number;
  data: Uint8Array;
}
