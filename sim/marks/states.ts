import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { holderOf } from '../checkers/written.ts';
import type { Detector } from './detector.ts';

const holderPrefix = keys.holder('');
const stepPrefix = keys.stateStep('', 0).slice(0, 'state-step/'.length);
const placeOf = (node: NodeId, key: string): string => `${node} ${key.slice(stepPrefix.length, key.lastIndexOf('/'))}`;

/** How the states of agents come to their holders, and how those keep them. */
export const stateMarks = {
  'changes-sent-together': (_scene, hit) => ({
    sent: {
      replicate(_node, { changes }) {
        if (changes.length > 1) hit();
      },
    },
  }),

  'state-sent-whole-instead-of-its-changes': (_scene, hit) => {
    /** By holder and agent: the epoch of which it has something. */
    const having = new Map<string, number>();
    return {
      received: {
        replicated(_node, { agent, epoch, accepted }, from) {
          if (accepted) having.set(`${from} ${agent}`, epoch);
        },
      },
      sent: {
        replicate(_node, { agent, epoch, full }, to) {
          if (full && having.get(`${to} ${agent}`) === epoch) hit();
        },
      },
    };
  },

  'changes-taken-in-by-the-parts': (_scene, hit) => ({
    durable(_node, writes) {
      const isFolded = writes.some(({ key, value }) => key.startsWith(stepPrefix) && value === undefined);
      if (isFolded && writes.some(({ key, value }) => key.startsWith('state/') && value !== undefined)) hit();
    },
  }),

  'started-from-parts-and-changes': (_scene, hit) => {
    const steps = new Map<string, number>();
    return {
      durable(node, writes) {
        for (const { key, value } of writes) {
          if (!key.startsWith(stepPrefix)) continue;
          const place = placeOf(node, key);
          steps.set(place, (steps.get(place) ?? 0) + (value === undefined ? -1 : 1));
        }
      },
      started(node) {
        if ([...steps].some(([place, count]) => count > 0 && place.startsWith(`${node} `))) hit();
      },
    };
  },

  'former-holder-let-go-of-a-state': (_scene, hit) =>
    watchHoldings(({ isKept, wasKept, isThere }) => {
      if (!isKept && isThere && wasKept) hit();
    }),

  'former-holder-keeps-a-state-again': (_scene, hit) => {
    const former = new Set<string>();
    return watchHoldings(({ place, isKept, wasKept, isThere }) => {
      if (isKept && former.delete(place)) hit();
      if (!isKept && isThere && wasKept) former.add(place);
    });
  },
} satisfies Record<string, Detector>;

interface Holding {
  place: string;
  isKept: boolean;
  wasKept: boolean;
  /** There is a record, if only one that seals it. */
  isThere: boolean;
}

/** Tells of each record of a holder whether a state stands behind it, and whether one did. */
function watchHoldings(tell: (holding: Holding) => void): ReturnType<Detector> {
  const having = new Set<string>();
  return {
    durable(node, writes) {
      for (const { key, value } of writes) {
        if (!key.startsWith(holderPrefix)) continue;
        const place = `${node} ${key}`;
        const isKept = value !== undefined && holderOf(value).epoch > 0;
        tell({ place, isKept, wasKept: having.has(place), isThere: value !== undefined });
        if (isKept) having.add(place);
        else having.delete(place);
      }
    },
  };
}
