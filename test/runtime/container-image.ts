import { ensureBaseImage } from '../../docker/base-image.ts';
import { connectEngine } from '../../docker/engine.ts';
import type { ContainerSpec } from '../../node/core/container-spec.ts';

/** Where the engine of the tests listens, if it is a local one. */
export const engineSocket = /^unix:\/\/(\/.+)$/.exec(process.env['DOCKER_HOST'] ?? '')?.[1] ?? '/var/run/docker.sock';

/** An image in which Node runs, without a shell. */
export async function nodeImage(): Promise<string> {
  return ensureBaseImage(await connectEngine(), () => {});
}

/** A container that has Node run a program. */
export const containerOf = (image: string, source: string): ContainerSpec => ({
  ...{ image, command: ['/usr/local/bin/node', '-e', source], memoryMb: 256, cpus: 1, pids: 64 },
});
