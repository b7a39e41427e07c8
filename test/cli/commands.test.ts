import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openHome } from '../../node/cli/home.ts';
import { runCommandLine } from '../../node/cli/program.ts';
import { errors } from '../../node/core/errors.ts';
import { agentView, drainView, nodeView } from '../api/fake-node.ts';
import { Printed, run, type Served, serve } from './run.ts';

let served: Served;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conclave-cli-'));
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(async () => {
  served = await serve();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await served.server.close();
});

const conclave = (...argv: string[]) => run([served.url], ...argv);

describe('status', () => {
  it('shows the leader with its term, every node with its load, and every agent with its holders', async () => {
    const { code, out } = await conclave('status');
    expect(code).toBe(0);
    expect(out).toMatch(/node-1 leads in term 7/);
    expect(out).toMatch(/mode quorum/);
    expect(out).toMatch(
      /node-1 .*odeone1 .*leader .*votes: founder .*active .*1\/100 .*25 % .*96 MB .*http:\/\/127\.0\.0\.1:1/,
    );
    expect(out).toMatch(/node-2 .*voter/);
    expect(out).toMatch(/node-3 .*learner/);
    expect(out).toMatch(/counter .*active .*node-2 .*12 .*2\/3 .*least_loaded .*deployed/);
    expect(out).not.toContain('\u001b');
  });

  it('prints with --json one object: nodes, leader, agents and mode', async () => {
    const { code, json } = await conclave('status', '--json');
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      mode: 'quorum',
      leader: { id: nodeView(1).id, term: 7 },
      nodes: [{ name: 'node-1' }, { name: 'node-2' }, { name: 'node-3' }],
      agents: [{ id: 'counter', host_name: 'node-2' }],
    });
  });

  it('says so when nobody leads', async () => {
    served.node.answers.status = () => ({
      ...{ cluster: 'c1', mode: 'autonomous', self: nodeView(2).id, leader: undefined, index: 3 },
      nodes: [nodeView(2, { leader: false, load: undefined, status: 'inactive' })],
      agents: [],
    });
    const { code, out } = await conclave('status');
    expect(code).toBe(0);
    expect(out).toMatch(/nobody leads/);
    expect(out).toMatch(/autonomous/);
    expect(out).toMatch(/No agents yet/);
  });
});

describe('nodes, agents and agent', () => {
  it('print the lists, and for one agent why each node was or was not chosen', async () => {
    expect((await conclave('nodes')).out).toMatch(/node-3/);
    expect((await conclave('nodes', '--json')).json()).toMatchObject({ nodes: [{ name: 'node-1' }, {}, {}] });
    expect((await conclave('agents')).out).toMatch(/counter/);
    const { out } = await conclave('agent', 'counter');
    expect(out).toMatch(/node-2: cpu 10 % \(score 0\.90\)/);
    expect(out).toMatch(/not node-3: it is draining/);
  });
});

describe('drain', () => {
  const draining = (changes: Parameters<typeof drainView>[0], status: 'draining' | 'active' = 'draining') => [
    nodeView(3, { status, drain: status === 'draining' ? drainView(changes) : undefined }),
  ];

  it('begins one, and takes it back', async () => {
    const begun = await conclave('drain', 'node-3', '--deadline', '60');
    expect([begun.code, begun.out]).toEqual([
      0,
      expect.stringMatching(/node-3 is draining; agents that are left: 1, .*waits for agent counter/s),
    ]);
    const undone = await conclave('drain', 'node-3', '--undo');
    expect([undone.code, undone.out]).toEqual([
      0,
      expect.stringMatching(/node-3 is not draining: it takes agents again/),
    ]);
    const { id } = nodeView(3);
    expect(served.node.asked.filter(({ type }) => type !== 'nodes')).toEqual([
      { type: 'drain', node: id, deadlineMs: 60_000 },
      { type: 'undrain', node: id },
    ]);
  });

  it('waits until it is done and tells meanwhile what for; ends with 1 when it is overdue or undone', async () => {
    for (const [last, code, text] of [
      [draining({ done: true, kept: ['its vote'] }), 0, /node-3 is drained: it may be switched off\.\s+keeps its vote/],
      [draining({ overdue: true }), 1, /not drained in time; it waits for agent counter.*--undo/s],
      [draining({}, 'active'), 1, /was undone meanwhile/],
    ] as const) {
      let polls = 0;
      served.node.answers.nodes = () => (++polls < 3 ? draining({}) : [...last]);
      const ended = await conclave('drain', 'node-3', '--wait');
      expect([ended.code, ended.out + ended.err]).toEqual([code, expect.stringMatching(text)]);
      expect(ended.err).toMatch(/waits for agent counter/);
    }
  });
});

