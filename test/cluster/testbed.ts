import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AgentPrograms } from '../../docker/agent-programs.ts';
import { createDockerFleet, type DockerFleet } from '../../docker/docker-fleet.ts';
import type { Fleet, FleetNode } from '../../docker/fleet.ts';
import { isPortTaken } from '../../docker/host-port.ts';
import { bringUp } from '../../node/cli/bring-up.ts';
import { type Home, openHome } from '../../node/cli/home.ts';
import { createProcessFleet } from '../../node/cli/process-fleet.ts';
import type { StatusJson } from '../../node/cli/status.ts';
import { signToken } from '../../node/cli/token.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pollMs = 100;

export interface TestbedOptions {
  programs?: AgentPrograms;
  /** Docker only: the image that the nodes' own is built on. */
  base?: string;
}

/** Name of the node that leads. */
export async function leaderOf(testbed: Testbed): Promise<string> {
  return (await testbed.status()).leader?.name ?? '';
}

/** A real cluster of its own for a test: a name, a state directory and ports that nothing else has. */
export class Testbed {
  readonly fleet: Fleet | DockerFleet;
  readonly home: Home;
  readonly #directory: string;
  token = '';
  nodes: FleetNode[] = [];

  private constructor(fleet: Fleet | DockerFleet, home: Home, directory: string) {
    this.fleet = fleet;
    this.home = home;
    this.#directory = directory;
  }

  static async open(kind: 'docker' | 'processes', { programs, base }: TestbedOptions = {}): Promise<Testbed> {
    const directory = await mkdtemp(join(tmpdir(), 'conclave-test-'));
    const name = `test-${process.pid}-${Math.floor(performance.now())}`;
    const home = openHome(join(directory, name));
    const distDirectory = join(root, 'dist');
    const portFirst = await freePortsFrom(10);
    const shared = { name, home, distDirectory, portFirst, programs };
    const dockerfile = join(root, 'docker', 'Dockerfile');
    const fleet =
      kind === 'docker' ? await createDockerFleet({ ...shared, dockerfile, base }) : createProcessFleet(shared);
    return new Testbed(fleet, home, directory);
  }

  async up(count: number): Promise<StatusJson> {
    const { nodes } = await bringUp({ fleet: this.fleet, home: this.home, count, timeoutMs: 60_000 });
    this.nodes = nodes;
    this.token = await signToken(this.home);
    return this.status();
  }

  async close(): Promise<void> {
    await this.fleet.down();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Runs a test's story; when it fails, what every node last wrote comes before the failure. */
  static async with(
    kind: 'docker' | 'processes',
    story: (testbed: Testbed) => Promise<void>,
    options: TestbedOptions = {},
  ): Promise<void> {
    const testbed = await Testbed.open(kind, options);
    try {
      await story(testbed);
    } catch (error) {
      for (const { name, state } of await testbed.fleet.list()) {
        process.stdout.write(`--- ${name} (${state})\n${await testbed.fleet.logs(name, 30)}\n`);
      }
      throw error;
    } finally {
      await testbed.close();
    }
  }

  get docker(): DockerFleet {
    if (this.fleet.kind !== 'docker') throw new Error('this testbed has no containers');
    return this.fleet as DockerFleet;
  }

  /** One request to one node; rejects when it does not answer in time. */
  async call(
    admin: string,
    path: string,
    body?: unknown,
    timeoutMs = 5_000,
    method = body === undefined ? 'GET' : 'POST',
  ): Promise<{ status: number; body: unknown }> {
    const answer = await fetch(`${admin}/api/v1/cluster${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  }

  /** Asks one node after the other until one does it; rejects with what was said last. Only for what may be done twice. */
  async ask(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, withinMs = 30_000): Promise<unknown> {
    const deadlineMs = performance.now() + withinMs;
    let last: unknown;
    for (let turn = 0; performance.now() < deadlineMs; turn++) {
      const { admin } = this.nodes[turn % this.nodes.length] as FleetNode;
      try {
        const answer = await this.call(admin, path, body, Math.min(5_000, withinMs), method);
        if (answer.status >= 200 && answer.status < 300) return answer.body;
        last = answer.body;
        if (answer.status < 500 && answer.status !== 429) break;
      } catch (error) {
        last = String(error);
      }
      await delay(pollMs);
    }
    throw new Error(`${method} ${path}: ${JSON.stringify(last)}`);
  }

  /** The status as the leader sees it: who follows, or just came back, may not have read all of the log yet. */
  async status(): Promise<StatusJson> {
    let status: StatusJson | undefined;
    await this.until('a leader tells its status', async () => {
      const answers = await Promise.allSettled(
        this.nodes.map(({ admin }) => this.call(admin, '/status', undefined, 2_000)),
      );
      status = answers
        .flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.body as StatusJson] : []))
        .find((seen) => seen.mode === 'quorum' && seen.leader?.id === seen.self);
      return status !== undefined;
    });
    return status as StatusJson;
  }

  /** Waits for a condition, not for a duration; fails with its name. */
  async until(what: string, condition: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (!(await condition())) {
      if (performance.now() > deadlineMs) throw new Error(`after ${withinMs} ms still not: ${what}`);
      await delay(pollMs);
    }
  }
}

/** A first port with as many free ones behind it, below those that the system gives to outgoing connections. */
async function freePortsFrom(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const taken = await Promise.all(Array.from({ length: count }, (_, at) => isPortTaken(first + at)));
    if (!taken.includes(true)) return first;
  }
  throw new Error('no free ports');
}
