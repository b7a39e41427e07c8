import { crc32 } from 'node:zlib';
import { decodeConfiguration } from '../../consensus/configuration.ts';
import { type Entry, entryKinds } from '../../consensus/entry.ts';
import { type SessionLimits, Sessions } from '../../consensus/sessions.ts';
import { fromBytes, fromJson, toBytes, toJson } from '../../node/core/text.ts';

/** What clients put into the log. */
export type LogCommand =
  | { do: 'open'; client: string }
  | { do: 'put'; session: string; serial: number; lowest: number; text: string; attempt: number };

/** What an entry did where it stands: the same at every node. */
export interface Done {
  kind: 'noop' | 'votersChanged' | 'opened' | 'command' | 'repeat' | 'expired';
  text: string;
  /** Of `command` and `repeat`: where the command took effect. */
  index: number;
  details: Record<string, unknown>;
}

interface Encoded {
  index: number;
  hash: number;
  sessions: ReturnType<Sessions<number>['encode']>;
  padding: string;
}

/** A snapshot is made of several chunks, and of another number of them each time. */
const paddingOf = (index: number): string => 'x'.repeat((index * 37) % 400);

/** The state machine behind the log of consensus alone: a hash of all that was applied, and the clients' sessions. */
export class Machine {
  index = 0;
  hash = 0;
  readonly #sessions: Sessions<number>;

  constructor(limits: SessionLimits) {
    this.#sessions = new Sessions(limits);
  }

  apply(entry: Entry): Done {
    const { index, kind, data } = entry;
    this.index = index;
    this.hash = hashBehind(this.hash, index, data);
    const text = fromBytes(data);
    if (kind === entryKinds.noop) return { kind: 'noop', text, index, details: {} };
    if (kind === entryKinds.configuration) {
      const { voters = [], learners = [] } = decodeConfiguration(data) ?? {};
      return { kind: 'votersChanged', text, index, details: { voters, learners } };
    }
    const command = JSON.parse(text) as LogCommand;
    if (command.do === 'open') {
      this.#sessions.open(String(index), index);
      return { kind: 'opened', text, index, details: {} };
    }
    const standing = this.#sessions.begin(command, index);
    const said = { text: command.text, details: { attempt: command.attempt } };
    if (standing.kind === 'expired') return { kind: 'expired', index, ...said };
    if (standing.kind === 'done') {
      const details = { attempt: command.attempt, place: standing.result };
      return { kind: 'repeat', index: standing.result, text: command.text, details };
    }
    this.#sessions.end(command, index);
    return { kind: 'command', index, ...said };
  }

  encode(): Uint8Array {
    const { index, hash } = this;
    const encoded: Encoded = { index, hash, sessions: this.#sessions.encode(), padding: paddingOf(index) };
    return toBytes(toJson(encoded));
  }

  load(bytes: Uint8Array): void {
    const { index, hash, sessions } = fromJson(fromBytes(bytes)) as Encoded;
    this.index = index;
    this.hash = hash;
    this.#sessions.load(sessions);
  }
}

/** The hash of a log that goes on with an entry. */
export function hashBehind(hash: number, index: number, data: Uint8Array): number {
  return crc32(data, crc32(String(index), hash));
}