describe('lead', () => {
  it('has a node lead, and waits until it does', async () => {
    const { code, out } = await conclave('lead', 'node-1');
    expect([code, out.trim()]).toEqual([0, 'node-1 led already.']);
    expect(served.node.asked).toContainEqual({ type: 'lead', node: nodeView(1).id });
  });

  it('says that another one leads, when that is what came of it', async () => {
    const { code, err } = await conclave('lead', 'node-2');
    expect([code, err]).toEqual([1, expect.stringMatching(/^node-2 was to lead, but node-1 does\. .* Try again\.\n$/)]);
  });
});

describe('deploy', () => {
  it("bundles a folder's agent into one module and names the type after the folder", async () => {
    const folder = join(directory, 'pricing');
    await mkdir(folder);
    await writeFile(join(folder, 'rate.ts'), 'export const rate: number = 42_017;\n');
    await writeFile(
      join(folder, 'agent.ts'),
      `import { defineAgent } from 'conclave/agent';
       import { rate } from './rate.ts';
       export default defineAgent({ init: () => rate, handle: (state) => ({ state, result: state }) });`,
    );
    const { code, json } = await conclave('deploy', folder, '--count', '2', '--capability', 'gpu', 'fpga', '--json');
    expect(code).toBe(0);
    expect(json()).toMatchObject({ agents: [{ id: 'pricing-1' }, { id: 'pricing-2' }], agent: { id: 'pricing-1' } });
    const [asked] = served.node.asked;
    expect(asked).toMatchObject({ agentType: 'pricing', count: 2, capabilities: ['gpu', 'fpga'], holders: 3 });
    const source = asked?.type === 'deploy' ? (asked.source ?? '') : '';
    const module = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as {
      default: { init(): number };
    };
    expect(module.default.init()).toBe(42_017);
  });

  it('sends a type by name, with a key that makes it take effect once', async () => {
    await conclave(
      ...['deploy', 'known', '--as', 'desk', '--strategy', 'round_robin', '--holders', '1', '--isolation', 'type'],
    );
    expect(served.node.asked.filter(({ type }) => type === 'deploy')).toEqual([
      {
        ...{
          type: 'deploy',
          request: expect.stringMatching(/^[0-9a-f-]{36}$/),
          agentType: 'known',
          name: 'desk',
          isolation: 'type',
        },
        ...{ count: 1, strategy: 'round_robin', capabilities: [], holders: 1 },
      },
    ]);
  });

  it("sends what a folder's manifest says of its container, and what the node says of a hostile one", async () => {
    const folder = join(directory, 'boxed');
    await mkdir(folder);
    await writeFile(join(folder, 'agent.ts'), 'nothing that is looked at');
    const write = (manifest: unknown) => writeFile(join(folder, 'agent.json'), JSON.stringify(manifest));
    await write({ container: { image: 'boxed:1', cpus: 0.5 } });
    expect((await conclave('deploy', folder)).code).toBe(0);
    const [asked] = served.node.asked;
    expect(asked).toMatchObject({ agentType: 'boxed', container: { image: 'boxed:1', cpus: 0.5, memoryMb: 256 } });
    await write({ container: { image: 'boxed:1', privileged: true } });
    const refused = await conclave('deploy', folder);
    expect([refused.code, refused.err]).toEqual([
      expect.any(Number),
      expect.stringMatching(/privileged: no such field/),
    ]);
    expect(refused.code).not.toBe(0);
    for (const [manifest, reason] of [
      ['{', /is not JSON/],
      ['{"image":"x"}', /has "image", which no manifest has/],
      ['[]', /has no "container"/],
      [`{"container":"${'x'.repeat(256 * 1024)}"}`, /is larger than 262144 bytes/],
    ] as const) {
      await writeFile(join(folder, 'agent.json'), manifest);
      const { code, err } = await conclave('deploy', folder);
      expect([code, err]).toEqual([2, expect.stringMatching(reason)]);
    }
    expect(served.node.asked.filter(({ type }) => type === 'deploy')).toHaveLength(1);
  });

  it('says what is wrong with the folder, and sends nothing', async () => {
    const empty = join(directory, 'empty');
    const broken = join(directory, 'broken');
    const large = join(directory, 'large');
    for (const folder of [empty, broken, large]) await mkdir(folder);
    await writeFile(join(broken, 'agent.js'), 'export default {');
    await writeFile(join(large, 'agent.mjs'), `export default '${'x'.repeat(256 * 1024)}';`);
    for (const [argument, reason] of [
      [empty, /has no agent\.json, agent\.ts/],
      [broken, /cannot be bundled/],
      [large, /larger than 262144 bytes/],
      ['./nowhere/at-all', /There is no folder/],
    ] as const) {
      const { code, err } = await conclave('deploy', argument);
      expect([code, err]).toEqual([2, expect.stringMatching(reason)]);
    }
    expect(served.node.asked).toEqual([]);
  });
});

