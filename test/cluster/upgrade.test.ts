import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { typeJson } from '../../node/api/type-routes.ts';
import { readModule } from '../../node/cli/deploy.ts';
import { runCommandLine } from '../../node/cli/program.ts';
import { Printed } from '../cli/run.ts';
import { Testbed } from './testbed.ts';

const trading = fileURLToPath(new URL('../../examples/trading/agent.ts', import.meta.url));
const symbols = ['MSFT', 'AMZN', 'IBM'];

/** The example, which keeps its book in a drawer now; `extra` is what it does before each tick. */
const newer = (extra: string): string => `
import trading from ${JSON.stringify(trading)};
export default {
  init: (context) => ({ drawer: trading.init(context) }),
  async handle(state, task, context) {
    ${extra}
    const { state: drawer, result } = await trading.handle(state.drawer, task, context);
    return { state: { drawer }, result };
  },
  migrate: (kept) => (kept.drawer === undefined ? { drawer: kept } : kept),
  rollback: ({ drawer }, { to }) => (to === 1 ? drawer : { drawer }),
};`;

/** Sends ticks to the agents, one after the other, through any node; keeps what was not simply answered. */
class Load {
  readonly sent = new Map<string, number>();
  readonly odd: string[] = [];
  #isOver = false;
  #running: Promise<void>[] = [];

  begin(testbed: Testbed, agents: readonly string[]): void {
    this.#running = agents.map((agent) => this.#feed(testbed, agent));
  }

  async #feed(testbed: Testbed, agent: string): Promise<void> {
    for (let at = 0; !this.#isOver; at++) {
      const { admin } = testbed.nodes[at % testbed.nodes.length] as { admin: string };
      const payload = { symbol: symbols[at % symbols.length], price: 10 + (at % 7) };
      const body = { id: `${agent}-${at}`, payload, ttl_ms: 60_000 };
      const { status, body: answer } = await testbed.call(admin, `/agents/${agent}/tasks`, body, 70_000);
      if (status !== 200) this.odd.push(`${agent}-${at}: ${status} ${JSON.stringify(answer)}`);
      this.sent.set(agent, at + 1);
      await delay(2);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }
}

const typeOf = async (testbed: Testbed): Promise<ReturnType<typeof typeJson>> => {
  const { body } = await testbed.call(testbed.nodes[0]?.admin ?? '', '/types/trading?consistency=leader');
  return body as ReturnType<typeof typeJson>;
};

/** Figures of all symbols together: each tick that was answered is in them once. */
async function ticksOf(testbed: Testbed, agent: string): Promise<{ count: number; isDrawer: boolean }> {
  const { body } = await testbed.call(testbed.nodes[0]?.admin ?? '', `/agents/${agent}/state`);
  const { state } = body as { state: { drawer?: object } };
  const figures = Object.values(state.drawer ?? state) as { count: number }[];
  return { count: figures.reduce((sum, { count }) => sum + count, 0), isDrawer: state.drawer !== undefined };
}

describe('an upgrade of real agents under load', () => {
  test('refuses no task, and a broken version goes back by itself', { timeout: 300_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), 'conclave-upgrade-'));
    const folder = join(home, 'trading');
    await mkdir(folder);
    try {
      await Testbed.with('processes', async (testbed) => {
        await testbed.up(3);
        const { source } = await readModule(join(trading, '..'));
        const deploy = { agent_type: 'trading', name: 'trading', count: 3, source };
        const admin = testbed.nodes[0]?.admin ?? '';
        expect((await testbed.call(admin, '/agents/deploy', deploy, 20_000)).status).toBe(201);
        const agents = ['trading-1', 'trading-2', 'trading-3'];
        const load = new Load();
        load.begin(testbed, agents);
        await testbed.until('every agent has done something', async () =>
          agents.every((agent) => (load.sent.get(agent) ?? 0) > 20),
        );
        const upgrade = async (extra: string, ...more: string[]) => {
          await writeFile(join(folder, 'agent.ts'), newer(extra));
          const console = { out: new Printed(), err: new Printed() };
          const argv = ['upgrade', folder, '--wait', '--settle-ms', '500', ...more];
          const all = [...argv, '--admin', admin, '--token', testbed.token, '--timeout', '60'];
          return { code: await runCommandLine(all, console), ...console };
        };

        const done = await upgrade('');
        expect([done.code, done.err.text]).toEqual([0, expect.stringContaining('settling')]);
        expect(await typeOf(testbed)).toMatchObject({
          version: 2,
          versions: [
            { version: 1, agents: 0 },
            { version: 2, agents: 3 },
          ],
        });

        const broken = await upgrade('process.exit(7);', '--max-failures', '0');
        expect([broken.code, broken.err.text]).toEqual([1, expect.stringMatching(/was rolled back.*code 7/s)]);
        expect(await typeOf(testbed)).toMatchObject({
          version: 2,
          rollout: null,
          rollout_end: { outcome: 'rolledBack', to: 3, stays: [] },
        });

        await load.end();
        expect(load.odd).toEqual([]);
        for (const agent of agents) {
          expect(await ticksOf(testbed, agent)).toEqual({ count: load.sent.get(agent), isDrawer: true });
        }
      });
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});
