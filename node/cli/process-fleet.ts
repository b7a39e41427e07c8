import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type AgentPrograms, programVariables } from '../../docker/agent-programs.ts';
import type { OnProgress, UpResult } from '../../docker/fleet.ts';
import { checkClusterName, checkCount, type Fleet, FleetError, type FleetNode, findNode } from '../../docker/fleet.ts';
import { checkPorts, freePort } from '../../docker/host-port.ts';
import { inParallel } from '../../docker/parallel.ts';
import { readProgram } from '../../docker/program.ts';
import type { Home } from './home.ts';
import { lookAtProcess, signalProcess, stateOfProcess } from './process-identity.ts';
import { type ProcessRecord, ProcessRecords } from './process-record.ts';

const portFirstDefault = 8_000;
const inFlightMax = 8;
const stopTimeoutMs = 10_000;
const exitPollMs = 20;
/** As in the image: a small young generation, which an idle node would let grow to 16 MB for nothing. */
const nodeFlags = ['--max-semi-space-size=16'];
const logBytesMax = 10 * 1024 * 1024;
const logTailBytesMax = 256 * 1024;

export interface ProcessFleetOptions {
  name: string;
  home: Home;
  /** The built program. */
  distDirectory: string;
  /** Admin port of node-1; the others follow. Default: that of the nodes that are there, else 8000. */
  portFirst?: number | undefined;
  /** Of the nodes that are made, instead of what the environment says. */
  programs?: AgentPrograms | undefined;
}

/** A fleet of processes of this machine, which go on when the command that started them has ended. */
export function createProcessFleet(options: ProcessFleetOptions): Fleet {
  checkClusterName(options.name);
  return new ProcessFleet(options);
}

class ProcessFleet implements Fleet {
  readonly kind = 'processes';
  readonly name: string;
  readonly #options: ProcessFleetOptions;
  readonly #records: ProcessRecords;
  /** Exit codes of processes that this object started. */
  readonly #exitCodes = new Map<string, number>();

  constructor(options: ProcessFleetOptions) {
    this.name = options.name;
    this.#options = options;
    this.#records = new ProcessRecords(options.home.directory);
  }

