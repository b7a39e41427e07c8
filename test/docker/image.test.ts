import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureOwnBase } from '../../docker/base-image.ts';
import { connectEngine } from '../../docker/engine.ts';
import { ensureImage, imageOf } from '../../docker/image.ts';
import { buildImage } from '../python.ts';
import { makeStandIn, type StandIn } from './stand-in.ts';

const engine = await connectEngine().catch(() => undefined);
const base = `conclave-test-base-${process.pid}:1`;

describe.skipIf(engine === undefined)('the image of the nodes (needs a Docker engine)', { timeout: 60_000 }, () => {
  let standIn: StandIn;
  const made = new Set<string>();

  beforeAll(async () => {
    standIn = await makeStandIn();
  });

  afterAll(async () => {
    for (const image of [...made, base]) await engine?.getImage(image).remove({ force: true });
    await standIn.remove();
  });

  it('is built again when another base has the same name, and only then', async () => {
    if (engine === undefined) return;
    const node = await ensureOwnBase(engine);
    const ensure = async (): Promise<[image: string, texts: string[]]> => {
      const texts: string[] = [];
      const image = await ensureImage(engine, { ...standIn, base }, ({ text }) => texts.push(text));
      made.add(image);
      expect(await imageOf(engine, { ...standIn, base })).toBe(image);
      return [image, texts];
    };
    await buildImage(engine, base, `FROM ${node}\nENV WHICH=first\n`);
    const [first] = await ensure();
    expect(await ensure()).toEqual([first, [first]]);
    await buildImage(engine, base, `FROM ${node}\nENV WHICH=second\n`);
    const [second, texts] = await ensure();
    expect(second).not.toBe(first);
    expect(texts).toContain(`building ${second} on ${base}`);
    const { Config } = await engine.getImage(second).inspect();
    expect(Config.Env).toContain('WHICH=second');
  });
});
