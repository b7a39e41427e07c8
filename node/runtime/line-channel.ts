/** What an agent runs in that speaks the protocol of lines: a process, or a container. */
export interface LineChannel {
  say(line: string): void;
  /** Has it end; nothing more is heard of it. Resolves when it has ended, or nothing more can be done. Never rejects. */
  end(how: 'asked' | 'killed'): Promise<void>;
}

export interface LineChannelEvents {
  line(line: string): void;
  /** Once, unless `end` came first: it said what cannot be a line, or it ended. */
  broken(reason: string): void;
}
