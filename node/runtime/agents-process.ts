import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { AgentsChannel, type Said } from './agents-channel.ts';
import { checkedFromAgents, type FromAgents, type ToAgents } from './agents-message.ts';

/** What can be told of the end of a process. */
export interface AgentsEnd {
  reason: string;
  /** The thread whose memory the process ended of, where it could still say. */
  thread: number | undefined;
  /** What it printed last, a line each. */
  lines: string[];
}

export interface AgentsProcessInit {
  /** The program: `agents-program.ts`, or what was built from it. */
  program: URL;
  directory: string;
  /** Of the node: how text, time and certificates are to be read is passed on, and nothing else. */
  environment: Readonly<Record<string, string | undefined>>;
  pingIntervalMs: number;
  /** Pings in a row that it may leave without an answer. */
  pingsMax: number;
  /** Bytes that it may leave unread. */
  unreadBytesMax: number;
  onSaid(message: FromAgents, bytes: Uint8Array[]): void;
  /** Once; nothing follows. */
  onEnd(end: AgentsEnd): void;
}

/** No secret is among it. */
const passedOn = ['LANG', 'LC_ALL', 'TZ', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
/** A heap that is full has the process say of which thread it was, and end. */
const options = ['--report-on-fatalerror', '--report-filename=stderr', '--report-compact', '--report-exclude-network'];
const shell = '/bin/sh';
/** Part of util-linux; where it is missing, the end of the stream ends the process. */
const setpriv = '/usr/bin/setpriv';
const mb = 1024 * 1024;
/** From its beginning to its first answer. */
const bootMsMax = 15_000;
/** What it says last may come after its end. */
const lastWordsMs = 500;
const wordsLengthMax = 64 * 1024;
const linesMax = 20;
const lineLengthMax = 400;

/** The process that a node's `worker` agents run in, as the node has it. It never outlives the node. */
export class AgentsProcess {
  readonly #init: AgentsProcessInit;
  readonly #child: ChildProcess;
  readonly #channel: AgentsChannel;
  readonly #exited: Promise<void>;
  readonly #pings: NodeJS.Timeout;
  #unanswered = 0;
  #words = '';
  /** Why the node ended it. */
  #reason: string | undefined;
  #isOver = false;
  #hasAnswered = false;

  /** Throws what the system throws when it has no more processes or files. */
  constructor(init: AgentsProcessInit) {
    this.#init = init;
    this.#child = this.#spawn();
    const child = this.#child;
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        resolve();
        this.#end(`it cannot be started: ${error.message}`);
      });
      child.once('exit', (code, signal) => {
        resolve();
        this.#killGroup();
        const how = signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
        const told = (): void => this.#end(how);
        child.once('close', told);
        setTimeout(told, lastWordsMs).unref();
      });
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => this.#hear(text));
      stream?.on('error', () => {});
    }
    const stream = child.stdio[3] as Duplex;
    this.#channel = new AgentsChannel({
      stream,
      later: queueMicrotask,
      onSaid: (said) => this.#onSaid(said),
      onBroken: (error) => this.end(`it said what cannot be read (${error.message})`),
    });
    stream.on('data', (chunk: Buffer) => this.#channel.take(chunk));
    this.#pings = setInterval(() => this.#ping(), init.pingIntervalMs);
    this.#pings.unref();
  }

  /** Whether it has ever said something. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  say(message: ToAgents, ...bytes: Uint8Array[]): void {
    if (this.#isOver) return;
    this.#channel.say(message, ...bytes);
    const { unreadBytesMax } = this.#init;
    if (this.#channel.unreadBytes > unreadBytesMax) {
      this.end(`it left more than ${Math.round(unreadBytesMax / mb)} MB unread that it was told`);
    }
  }

  /** Calls back when it has taken what was said until now, or never will. */
  whenTaken(taken: () => void): void {
    this.#channel.whenTaken(taken);
  }

  /** Ends it, which is told. */
  end(reason: string): void {
    this.#reason ??= reason;
    this.#kill();
  }

  /** Ends it, and nothing more is heard of it. Resolves when it has ended. */
  close(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#pings);
    this.#kill();
    return this.#exited;
  }

  #spawn(): ChildProcess {
    const { program, directory, environment } = this.#init;
    const env = Object.fromEntries(passedOn.map((name) => [name, environment[name]]));
    const withNode = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--'] : [];
    const line = [...withNode, process.execPath, ...options, fileURLToPath(program)];
    // A full heap would leave a core of its size behind, each time.
    const [command = '', ...args] = existsSync(shell)
      ? [shell, '-c', 'ulimit -c 0; exec "$@"', 'agents', ...line]
      : line;
    // A session of its own: what is said to the node's terminal is not said to it.
    return spawn(command, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
  }

  #onSaid(said: Said): void {
    if (this.#isOver || this.#reason !== undefined) return;
    const message = checkedFromAgents(said);
    if (message === undefined) return this.end('it said something that nobody asked for');
    this.#hasAnswered = true;
    if (message.type === 'pong') this.#unanswered = 0;
    this.#init.onSaid(message, said.bytes);
  }

  /** Counted, not timed: after a pause of the whole machine its answers come first. */
  #ping(): void {
    const { pingsMax, pingIntervalMs } = this.#init;
    const unansweredMax = this.#hasAnswered ? pingsMax : Math.max(pingsMax, Math.ceil(bootMsMax / pingIntervalMs));
    if (this.#unanswered >= unansweredMax)
      return this.end(`it answered nothing for ${unansweredMax * pingIntervalMs} ms`);
    this.#unanswered += 1;
    this.say({ type: 'ping' });
  }

  #hear(text: string): void {
    this.#words += text.slice(0, wordsLengthMax - this.#words.length);
  }

  #end(how: string): void {
    clearInterval(this.#pings);
    if (this.#isOver) return;
    this.#isOver = true;
    const fatal = /^(?:#\s*)?(FATAL ERROR: .*|Fatal JavaScript .*)$/m.exec(this.#words)?.[1]?.slice(0, lineLengthMax);
    const thread = /"threadId":(\d{1,9})\b/.exec(this.#words)?.[1];
    const lines = this.#words.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('{"header"'));
    const reason = this.#reason ?? (fatal === undefined ? how : `${how}: ${fatal}`);
    this.#init.onEnd({
      reason,
      // A report that names the process's own thread names nobody.
      thread: thread === undefined || thread === '0' ? undefined : Number(thread),
      lines: lines.slice(0, linesMax).map((line) => line.slice(0, lineLengthMax)),
    });
  }

  #kill(): void {
    this.#killGroup();
    this.#child.kill('SIGKILL');
  }

  /** What agents started goes with it. */
  #killGroup(): void {
    const { pid } = this.#child;
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // Nothing of it is there any more.
    }
  }
}
