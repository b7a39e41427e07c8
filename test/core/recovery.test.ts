import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import { Holder } from '../../node/core/holder.ts';
import type { Profile } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { type Found, Recovery } from '../../node/core/recovery.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { toBytes } from '../../node/core/text.ts';

/** What a node that keeps nothing of an agent begins its epoch 6 from, once two of three holders are sealed with these steps. */
function foundOf(...steps: { epoch: number; sequence: number }[]): string[] {
  const context: Context = {
    ...{ self: 'n9', boot: 1, start: 's', profile: {} as Profile, settings: defaultSettings, out: new Outbox() },
    ...{ random: () => 0.5, nowMs: 0, wallMs: 0 },
  };
  const found: string[] = [];
  const tell = (best: Found | undefined): void => void found.push(`${best?.epoch}/${best?.sequence}`);
  const recovery = new Recovery({
    ...{ context, holder: new Holder(context, restore(new Map()), () => false), agent: 'a', epoch: 6 },
    ...{ previousHolders: ['n1', 'n2', 'n3'], found: tell, deposed: () => void found.push('deposed') },
  });
  recovery.seal();
  for (const [at, made] of steps.entries()) {
    const step = { ...made, checksum: at + 1 };
    const checkpoint = { ...step, state: toBytes(`${step.epoch}/${step.sequence}`), results: [] };
    const sealed = { agent: 'a', epoch: 6, granted: true, sealedEpoch: 6, kept: step, checkpoint };
    recovery.onSealed(`n${at + 1}`, sealed);
  }
  return found;
}

describe('an agent goes on', () => {
  const ofOldHost = { epoch: 3, sequence: 40 };
  const ofNewHost = { epoch: 4, sequence: 7 };

  test('from what its last host did, though the one before it had come further without an acknowledgement', () => {
    expect(foundOf(ofOldHost, ofNewHost)).toEqual(['4/7']);
    expect(foundOf(ofNewHost, ofOldHost)).toEqual(['4/7']);
  });

  test('of two steps of an epoch from the later one, and from none before a majority is sealed', () => {
    expect(foundOf(ofNewHost)).toEqual([]);
    expect(foundOf(ofNewHost, { epoch: 4, sequence: 8 })).toEqual(['4/8']);
    expect(foundOf({ epoch: 4, sequence: 8 }, ofNewHost)).toEqual(['4/8']);
  });
});