describe('task, state, migrate and delete', () => {
  it('print the result of a task in many lines, or with --json in one', async () => {
    const { code, out } = await conclave('task', 'counter', '{"add":1}', '--id', 't-1', '--ttl-ms', '900');
    expect([code, out]).toEqual([0, '{\n  "totalCount": 3\n}\n']);
    expect(served.node.asked[0]).toMatchObject({ agent: 'counter', task: 't-1', ttlMs: 900 });
    const { json } = await conclave('task', 'counter', '1', '--id', 't-2', '--json');
    expect(json()).toEqual({ agent: 'counter', task: 't-2', result: { totalCount: 3 } });
  });

  it('print what a followed task says, and what an agent has to do', async () => {
    served.node.says = ['{"done":1}', '2'];
    const followed = await conclave('task', 'counter', '1', '--id', 't-1', '--follow', '--priority', '9', '--key', 'k');
    expect([followed.code, followed.out]).toEqual([0, '{"done":1}\n2\n{\n  "totalCount": 3\n}\n']);
    expect(served.node.asked[0]).toMatchObject({ priority: 9, key: 'k', progress: true });
    served.node.answers.task = ({ agent, task }) =>
      errors.taskSetAside({ agent, task, tries: 3, reason: 'it crashed' });
    const failed = await conclave('task', 'counter', '1', '--id', 't-1', '--follow');
    expect([failed.code, failed.err]).toEqual([1, expect.stringMatching(/^taskSetAside: .*--retry t-1/)]);
    const { out } = await conclave('tasks', 'counter');
    expect(out).toMatch(/now runs, for 12 ms so far; waiting: 2/);
    expect(out).toMatch(/later .*its host/);
    expect(out).toMatch(/behind .*k .*node-2/);
    expect(out).toMatch(/poison.*3.*17.*its thread ended with code 1/);
  });

  it('try a task again, cancel one, and not both', async () => {
    expect((await conclave('tasks', 'counter', '--retry', 'poison')).out).toBe('{\n  "totalCount": 3\n}\n');
    expect(served.node.asked[0]).toMatchObject({ type: 'task', task: 'poison', retry: expect.any(String) });
    expect((await conclave('tasks', 'counter', '--cancel', 't-1')).out).toBe(
      't-1 was cancelled before it began. It has no effect.\n',
    );
    const both = await conclave('tasks', 'counter', '--retry', 'a', '--cancel', 'b');
    expect([both.code, both.err]).toEqual([2, expect.stringMatching(/Give one of/)]);
  });

  it('print the state, or its bytes in base64', async () => {
    expect((await conclave('state', 'counter')).out).toBe('{\n  "totalCount": 3\n}\n');
    served.node.answers.state = ({ agent }) => ({ agent, epoch: 1, sequence: 0, state: Uint8Array.of(255) });
    expect((await conclave('state', 'counter')).out).toBe('/w==\n');
  });

  it('move an agent to a node by name', async () => {
    served.node.answers.migrate = ({ agent }) => ({ agent: agentView(agent, { hostName: 'node-3', epoch: 99 }) });
    expect((await conclave('migrate', 'counter', 'node-3')).out).toMatch(/counter .*node-3/);
    expect(served.node.asked.at(-1)).toEqual({ type: 'migrate', agent: 'counter', target: nodeView(3).id });
  });

  it('say that an agent is there already', async () => {
    const there = { hostName: 'node-3', epoch: 7 };
    served.node.answers.agent = ({ agent }) => agentView(agent, there);
    served.node.answers.migrate = ({ agent }) => ({ agent: agentView(agent, there) });
    const { code, out } = await conclave('migrate', 'counter', 'node-3', '--wait');
    expect([code, out]).toEqual([0, 'counter is on node-3 already: nothing was done.\n']);
    expect(JSON.parse((await conclave('migrate', 'counter', 'node-3', '--json')).out)).toMatchObject({
      already_there: true,
    });
  });

  it('say for which task a move waits', async () => {
    const migration = { phase: 'preparing' as const, target: nodeView(3).id, targetName: 'node-3', reason: 'why' };
    const more = { since: 12, sinceMs: 0, bytesCopied: 9, bytes: 9, waitsForTask: 'long-1' };
    served.node.answers.agent = ({ agent }) => agentView(agent, { migration: { ...migration, ...more } });
    expect((await conclave('agent', 'counter')).out).toMatch(
      /counter goes on until task "long-1" ends, then it moves to node-3, which is prepared;/,
    );
  });

  it('tell by whom an agent was sent where it is, and count what it can lose', async () => {
    const decision = { strategy: 'least_loaded', node: 'n1', ranked: [], rejected: [], ordered: true };
    const failures = { holders: 3, reachable: 3, caughtUp: 3, disks: 1, unreachable: 1, text: 'well', ageMs: 0 };
    served.node.answers.agent = ({ agent }) => agentView(agent, { decision, failures });
    const { out } = await conclave('agent', 'counter');
    expect(out).toMatch(/an operator ordered it to be there/);
    expect(out).toMatch(/\(1 lost disk, 1 out of reach\)/);
  });

  it('show an agent that is stuck as that, with who is missing', async () => {
    const missing = [{ node: 'x', name: 'node-8' }];
    const stuck = { sinceMs: 0, missing, survivors: [], last: undefined };
    served.node.answers.agents = () => [agentView('lossy', { status: 'recovering', stuck })];
    expect((await conclave('agents')).out).toMatch(/lossy .*stuck .*holders are missing: node-8/);
  });

  it('wait for a move and tell how far it has come, until the agent is there', async () => {
    const migration = { phase: 'preparing' as const, target: nodeView(3).id, targetName: 'node-3', reason: 'why' };
    const more = { since: 12, sinceMs: 0, bytesCopied: 4, bytes: 9 };
    const moving = { migration: { ...migration, ...more } };
    served.node.answers.migrate = ({ agent }) => ({ agent: agentView(agent, moving) });
    served.node.answers.agent = ({ agent }) => agentView(agent, { hostName: 'node-3' });
    const { code, out, err } = await conclave('migrate', 'counter', 'node-3', '--wait');
    expect([code, err]).toEqual([0, 'counter goes on while node-3 is prepared: 4 of 9 bytes are there\n']);
    expect(out).toMatch(/counter .*node-3/);
    expect(served.node.asked.find(({ type }) => type === 'migrate')).toMatchObject({ wait: false });
  });

  it('end with 1 when a move that is waited for comes to nothing', async () => {
    const migration = { phase: 'preparing' as const, target: nodeView(3).id, targetName: 'node-3', reason: 'why' };
    const more = { since: 12, sinceMs: 0, bytesCopied: undefined, bytes: undefined };
    served.node.answers.migrate = ({ agent }) => ({
      agent: agentView(agent, { migration: { ...migration, ...more } }),
    });
    const migrationEnd = { since: 12, cancelled: false, reason: 'node-3 died' };
    served.node.answers.agent = ({ agent }) => agentView(agent, { migrationEnd });
    const { code, err } = await conclave('migrate', 'counter', 'node-3', '--wait');
    expect([code, err]).toEqual([1, expect.stringMatching(/was not moved: node-3 died/)]);
  });

  it('take a move back, and need to know where to otherwise', async () => {
    expect((await conclave('migrate', 'counter', '--cancel')).code).toBe(0);
    expect(served.node.asked.at(-1)).toEqual({ type: 'cancelMigration', agent: 'counter' });
    expect((await conclave('migrate', 'counter')).err).toMatch(/Say where to/);
  });

  it('set the topics of an agent, or take them all', async () => {
    const set = await conclave('topics', 'counter', 'prices', 'trades');
    expect([set.code, set.out]).toEqual([0, 'counter has the topics prices, trades.\n']);
    expect(served.node.asked).toEqual([{ type: 'setTopics', agent: 'counter', topics: ['prices', 'trades'] }]);
    expect((await conclave('topics', 'counter', '--none', '--json')).json()).toMatchObject({ topics: [] });
    for (const wrong of [[], ['prices', '--none']]) {
      expect((await conclave('topics', 'counter', ...wrong)).err).toMatch(/either topics or none/);
    }
  });

  it('delete an agent', async () => {
    expect((await conclave('delete', 'counter')).out).toBe('counter is deleted.\n');
    expect(served.node.asked).toEqual([{ type: 'delete', agent: 'counter' }]);
  });
});

