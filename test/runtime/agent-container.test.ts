import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { AgentContainer } from '../../node/runtime/agent-container.ts';
import type { DockerEngine } from '../../node/runtime/docker-engine.ts';
import { Turns } from '../../node/runtime/turns.ts';

/** A container of an engine that ends the stream as soon as it is asked to start it, and answers when the test says so. */
function containerThatEnds(engine: { starts: Promise<void> }) {
  const socket = new PassThrough();
  let onAsked = (): void => {};
  const asked = new Promise<void>((resolve) => {
    onAsked = resolve;
  });
  const looked: string[] = [];
  const parts = {
    volumesOf: async () => [],
    create: async () => 'c1',
    attach: async () => socket,
    start: () => {
      socket.once('close', onAsked);
      socket.destroy();
      return engine.starts;
    },
    look: async (id: string) => {
      looked.push(id);
      return { running: false, exitCode: 127, outOfMemory: false };
    },
    remove: async () => {},
  };
  const broken = new Promise<string>((resolve) => {
    new AgentContainer({
      engine: parts as unknown as DockerEngine,
      spec: { image: 'i:1', command: [], memoryMb: 64, cpus: 1, pids: 64, env: {} },
      options: {},
      turns: new Turns(1),
      ...{ removeTriesMax: 1, removePauseMs: 1, lineBytesMax: 1_000, onEnded() {}, onLine() {} },
      printed: { lineLengthMax: 100, linesPerSMax: 100, write() {} },
      onBroken: resolve,
    });
  });
  return { asked, broken, looked };
}

test('a container that cannot be started is told why, though its stream ends first', async () => {
  let refuse: (error: Error) => void = () => {};
  const starts = new Promise<void>((_resolve, reject) => {
    refuse = reject;
  });
  const { asked, broken, looked } = containerThatEnds({ starts });
  await asked;
  refuse(new Error('no such file or directory'));
  expect(await broken).toBe('its container cannot be started: no such file or directory');
  expect(looked).toEqual([]);
});

test('one that was started and ended at once is told by its code', async () => {
  const { broken } = containerThatEnds({ starts: Promise.resolve() });
  expect(await broken).toBe('its container ended with code 127');
});
