import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureOwnBase } from '../../docker/base-image.ts';
import type { Engine } from '../../docker/engine.ts';
import { buildImage, importPython, type Python } from '../python.ts';

const python = 'conclave-test-storm-python:1';
const example = fileURLToPath(new URL('../../examples/trading-python', import.meta.url));

export interface StormImages {
  /** Node and Python, for nodes that run processes of both. */
  base: string;
  /** The trading agent in Python. */
  agent: string;
  remove(): Promise<void>;
}

/** Makes the images of a storm of what is on this machine. */
export async function stormImages(docker: Engine, found: Python): Promise<StormImages> {
  const [base, agent] = ['conclave-test-storm-base:1', 'conclave-test-storm-agent:1'];
  await importPython(docker, found, python);
  const node = await ensureOwnBase(docker);
  await buildImage(docker, base, `FROM ${python} AS python\nFROM ${node}\nCOPY --from=python / /\n`);
  const files: Record<string, Buffer> = {};
  for (const name of await readdir(example)) {
    if (name.endsWith('.py')) files[name] = await readFile(join(example, name));
  }
  await buildImage(docker, agent, `FROM ${python}\nCOPY *.py /agent/\n`, { files });
  const remove = async (): Promise<void> => {
    for (const image of [agent, base, python]) await docker.getImage(image).remove({ force: true });
  };
  return { base, agent, remove };
}
