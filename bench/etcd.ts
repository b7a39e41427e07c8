import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../docker/host-port.ts';
import { Client } from './client.ts';
import type { Bench } from './figure.ts';
import { firstWrite } from './first-write.ts';
import { median, rounded } from './sample.ts';

const repetitions = 10;
const putTimeoutMs = 2_000;
const healthyWithinMs = 30_000;
const pollMs = 50;

/** etcd's own two timers, ms. It stands for election after one to two times the second. */
export interface Timers {
  heartbeat: number;
  election: number;
}

let clusters = 0;

/** As short as loopback allows while elections stay rare. */
const tuned: Timers = { heartbeat: 20, election: 200 };
const byDefault: Timers = { heartbeat: 100, election: 1_000 };

export const hasEtcd = (): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'etcd')));

/**
 * Median time from SIGKILL of etcd's leader to its next successful write, with tuned timers (`peer`) and with those
 * it has by default. Nothing where etcd is not installed.
 */
export async function etcdFailover(
  bench: Bench,
  members: number,
): Promise<{ peer?: number; extra: Record<string, unknown> }> {
  if (!hasEtcd()) {
    bench.say('etcd is not on the PATH: no peer');
    return { extra: {} };
  }
  const measured: number[] = [];
  for (const timers of [tuned, byDefault]) {
    const values: number[] = [];
    const etcd = await Etcd.open(bench, members, timers);
    for (let i = 0; i < repetitions; i++) values.push(await etcd.failover());
    await etcd.close();
    measured.push(median(values) as number);
    bench.say(`etcd with timers of ${timers.heartbeat}/${timers.election} ms: ${values.map(Math.round).join(', ')} ms`);
  }
  const [peer, peerDefault] = measured as [number, number];
  return { peer, extra: { peer_name: 'etcd', peer_default: rounded(peerDefault) } };
}

export interface Member {
  name: string;
  url: string;
  peerUrl: string;
  process: ChildProcess | undefined;
}

/** An etcd cluster on loopback, one process for each member, spoken to through its JSON gateway. */
export class Etcd {
  readonly #bench: Bench;
  readonly #directory: string;
  readonly #timers: Timers;
  readonly #members: Member[] = [];
  readonly #client: Client;
  #closeOnce = async (): Promise<void> => {};

  private constructor(bench: Bench, timers: Timers) {
    this.#bench = bench;
    this.#timers = timers;
    this.#directory = join(bench.scratch.directory, `etcd-${++clusters}`);
    this.#client = new Client(bench.signal);
  }

  static async open(bench: Bench, members: number, timers: Timers): Promise<Etcd> {
    const etcd = new Etcd(bench, timers);
    await mkdir(etcd.#directory);
    for (let i = 1; i <= members; i++) {
      const [port, peerPort] = [await freePort(), await freePort()];
      const urls = { url: `http://127.0.0.1:${port}`, peerUrl: `http://127.0.0.1:${peerPort}` };
      etcd.#members.push({ name: `m${i}`, ...urls, process: undefined });
    }
    etcd.#closeOnce = bench.scratch.defer(() => etcd.#end());
    for (const member of etcd.#members) etcd.#start(member);
    await etcd.leader();
    return etcd;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  async close(): Promise<void> {
    await this.#closeOnce();
  }

  async #end(): Promise<void> {
    this.#client.close();
    for (const member of this.#members) await this.#kill(member);
  }

  async #kill(member: Member): Promise<void> {
    const child = member.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exit;
  }

  #start(member: Member): void {
    const { heartbeat, election } = this.#timers;
    const options = {
      name: member.name,
      'data-dir': join(this.#directory, member.name),
      'listen-client-urls': member.url,
      'advertise-client-urls': member.url,
      'listen-peer-urls': member.peerUrl,
      'initial-advertise-peer-urls': member.peerUrl,
      'initial-cluster': this.#members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(','),
      'heartbeat-interval': heartbeat,
      'election-timeout': election,
      'log-level': 'error',
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    member.process = spawn('etcd', args, { stdio: 'ignore' });
    member.process.on('error', () => {});
  }

  /** The member that all members call their leader, once they agree and take writes. */
  async leader(): Promise<Member> {
    const deadline = performance.now() + healthyWithinMs;
    while (performance.now() < deadline) {
      this.#bench.signal.throwIfAborted();
      const views = await Promise.all(this.#members.map((member) => this.#view(member)));
      const leaders = new Set(views.map((view) => view?.leader));
      const leader = this.#members[views.findIndex((view) => view !== undefined && view.self === view.leader)];
      if (leaders.size === 1 && leader !== undefined && (await this.#put(leader))) return leader;
      await delay(pollMs);
    }
    throw new Error(`etcd's members did not agree on a leader in ${healthyWithinMs} ms`);
  }

  async #view({ url }: Member): Promise<{ self: string; leader: string } | undefined> {
    const { status, text } = await this.#client.send('POST', `${url}/v3/maintenance/status`, {}, 1_000);
    if (status !== 200) return undefined;
    const view = JSON.parse(text) as { header?: { member_id?: string }; leader?: string };
    const { leader, header } = view;
    return leader === undefined || header?.member_id === undefined ? undefined : { self: header.member_id, leader };
  }

  async #put({ url }: Member): Promise<boolean> {
    const pair = { key: 'YmVuY2g=', value: 'YmVuY2g=' };
    return (await this.#client.send('POST', `${url}/v3/kv/put`, pair, putTimeoutMs)).status === 200;
  }

  /**
   * One repetition, ended by SIGKILL or, for a leader that is cut off without notice, by SIGSTOP. A write that etcd took before it knew of its leader's death is lost there and answered late, so
   * new ones go out all the time, to each survivor in turn, and the first that succeeds counts.
   */
  async failover(signal: 'SIGKILL' | 'SIGSTOP' = 'SIGKILL'): Promise<number> {
    const leader = await this.leader();
    const survivors = this.#members.filter((member) => member !== leader);
    await Promise.all(survivors.map((member) => this.#put(member)));
    await delay(500 + Math.random() * 500, undefined, { signal: this.#bench.signal });
    const start = performance.now();
    leader.process?.kill(signal);
    await firstWrite(this.#bench, survivors, (survivor) => this.#put(survivor));
    const ms = performance.now() - start;
    if (signal === 'SIGSTOP') leader.process?.kill('SIGCONT');
    else {
      await this.#kill(leader);
      this.#start(leader);
    }
    return ms;
  }
}