describe('errors', () => {
  it('that the cluster gives are printed with their code, and end with 1', async () => {
    served.node.answers.agent = ({ agent }) => errors.agentUnknown({ agent });
    const plain = await conclave('agent', 'nobody');
    expect([plain.code, plain.out]).toEqual([1, '']);
    expect(plain.err).toBe(`agentUnknown: ${errors.agentUnknown({ agent: 'nobody' }).message}\n`);
    const { code, json } = await conclave('agent', 'nobody', '--json');
    expect(code).toBe(1);
    expect(json()).toMatchObject({ ok: false, error: { code: 'agentUnknown', details: { agent: 'nobody' } } });
  });

  it('of usage end with 2, and a mistyped command gets a suggestion', async () => {
    const mistyped = await conclave('statsu');
    expect([mistyped.code, mistyped.err]).toEqual([2, expect.stringContaining('Did you mean status?')]);
    for (const argv of [
      ['task', 'counter', '{add:1}'],
      ['task', 'counter'],
      ['deploy', 'x', '--count', '0'],
      ['deploy', 'x', '--isolation', 'none'],
      ['status', '--frobnicate'],
      ['up', 'many'],
    ]) {
      const { code, err } = await conclave(...argv);
      expect({ argv, code, err }).toEqual({ argv, code: 2, err: expect.stringMatching(/\w/) });
    }
    expect((await run(['localhost:8000'], 'status')).code).toBe(2);
    expect(served.node.asked).toEqual([]);
  });

  it('of help are none', async () => {
    const { code, out } = await conclave('--help');
    expect(code).toBe(0);
    for (const word of ['up', 'down', 'kill', 'status', 'deploy', 'task', 'events', 'token', 'Exit codes', '--admin']) {
      expect(out).toContain(word);
    }
    expect((await conclave('task', '--help')).out).toContain("conclave task counter '{");
    expect((await conclave('--version')).code).toBe(0);
  });
});

