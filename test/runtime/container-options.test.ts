import { describe, expect, test } from 'vitest';
import { readContainerSpec } from '../../node/core/container-spec.ts';
import { containerOptions } from '../../node/runtime/container-options.ts';

const marks = { agent: 'a', epoch: '7', node: 'n', instance: 'i' };

interface Options {
  HostConfig: Record<string, unknown>;
  [name: string]: unknown;
}

function optionsFor(manifest: object, owner?: string): Options {
  const spec = readContainerSpec(manifest);
  if (typeof spec === 'string') throw new Error(spec);
  return containerOptions(spec, marks, owner) as Options;
}

describe('how an agent’s container is made', () => {
  test('is the same for all, but for what a spec may choose', () => {
    const plain = optionsFor({ image: 'talk:1' });
    const whole = { memory_mb: 64, cpus: 0.5, pids: 8, command: ['run'], env: { TZ: 'UTC' } };
    const chosen = optionsFor({ image: 'talk:2', ...whole });
    const { HostConfig: host, Image: _image, Env: _env, Entrypoint: _entry, Cmd: _command, ...rest } = chosen;
    const { Memory: _memory, MemorySwap: _swap, CpuQuota: _quota, PidsLimit: _pids, ...fixed } = host;
    expect(plain).toMatchObject({ ...rest, HostConfig: fixed });
    expect(chosen).toMatchObject({ Image: 'talk:2', Entrypoint: ['run'], Cmd: [] });
    expect(chosen['Env']).toEqual(['HOME=/tmp', 'TMPDIR=/tmp', 'TZ=UTC']);
    expect(host).toMatchObject({ Memory: 67_108_864, CpuPeriod: 100_000, CpuQuota: 50_000, PidsLimit: 8 });
    expect(Object.keys(plain)).not.toContain('Entrypoint');
  });

  test('has no way to more', () => {
    const { HostConfig: host, ...others } = optionsFor({ image: 'talk:1' });
    expect(others).toMatchObject({ User: '65534:65534', StdinOnce: true, Tty: false, Healthcheck: { Test: ['NONE'] } });
    expect(host).toMatchObject({
      ...{ NetworkMode: 'none', Privileged: false, ReadonlyRootfs: true, IpcMode: 'private', CapDrop: ['ALL'] },
      ...{ SecurityOpt: ['no-new-privileges'], LogConfig: { Type: 'none' }, RestartPolicy: { Name: 'no' } },
    });
    // A container that says nothing has 1024: a node goes on where its agents have to wait.
    expect(host['CpuShares']).toBeLessThan(1_024);
    expect(host['MemorySwap']).toBe(host['Memory']);
    for (const name of ['Binds', 'Mounts', 'Devices', 'CapAdd', 'PidMode', 'UsernsMode', 'UTSMode', 'VolumesFrom']) {
      expect(Object.keys(host)).not.toContain(name);
    }
  });

  test('says whose it is', () => {
    expect(optionsFor({ image: 'talk:1' })['Labels']).toEqual({
      ...{ 'conclave.agent': 'a', 'conclave.epoch': '7', 'conclave.node': 'n', 'conclave.instance': 'i' },
    });
    expect(optionsFor({ image: 'talk:1' }, 'desk/node-1')['Labels']).toMatchObject({ 'conclave.owner': 'desk/node-1' });
  });
});
