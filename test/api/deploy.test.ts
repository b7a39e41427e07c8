import { describe, expect, it } from 'vitest';
import { errors } from '../../node/core/errors.ts';
import { Served } from './served.ts';

const served = new Served('/api/v1/cluster');

describe('deploy', () => {
  it("takes the earlier system's body unchanged", async () => {
    const answer = await served.send('POST', '/agents/deploy', {
      agent_type: 'trading',
      deployment_strategy: 'least_loaded',
    });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({ agent: { id: 'trading' }, agents: [{ id: 'trading' }] });
    expect(served.node.asked).toEqual([
      { type: 'deploy', agentType: 'trading', count: 1, strategy: 'least_loaded', capabilities: [], holders: 3 },
    ]);
  });

  it('takes all its fields, and ignores those that it does not know', async () => {
    const body = {
      ...{ agent_type: 'trading', deployment_strategy: 'round_robin', name: 'desk', count: 2, holders: 5 },
      ...{ capabilities: ['gpu'], required_capabilities: ['trading', 'gpu'], source: 'export default {}' },
      ...{ requirements: { cpu_cores: 1 }, config: {} },
    };
    const answer = await served.send('POST', '/agents/deploy', body, { 'idempotency-key': 'once-1' });
    expect(answer.json().agents.map(({ id }: { id: string }) => id)).toEqual(['desk-1', 'desk-2']);
    expect(served.node.asked).toEqual([
      {
        ...{ type: 'deploy', request: 'once-1', agentType: 'trading', source: 'export default {}', name: 'desk' },
        ...{ count: 2, strategy: 'round_robin', capabilities: ['gpu', 'trading'], holders: 5 },
      },
    ]);
  });

  it('brings the code of a built-in type along, unless the request has its own', async () => {
    await served.send('POST', '/agents/deploy', { agent_type: 'counter' });
    await served.send('POST', '/agents/deploy', { agent_type: 'counter', source: 'mine' });
    expect(served.node.asked).toMatchObject([
      { source: 'export default { builtin: true };', builtin: true },
      { source: 'mine' },
    ]);
    expect(served.node.asked[1]).not.toHaveProperty('builtin');
  });

  it('takes the program that runs the code of a process, and refuses what cannot be run', async () => {
    const body = { agent_type: 'talk', runtime: 'process', interpreter: 'python3', source: 'run()' };
    expect((await served.send('POST', '/agents/deploy', body)).statusCode).toBe(201);
    expect(served.node.asked).toMatchObject([{ type: 'deploy', interpreter: 'python3', source: 'run()' }]);
    const wrong = [
      { ...body, runtime: 'worker' },
      { ...body, runtime: undefined },
      { ...body, interpreter: undefined },
      { ...body, source: undefined },
      { ...body, runtime: 'container' },
      { ...body, interpreter: '/bin/sh' },
      { ...body, interpreter: '../sh' },
    ];
    for (const one of wrong) {
      const answer = await served.send('POST', '/agents/deploy', one);
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    }
    expect(served.node.asked).toHaveLength(1);
  });

  it('takes a container in place of code, and names the field of a hostile one', async () => {
    const container = { image: 'talk:1', memory_mb: 64 };
    const body = { agent_type: 'counter', runtime: 'container', container };
    expect((await served.send('POST', '/agents/deploy', body)).statusCode).toBe(201);
    const { asked } = served.node;
    // The node has code for a type of that name, which is not meant.
    expect(asked).toMatchObject([{ type: 'deploy', container: { image: 'talk:1', memoryMb: 64, cpus: 1, pids: 64 } }]);
    expect(Object.keys(asked[0] ?? {})).not.toContain('source');
    for (const [field, value] of [
      ['privileged', true],
      ['mounts', ['/:/host']],
      ['network', 'host'],
      ['cap_add', ['ALL']],
      ['devices', []],
      ['memory_mb', 1e9],
      ['pids', -1],
      ['env', { LD_PRELOAD: '/x' }],
      ['image', '../x'],
    ] as const) {
      const answer = await served.send('POST', '/agents/deploy', {
        ...body,
        container: { ...container, [field]: value },
      });
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
      expect(answer.json().error.message).toMatch(new RegExp(`in "container": ${field}: `));
    }
    const unclear = [
      { ...body, runtime: undefined },
      { ...body, runtime: 'worker' },
      { ...body, runtime: 'process', interpreter: 'python3', source: 'x()' },
      { ...body, source: 'x()' },
      { ...body, interpreter: 'python3' },
      { ...body, container: undefined },
      { ...body, container: null },
    ];
    for (const one of unclear) {
      const answer = await served.send('POST', '/agents/deploy', one);
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    }
    expect(asked).toHaveLength(1);
  });

  it('takes whether the agents of a type share threads', async () => {
    await served.send('POST', '/agents/deploy', { agent_type: 'counter', isolation: 'type' });
    expect(served.node.asked).toMatchObject([{ type: 'deploy', isolation: 'type' }]);
    const wrong = await served.send('POST', '/agents/deploy', { agent_type: 'counter', isolation: 'none' });
    expect([wrong.statusCode, wrong.json().error.code]).toEqual([400, 'bodyMalformed']);
  });

  it('answers an unknown strategy with the known ones', async () => {
    served.node.answers.deploy = ({ strategy }) => errors.strategyUnknown({ strategy, known: ['round_robin'] });
    const answer = await served.send('POST', '/agents/deploy', { agent_type: 'x', deployment_strategy: 'best' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json().error).toMatchObject({
      code: 'strategyUnknown',
      details: { strategy: 'best', known: ['round_robin'] },
    });
  });

  it('says node by node why an agent cannot be placed', async () => {
    const refusals = [
      { node: 'a', name: 'node-1', reason: 'it lacks gpu' },
      { node: 'b', name: 'node-2', reason: 'it is full' },
    ];
    served.node.answers.deploy = () => errors.agentUnplaceable({ agent: 'x', refusals });
    const answer = await served.send('POST', '/agents/deploy', { agent_type: 'x' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json().error.details).toEqual({ agent: 'x', refusals });
    expect(answer.json().error.message).toContain('node-1: it lacks gpu; node-2: it is full');
  });
});