describe('token and the state directory', () => {
  const bare = async (...argv: string[]) => {
    const console = { out: new Printed(), err: new Printed() };
    return { code: await runCommandLine(argv, console), out: console.out.text, err: console.err.text };
  };

  it('token prints a bearer token that the API takes, alone', async () => {
    vi.stubEnv('CONCLAVE_HOME', directory);
    const { tokenPublicKey } = await openHome(join(directory, 'one')).makeSecrets();
    const { code, out } = await bare('token', '--name', 'one');
    expect(code).toBe(0);
    expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(decodeProtectedHeader(out.trim())).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' });
    expect(decodeJwt(out.trim()).exp).toBeGreaterThan(Date.now() / 1_000);
    const other = await serve({ tokenPublicKeyPem: Buffer.from(tokenPublicKey).toString('utf8') });
    try {
      vi.stubEnv('CONCLAVE_ADMIN', other.url);
      expect(await bare('delete', 'a', '--name', 'one')).toEqual({ code: 0, out: 'a is deleted.\n', err: '' });
    } finally {
      await other.server.close();
    }
  });

  it('without a key, a command says where it looked', async () => {
    vi.stubEnv('CONCLAVE_HOME', directory);
    const { code, err } = await bare('status', '--name', 'absent');
    expect([code, err]).toEqual([1, expect.stringContaining(join(directory, 'absent'))]);
  });

  it('without nodes, a command ends with 3', async () => {
    vi.stubEnv('CONCLAVE_HOME', directory);
    const home = openHome(join(directory, 'empty-one'));
    await home.makeSecrets();
    await home.writeNote({ kind: 'processes', name: 'empty-one' });
    const { code, err } = await bare('status', '--name', 'empty-one');
    expect([code, err]).toEqual([3, expect.stringContaining('There is no cluster "empty-one" here')]);
  });
});
