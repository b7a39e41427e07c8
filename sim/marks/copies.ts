import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { StateParts } from '../../node/core/wire/messages.ts';
import type { Detector } from './detector.ts';

interface Version {
  agent: string;
  epoch: number;
  sequence: number;
}

const versionOf = ({ agent, epoch, sequence }: Version): string => `${agent} ${epoch} ${sequence}`;
const partPrefix = 'state-part/';

/** Large states that go from node to node part by part, when not all goes well. */
export const copyMarks = {
  'state-copied-in-parts': (_scene, hit) => {
    const offered = new Map<NodeId, string>();
    return {
      received: {
        stateOffer: (node, offer) => void offered.set(node, versionOf(offer)),
        replicated(_node, { accepted, ...step }, from) {
          if (accepted && offered.get(from) === versionOf(step)) hit();
        },
      },
    };
  },

  'parts-asked-for-again': (_scene, hit) => {
    const asked = new Map<NodeId, { version: string; places: Set<number> }>();
    return {
      sent: {
        stateFetch(node, { places, ...step }) {
          const version = versionOf(step);
          let before = asked.get(node);
          if (before?.version !== version) asked.set(node, (before = { version, places: new Set() }));
          if (places.some((place) => before.places.has(place))) hit();
          for (const place of places) before.places.add(place);
        },
      },
    };
  },

  'parts-came-twice': (_scene, hit) => {
    const come = new Map<NodeId, { version: string; places: Set<number> }>();
    return {
      received: {
        statePieces(node, { places, ...step }) {
          const version = versionOf(step);
          let before = come.get(node);
          if (before?.version !== version) come.set(node, (before = { version, places: new Set() }));
          if (places.some((place) => before.places.has(place))) hit();
          for (const place of places) before.places.add(place);
        },
      },
    };
  },

  'state-fetched-from-another-holder': (_scene, hit) => {
    const asked = new Map<NodeId, { version: string; source: NodeId | undefined }>();
    return {
      sent: {
        stateFetch(node, step, source) {
          const before = asked.get(node);
          if (before?.version === versionOf(step) && before.source !== source) hit();
          asked.set(node, { version: versionOf(step), source });
        },
      },
    };
  },

  'host-died-in-the-middle-of-a-copy': (_scene, hit) => {
    /** By holder and agent: whose offer it is at. */
    const copying = new Map<string, NodeId>();
    return {
      received: {
        statePieces: (node, { agent }, from) => void copying.set(`${node} ${agent}`, from),
        replicated: (_node, { agent }, from) => void copying.delete(`${from} ${agent}`),
      },
      ended(node) {
        if ([...copying.values()].includes(node)) hit();
        for (const [copy, source] of copying) if (source === node) copying.delete(copy);
      },
    };
  },

  'copy-superseded': (_scene, hit) => {
    const copying = new Map<string, string>();
    return {
      received: {
        stateOffer(node, offer) {
          const place = `${node} ${offer.agent}`;
          const before = copying.get(place);
          if (before !== undefined && before !== versionOf(offer)) hit();
          copying.set(place, versionOf(offer));
        },
        replicated: (_node, { agent }, from) => void copying.delete(`${from} ${agent}`),
      },
    };
  },

  'copy-needed-only-some-parts': (_scene, hit) => {
    const copies = new Map<string, { version: string; places: number; asked: Set<number> }>();
    return {
      received: {
        stateOffer(node, { parts, ...offer }) {
          const place = `${node} ${offer.agent}`;
          if (copies.get(place)?.version === versionOf(offer)) return;
          copies.set(place, { version: versionOf(offer), places: parts.byteLength / 12, asked: new Set() });
        },
        replicated(_node, { accepted, ...step }, from) {
          const copy = copies.get(`${from} ${step.agent}`);
          if (accepted && copy?.version === versionOf(step) && copy.asked.size < copy.places) hit();
        },
      },
      sent: {
        stateFetch(node, { agent, places }) {
          const copy = copies.get(`${node} ${agent}`);
          for (const place of places) copy?.asked.add(place);
        },
      },
    };
  },

  'unfinished-copy-dropped-at-the-start': (scene, hit) => {
    const staged = new Map<NodeId, Set<string>>();
    return {
      durable(node, writes) {
        let of = staged.get(node);
        if (of === undefined) staged.set(node, (of = new Set()));
        for (const { key, value } of writes) {
          if (!key.startsWith(partPrefix)) continue;
          if (value === undefined) of.delete(key);
          else of.add(key);
        }
      },
      started(node) {
        const { disk } = scene.world.host(node);
        if (disk.damaged !== undefined) return;
        for (const key of staged.get(node) ?? []) {
          const agent = key.slice(partPrefix.length, key.lastIndexOf('/'));
          const list = disk.read(keys.state(agent));
          const numbers = list === undefined ? [] : StateParts.decode(list).parts;
          if (!numbers.some((part) => keys.statePart(agent, part) === key)) return hit();
        }
      },
    };
  },

  'state-told-ahead-in-pieces': (_scene, hit) => ({ happened: { stateAhead: () => hit() } }),
} satisfies Record<string, Detector>;
