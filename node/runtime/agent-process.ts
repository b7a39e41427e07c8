import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { PrintedLines, type PrintedLinesInit } from './printed-lines.ts';
import { killSession, type ProcessTable, signalGroup } from './process-table.ts';

export interface AgentProcessInit {
  interpreter: string;
  file: string;
  /** Where the process gets a directory of its own. */
  scratch: string;
  table: ProcessTable;
  /** Bytes of data that the system gives it before it refuses more. */
  dataMbMax: number;
  lineBytesMax: number;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
  printed: PrintedLinesInit;
  onLine(line: string): void;
  /** Once, unless `end` came first: it said what cannot be a line, or it ended. */
  onBroken(reason: string): void;
}

/** Part of util-linux; where it is missing, the end of its input and the next start of the node end an agent. */
const setpriv = '/usr/bin/setpriv';
const shell = '/bin/sh';
const mb = 1024 * 1024;
/** What a process printed last may come after its end. */
const lastWordsMs = 100;
const newline = 0x0a;

/**
 * A program that talks in lines: its input and output for the protocol, its error stream for people. It leads a session of
 * its own and never outlives the node.
 */
export class AgentProcess {
  readonly #init: AgentProcessInit;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #directory: string;
  readonly #exited: Promise<void>;
  #parts: Buffer[] = [];
  #partialBytes = 0;
  #lastPrinted = '';
  #over = false;

  /** Throws what the system throws when it has no more processes or files. */
  constructor(init: AgentProcessInit) {
    this.#init = init;
    this.#directory = mkdtempSync(join(init.scratch, 'agent-'));
    this.#child = this.#spawn();
    const child = this.#child;
    this.#exited = new Promise((resolve) => {
      const gone = (reason: string): void => {
        resolve();
        this.#clear();
        const told = (): void => this.#break(this.#lastPrinted === '' ? reason : `${reason}: ${this.#lastPrinted}`);
        child.once('close', told);
        setTimeout(told, lastWordsMs).unref();
      };
      child.once('error', (error) => gone(`its process cannot be started: ${error.message}`));
      child.once('exit', (code, signal) =>
        gone(signal === null ? `its process ended with code ${code}` : `its process was ended by ${signal}`),
      );
    });
    this.#listen();
    if (child.pid !== undefined) this.#record(child.pid);
  }

  /** Of its session, too; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  say(line: string): void {
    if (!this.#over && this.#child.stdin.writable) this.#child.stdin.write(`${line}\n`);
  }

  /** Asks it to end, or ends it at once; nothing more is heard of it. Resolves when it has ended. */
  end(how: 'asked' | 'killed'): Promise<void> {
    this.#over = true;
    const { pid, stdin } = this.#child;
    stdin.destroy();
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#exited;
    if (how === 'killed') {
      killSession(pid);
      return this.#exited;
    }
    signalGroup(pid, 'SIGTERM');
    const timer = setTimeout(() => killSession(pid), this.#init.graceMs);
    return this.#exited.then(() => clearTimeout(timer));
  }

  #spawn(): ChildProcessWithoutNullStreams {
    const { interpreter, file, dataMbMax } = this.#init;
    // No core dumps, few open files, no huge files, and no data beyond the limit: children of the agent have them, too.
    const limits = `ulimit -c 0; ulimit -n 256; ulimit -f 262144; ulimit -d ${dataMbMax * 1024}; exec "$@"`;
    const withNode = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--'] : [];
    return spawn(shell, ['-c', limits, 'agent', ...withNode, interpreter, file], {
      cwd: this.#directory,
      // Nothing of the node's environment.
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: this.#directory, TMPDIR: this.#directory, LANG: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
  }

  #record(pid: number): void {
    try {
      this.#init.table.add(pid);
    } catch (error) {
      void this.end('killed');
      throw error;
    }
  }

  #listen(): void {
    const { stdin, stdout, stderr } = this.#child;
    // It may end, or close its input, while something is on its way to it: its end tells.
    stdin.on('error', () => {});
    stdout.on('error', () => {});
    stderr.on('error', () => {});
    stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    const { printed } = this.#init;
    const write = (line: string): void => {
      this.#lastPrinted = line;
      printed.write(line);
    };
    const lines = new PrintedLines({ ...printed, write });
    const decoder = new StringDecoder('utf8');
    stderr.on('data', (chunk: Buffer) => lines.push(decoder.write(chunk), performance.now()));
    stderr.once('end', () => lines.end(performance.now()));
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1 && !this.#over; end = chunk.indexOf(newline, from)) {
      const line = Buffer.concat([...this.#parts, chunk.subarray(from, end)]);
      this.#parts = [];
      this.#partialBytes = 0;
      from = end + 1;
      if (line.byteLength > this.#init.lineBytesMax) this.#sayTooLong();
      else this.#init.onLine(line.toString('utf8'));
    }
    if (this.#over) return;
    this.#partialBytes += chunk.byteLength - from;
    if (this.#partialBytes > this.#init.lineBytesMax) this.#sayTooLong();
    else if (from < chunk.byteLength) this.#parts.push(chunk.subarray(from));
  }

  #sayTooLong(): void {
    this.#break(`it said a line of more than ${Math.round(this.#init.lineBytesMax / mb)} MB`);
  }

  #break(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#init.onBroken(reason);
  }

  /** After the leader's end nothing of its session goes on. */
  #clear(): void {
    const { pid } = this.#child;
    if (pid !== undefined) {
      killSession(pid);
      this.#init.table.remove(pid);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
