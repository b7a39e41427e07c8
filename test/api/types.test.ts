import { describe, expect, it } from 'vitest';
import { errors } from '../../node/core/errors.ts';
import { agentTypeView, rolloutView } from './fake-node.ts';
import { Served } from './served.ts';

const served = new Served('/api/v1/cluster');

describe('types', () => {
  it('are listed with their versions, what is unknown as null', async () => {
    const counter = {
      ...{ type: 'counter', runtime: 'worker threads', version: 1, previous_version: null },
      ...{ versions: [{ version: 1, agents: 2 }], rollout: null, rollout_end: null },
    };
    expect((await served.send('GET', '/types')).json()).toEqual({ types: [counter] });
    expect((await served.send('GET', '/types/desk?consistency=leader')).json()).toEqual({ ...counter, type: 'desk' });
    expect(served.node.asked.at(-1)).toEqual({ type: 'agentType', agentType: 'desk', consistency: 'leader' });
  });

  it('show a rollout that is under way, and how the last one ended', async () => {
    const end = { since: 9, from: 1, to: 2, outcome: 'rolledBack' as const, reason: 'it failed', stays: [] };
    served.node.answers.agentType = () =>
      agentTypeView({ rollout: rolloutView(), rolloutEnd: { ...end, failed: 'a' } });
    expect((await served.send('GET', '/types/counter')).json()).toMatchObject({
      rollout: {
        ...{
          since: 40,
          since_ms: 1_700_000_000_000,
          from: 1,
          to: 2,
          phase: 'forward',
          max_failures: 2,
          settle_ms: 10_000,
        },
        ...{ reason: null, failed_agent: null, counts: { settling: 1, pending: 1 } },
        agents: [{ agent: 'counter', version: 2, progress: 'settling', reason: null }],
      },
      rollout_end: { ...end, failed_agent: 'a', left: [] },
    });
  });
});

describe('an upgrade', () => {
  it('takes code as a deployment does, its rules, and a name', async () => {
    const body = { source: 'export default {}', max_failures: 0, settle_ms: 500 };
    const answer = await served.send('POST', '/types/counter/upgrade', body, { 'idempotency-key': 'once' });
    expect([answer.statusCode, answer.json().rollout.to]).toEqual([200, 2]);
    const wish = { type: 'upgrade', agentType: 'counter', request: 'once' };
    expect(served.node.asked).toEqual([{ ...wish, source: 'export default {}', maxFailures: 0, settleMs: 500 }]);
    const program = { runtime: 'process', interpreter: 'python3', source: 'run()' };
    expect((await served.send('POST', '/types/talk/upgrade', program)).statusCode).toBe(200);
    expect((await served.send('POST', '/types/talk/upgrade', { previous: true })).statusCode).toBe(200);
    expect(served.node.asked.slice(1)).toEqual([
      { type: 'upgrade', agentType: 'talk', source: 'run()', interpreter: 'python3' },
      { type: 'upgrade', agentType: 'talk', previous: true },
    ]);
  });

  it.each([
    ['nothing to upgrade to', {}],
    ['code beside the version before', { source: 'mine', previous: true }],
    ['a program that nothing runs', { source: 'run()', runtime: 'process' }],
    ['too many failures', { source: 'mine', max_failures: 101 }],
    ['no time to hold', { source: 'mine', settle_ms: 0 }],
    ['a container that is none', { runtime: 'container', container: { image: 'a', privileged: true } }],
  ])('is refused with %s', async (_what, body) => {
    const answer = await served.send('POST', '/types/counter/upgrade', body);
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    expect(served.node.asked).toEqual([]);
  });

  it('is taken back, and says why when there is none', async () => {
    expect((await served.send('DELETE', '/types/counter/upgrade')).json().rollout).toMatchObject({ phase: 'back' });
    served.node.answers.cancelUpgrade = () => errors.rolloutUnknown({ type: 'counter' });
    const answer = await served.send('DELETE', '/types/counter/upgrade');
    expect([answer.statusCode, answer.json().error.code]).toEqual([409, 'rolloutUnknown']);
  });
});
