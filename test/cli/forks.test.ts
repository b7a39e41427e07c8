import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errors } from '../../node/core/errors.ts';
import { agentView, branchEntry, nodeView } from '../api/fake-node.ts';
import { run, type Served, serve } from './run.ts';

let served: Served;

beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.server.close());

const conclave = (...argv: string[]) => run([served.url], ...argv);

describe('forks', () => {
  it('lists what is kept beside an agent, and nothing that became part of it', async () => {
    const merged = { ...branchEntry('b2', 9), end: undefined };
    served.node.answers.agent = ({ agent }) => agentView(agent, { branches: [branchEntry('b1', 7), merged] });
    const { code, out } = await conclave('forks', 'counter');
    expect(code).toBe(0);
    expect(out).toMatch(/b1\.7 .*1970-01-01T00:00:01.000Z .*2 .*4 .*forked .*its code has no merge function/);
    expect(out).not.toMatch(/b2/);
    expect((await conclave('forks', 'counter', '--json')).json()).toMatchObject({
      forks: [{ fork: 'b1.7', tasks: 2 }],
    });
    served.node.answers.agent = ({ agent }) => agentView(agent);
    expect((await conclave('forks', 'counter')).out).toMatch(/No forks/);
  });

  it('prints what one came to, and has it forgotten', async () => {
    expect((await conclave('forks', 'counter', '--get', 'b1.7')).out).toMatch(/"totalCount": 3/);
    const got = (await conclave('forks', 'counter', '--get', 'b1.7', '--json')).json();
    expect(got).toMatchObject({ fork: 'b1.7', state: { totalCount: 3 }, base_state: { totalCount: 3 } });
    expect(got).toMatchObject({
      letters: [
        { to: 'ledger', key: 'counter', priority: 5, task: { credit: 5 } },
        { to: 'ledger', key: 'counter', priority: 5, task: { credit: 5 }, reply: { order: 1 } },
      ],
      timers: [{ name: 'close', at_ms: 60_000, every_ms: null, task: { close: true } }],
      timers_taken_back: ['open'],
    });
    const { out } = await conclave('forks', 'counter', '--mail', 'b1.7');
    expect(out).toMatch(/ledger .*counter .*5 .*\{"credit":5\}/);
    expect(out).toMatch(/close .*1970-01-01T00:01:00.000Z .*- .*\{"close":true\}[^]*It took timers back: open/);
    expect((await conclave('forks', 'counter', '--delete', 'b1.7')).out).toMatch(/fork b1\.7 is deleted/);
    const asked = served.node.asked.filter(({ type }) => type === 'fork' || type === 'forkDelete');
    for (const operation of asked) expect(operation).toMatchObject({ agent: 'counter', fork: 'b1', number: 7 });
    expect(asked).toHaveLength(4);
  });

  it('says what is wrong: a name that is none, a fork that nobody has, and two wishes at once', async () => {
    expect((await conclave('forks', 'counter', '--get', 'b1')).err).toMatch(/forkUnknown.*no fork "b1"/);
    served.node.answers.fork = ({ agent, fork }) => errors.forkUnknown({ agent, fork });
    expect((await conclave('forks', 'counter', '--get', 'b1.7')).code).toBe(1);
    expect((await conclave('forks', 'counter', '--get', 'b1.7', '--delete', 'b1.7')).code).toBe(2);
  });
});

describe('what comes of a side without a majority', () => {
  it('is told by task and state, on the error stream and in the answer', async () => {
    const value = new TextEncoder().encode('3');
    served.node.answers.task = ({ agent, task }) => ({ agent, task, value, provisional: true, branch: 'b1' });
    const { out, err } = await conclave('task', 'counter', '{}');
    expect([out.trim(), err]).toEqual(['3', expect.stringMatching(/provisional: branch b1/)]);
    const json = await conclave('task', 'counter', '{}', '--json');
    expect([json.json(), json.err]).toMatchObject([{ provisional: true, branch: 'b1', result: 3 }, '']);
  });

  it('is told by status: since when, who manages, and what runs where or why not', async () => {
    const [one, two] = [nodeView(1).id, nodeView(2).id];
    const running = { agent: 'counter', branch: 'b1', host: two, keepers: [two, one], tasks: 5, reason: 'chosen' };
    const not = { agent: 'other', branch: undefined, host: undefined, keepers: [], tasks: 0, reason: 'no state here' };
    served.node.answers.status = () => ({
      ...{
        cluster: 'c1',
        mode: 'autonomous',
        self: two,
        leader: undefined,
        index: 3,
        nodes: [nodeView(1), nodeView(2)],
      },
      agents: [],
      autonomy: { sinceMs: 5_000, actingManager: one, nodes: [one, two], agents: [running, not] },
    });
    const { out } = await conclave('status');
    expect(out).toMatch(/autonomous since 1970-01-01T00:00:05.000Z {3}acting manager node-1 {3}with node-1, node-2/);
    expect(out).toMatch(/counter .*b1 .*node-2 .*node-2, node-1 .*5 .*chosen/);
    expect(out).toMatch(/other .*- .*- .*- .*0 .*no state here/);
    const { autonomy } = (await conclave('status', '--json')).json() as { autonomy: unknown };
    expect(autonomy).toMatchObject({ acting_manager: one, agents: [{ branch: 'b1' }, { branch: null, host: null }] });
  });

  it('is asked for when an agent is deployed', async () => {
    await conclave('deploy', 'counter', '--partition', 'autonomous');
    expect(served.node.asked.find(({ type }) => type === 'deploy')).toMatchObject({ partition: 'autonomous' });
    expect((await conclave('deploy', 'counter', '--partition', 'sometimes')).code).toBe(2);
  });
});