  async up(count: number, onProgress: OnProgress = () => {}, signal?: AbortSignal): Promise<UpResult> {
    const { home, distDirectory } = this.#options;
    const present = await this.#records.list();
    const founders = Math.max(0, ...present.map((record) => record.expect));
    checkCount(this.name, count, Math.max(founders, ...present.map((record) => record.number), 0));
    const portFirst = this.#portFirst(present);
    const known = new Set(present.map((record) => record.number));
    const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !known.has(number));
    await checkPorts(portFirst, missing);
    await readProgram(distDirectory);
    const hadSecrets = (await home.secrets()) !== undefined;
    if (!hadSecrets && present.length > 0) throw secretsLost(this.name, home.directory);
    const made: ProcessRecord[] = [];
    try {
      if (!hadSecrets) await home.makeSecrets();
      if (missing.length > 0) onProgress({ phase: 'nodes', text: `starting ${missing.length} of ${count} processes` });
      made.push(...(await this.#plan(missing, present, portFirst, founders === 0 ? count : founders)));
      await inParallel(made, inFlightMax, (record) => this.#spawn(record), signal);
      const down = (await this.list()).filter((node) => known.has(node.number) && node.state !== 'running');
      await inParallel(down, inFlightMax, (node) => this.#revive(node), signal);
      const revived = down.map((node) => node.name);
      const extra = [
        made.length > 0 ? `${made.length} made` : '',
        revived.join(', ') && `${revived.join(', ')} started again`,
      ];
      const text = `${count} processes run (${extra.filter((part) => part !== '').join('; ') || 'already'})`;
      onProgress({ phase: 'nodes', text, done: true });
      return { nodes: await this.list(), created: made.map((record) => record.name), revived };
    } catch (error) {
      if (signal?.aborted) throw error;
      for (const { name } of made) {
        await this.kill(name).catch(() => {});
        await this.#records.remove(name);
      }
      if (!hadSecrets) await home.forget();
      throw error;
    }
  }

  #portFirst(present: readonly ProcessRecord[]): number {
    const { portFirst } = this.#options;
    const [first] = present;
    if (first === undefined) return portFirst ?? portFirstDefault;
    const used = first.adminPort - first.number + 1;
    if (portFirst === undefined || portFirst === used) return used;
    throw new FleetError(
      `Cluster "${this.name}" has its admin ports from ${used} on, which cannot be changed to ${portFirst}. ` +
        `Nothing was changed. Leave "--port" out, or "conclave down --name ${this.name}" first, which removes its data.`,
    );
  }

  /** Every new node's settings, written down before the first of them starts: each must know the others' ports. */
  async #plan(
    numbers: readonly number[],
    present: readonly ProcessRecord[],
    portFirst: number,
    founders: number,
  ): Promise<ProcessRecord[]> {
    const planned: ProcessRecord[] = [];
    const taken = new Set(present.map((record) => record.peerPort));
    for (const number of numbers) {
      let peerPort = await freePort();
      for (let tries = 0; taken.has(peerPort) && tries < 100; tries++) peerPort = await freePort();
      taken.add(peerPort);
      const expect = number <= founders ? founders : 0;
      const adminPort = portFirst + number - 1;
      const { programs } = this.#options;
      planned.push({
        name: `node-${number}`,
        number,
        adminPort,
        peerPort,
        expect,
        join: [],
        programs,
        process: undefined,
      });
    }
    for (const record of planned) {
      record.join = [...taken].filter((port) => port !== record.peerPort);
      await this.#records.write(record);
    }
    return planned;
  }

  async #spawn(record: ProcessRecord): Promise<void> {
    const { distDirectory } = this.#options;
    const directory = this.#records.directoryOf(record.name);
    await mkdir(join(directory, 'data'), { recursive: true, mode: 0o700 });
    const log = await openLog(join(directory, 'node.log'));
    try {
      const child = spawn(process.execPath, [...nodeFlags, join(distDirectory, 'node.mjs')], {
        cwd: directory,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: this.#environment(record, directory),
      });
      child.on('exit', (code) => this.#exitCodes.set(record.name, code ?? 137));
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      child.unref();
      this.#exitCodes.delete(record.name);
      // A process that ended at once has no identity any more; its log says why.
      const seen = await lookAtProcess(child.pid as number);
      record.process = seen && { pid: seen.pid, started: seen.started, command: seen.command };
      await this.#records.write(record);
    } finally {
      await log.close();
    }
  }

  #environment(record: ProcessRecord, directory: string): NodeJS.ProcessEnv {
    const { home, distDirectory } = this.#options;
    const inherited = [
      'PATH',
      'HOME',
      'LANG',
      'TZ',
      'TMPDIR',
      'CONCLAVE_LOG_LEVEL',
      'CONCLAVE_VOTERS',
      'CONCLAVE_LEASE_READS',
      'CONCLAVE_INTERPRETERS',
      'CONCLAVE_CONTAINERS',
      'CONCLAVE_CONTAINER_IMAGES',
    ];
    const kept = inherited.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined);
    const addressOf = (port: number): string => `/ip4/127.0.0.1/tcp/${port}`;
    return {
      ...Object.fromEntries(kept),
      ...programVariables(record.programs ?? {}, process.env['CONCLAVE_CONTAINERS'] ?? '/var/run/docker.sock'),
      NODE_ENV: 'production',
      CONCLAVE_DATA: join(directory, 'data'),
      CONCLAVE_NAME: record.name,
      CONCLAVE_LISTEN: addressOf(record.peerPort),
      CONCLAVE_ANNOUNCE: addressOf(record.peerPort),
      CONCLAVE_JOIN: record.join.map(addressOf).join(','),
      CONCLAVE_EXPECT: String(record.expect),
      CONCLAVE_ADMIN_HOST: '127.0.0.1',
      CONCLAVE_ADMIN_PORT: String(record.adminPort),
      CONCLAVE_ADMIN_URL: `http://127.0.0.1:${record.adminPort}`,
      CONCLAVE_NETWORK_KEY_FILE: join(home.directory, 'secrets', 'network.key'),
      CONCLAVE_TOKEN_PUBLIC_KEY_FILE: join(home.directory, 'secrets', 'token-public.pem'),
      CONCLAVE_TYPES: join(distDirectory, 'agents'),
    };
  }

  async #revive(node: FleetNode): Promise<void> {
    if (node.state === 'paused') await this.unpause(node.name);
    else await this.start(node.name);
  }

  async list(): Promise<FleetNode[]> {
    const records = await this.#records.list();
    return Promise.all(records.map((record) => this.#look(record)));
  }

  async #look(record: ProcessRecord): Promise<FleetNode> {
    const state = record.process && (await stateOfProcess(record.process));
    return {
      name: record.name,
      number: record.number,
      state: state ?? 'exited',
      exitCode: state === undefined ? this.#exitCodes.get(record.name) : undefined,
      admin: `http://127.0.0.1:${record.adminPort}`,
      handle: String(record.process?.pid ?? ''),
      connected: true,
    };
  }

  async #record(name: string): Promise<ProcessRecord> {
    const records = await this.#records.list();
    const record = records.find((each) => each.name === name);
    if (record === undefined) findNode(await this.list(), name);
    return record as ProcessRecord;
  }

  async #signal(name: string, signal: NodeJS.Signals): Promise<ProcessRecord> {
    const record = await this.#record(name);
    if (record.process !== undefined) await signalProcess(record.process, signal);
    return record;
  }

  async kill(node: string): Promise<void> {
    await waitForExit(await this.#signal(node, 'SIGKILL'), stopTimeoutMs);
  }

  async stop(node: string): Promise<void> {
    const record = await this.#signal(node, 'SIGTERM');
    if (!(await waitForExit(record, stopTimeoutMs))) await this.kill(node);
  }

  async start(node: string): Promise<void> {
    const record = await this.#record(node);
    if (record.process !== undefined && (await stateOfProcess(record.process)) !== undefined) return;
    await checkPorts(record.adminPort - record.number + 1, [record.number]);
    await this.#spawn(record);
  }

  async pause(node: string): Promise<void> {
    await this.#signal(node, 'SIGSTOP');
  }

  async unpause(node: string): Promise<void> {
    await this.#signal(node, 'SIGCONT');
  }

  async logs(node: string, linesMax = 200): Promise<string> {
    const { name } = await this.#record(node);
    const text = await readFile(join(this.#records.directoryOf(name), 'node.log')).catch(() => Buffer.alloc(0));
    const lines = text.subarray(-logTailBytesMax).toString('utf8').trimEnd().split('\n');
    return `${lines.slice(-linesMax).join('\n')}\n`;
  }

  async down(): Promise<string[]> {
    const records = await this.#records.list();
    const nodes = await this.list();
    const alive = nodes.filter((node) => node.state !== 'exited');
    await inParallel(alive, inFlightMax, async (node) => {
      if (node.state === 'paused') await this.kill(node.name);
      else await this.stop(node.name);
    });
    await this.#options.home.forget();
    return records.map(
      ({ name, process }) => `process of ${name}${process ? ` (pid ${process.pid})` : ''} and its data`,
    );
  }
}

async function waitForExit({ process }: ProcessRecord, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (process !== undefined && (await stateOfProcess(process)) !== undefined) {
    if (performance.now() > deadline) return false;
    await delay(exitPollMs);
  }
  return true;
}

/** Appends; a log that has grown large is put aside first, over the one put aside before. */
async function openLog(path: string) {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > logBytesMax) await rename(path, `${path}.1`);
  return open(path, 'a', 0o600);
}

function secretsLost(name: string, directory: string): FleetError {
  return new FleetError(
    `The secrets of cluster "${name}" are no longer in ${directory}, so its nodes cannot be started. Nothing was changed. ` +
      `Restore them, or remove the cluster and its data with "conclave down --name ${name}".`,
  );
}
