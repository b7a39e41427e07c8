import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

/** What a mended connection held back arrives within this, unless it is slow, too. */
const arrivesMs = 50;
/** No frame takes this long but one that was held back. */
const heldMs = 500;

/** What connections do that only look open. */
export const networkMarks = {
  'held-frames-arrived-after-a-heal': (scene, hit) => {
    const sent = new Map<string, number>();
    let mendedMs = Number.NEGATIVE_INFINITY;
    return {
      acted({ kind, node }) {
        if (kind === 'mend' && node === 'world') mendedMs = scene.nowMs;
      },
      sent: { probe: (node, { sequence }, to) => void sent.set(`${node}>${to}/${sequence}`, scene.nowMs) },
      received: {
        probe(node, { sequence }, from) {
          const key = `${from}>${node}/${sequence}`;
          const sentMs = sent.get(key);
          sent.delete(key);
          if (sentMs === undefined || scene.nowMs - mendedMs > arrivesMs) return;
          if (mendedMs - sentMs > heldMs) hit();
        },
      },
    };
  },

  'forgotten-connection-noticed': (scene, hit) => {
    /** Which end does not know yet that the other closed. */
    const unaware = new Map<NodeId, NodeId>();
    return {
      acted({ text }) {
        const [, one, other] = /^(\S+) loses its connection to (\S+),/.exec(text) ?? [];
        if (one === undefined || other === undefined) return;
        if (scene.world.network.isConnected(one, other)) unaware.set(other, one);
      },
      happened: {
        disconnected(node, { node: other }) {
          if (unaware.get(node) !== other) return;
          unaware.delete(node);
          hit();
        },
      },
    };
  },
} satisfies Record<string, Detector>;
