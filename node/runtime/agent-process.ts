import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { AgentOutput, type AgentOutputInit } from './agent-output.ts';
import { killSession, type ProcessTable, signalGroup } from './process-table.ts';

export interface AgentProcessInit extends AgentOutputInit {
  interpreter: string;
  file: string;
  /** Where the process gets a directory of its own. */
  scratch: string;
  table: ProcessTable;
  /** Bytes of data that the system gives it before it refuses more. */
  dataMbMax: number;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
}

/** Part of util-linux; where it is missing, the end of its input and the next start of the node end an agent. */
const setpriv = '/usr/bin/setpriv';
const shell = '/bin/sh';
/** Where processors are short, a node goes on before its agents: one that starves is taken for dead. */
const niceness = 5;
/** What a process printed last may come after its end. */
const lastWordsMs = 100;

/**
 * A program that talks in lines: its input and output for the protocol, its error stream for people. It leads a session of
 * its own and never outlives the node.
 */
export class AgentProcess {
  readonly #init: AgentProcessInit;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #directory: string;
  readonly #exited: Promise<void>;
  readonly #output: AgentOutput;

  /** Throws what the system throws when it has no more processes or files. */
  constructor(init: AgentProcessInit) {
    this.#init = init;
    this.#output = new AgentOutput(init);
    this.#directory = mkdtempSync(join(init.scratch, 'agent-'));
    this.#child = this.#spawn();
    const child = this.#child;
    this.#exited = new Promise((resolve) => {
      const gone = (reason: string): void => {
        resolve();
        this.#clear();
        const told = (): void => this.#output.break(reason);
        child.once('close', told);
        setTimeout(told, lastWordsMs).unref();
      };
      child.once('error', (error) => gone(`its process cannot be started: ${error.message}`));
      child.once('exit', (code, signal) =>
        gone(signal === null ? `its process ended with code ${code}` : `its process was ended by ${signal}`),
      );
    });
    this.#listen();
    if (child.pid !== undefined) {
      this.#record(child.pid);
      makeWay(child.pid);
    }
  }

  /** Of its session, too; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  say(line: string): void {
    if (!this.#output.over && this.#child.stdin.writable) this.#child.stdin.write(`${line}\n`);
  }

  /** Asks it to end, or ends it at once; nothing more is heard of it. Resolves when it has ended. */
  end(how: 'asked' | 'killed'): Promise<void> {
    this.#output.close();
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
    stdout.on('data', (chunk: Buffer) => this.#output.take(chunk));
    stderr.on('data', (chunk: Buffer) => this.#output.takeErrors(chunk));
    stderr.once('end', () => this.#output.endErrors());
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

function makeWay(pid: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended at once, which is told elsewhere.
  }
}
