import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Instant, NodeInit } from '../../node/core/node.ts';
import type { SimNode } from '../../sim/host.ts';
import { World, type WorldOptions } from '../../sim/world.ts';

export interface Seen {
  node: NodeId;
  atMs: number;
  nowMs: number;
  wallMs: number;
  event: Event;
}

/** What a scripted node answers to an event. */
export type Script = (event: Event, at: Instant, init: NodeInit) => Effect[];

/** A world of nodes that do what a script says, with all that they saw in order. */
export function scriptedWorld(script: Script, options: Partial<WorldOptions> = {}): { world: World; seen: Seen[] } {
  const seen: Seen[] = [];
  const world: World = new World({
    seed: 'mechanics',
    nodes: 2,
    ...options,
    createNode: (init): SimNode => ({
      handle: (event, at) => {
        seen.push({ node: init.id, atMs: world.nowMs, ...at, event });
        return script(event, at, init);
      },
    }),
  });
  return { world, seen };
}

/** Effects that make n1 connect to everyone at its first wake. */
export function connectFromFirst(event: Event, init: NodeInit): Effect[] {
  if (event.type !== 'wake' || init.id !== 'n1') return [];
  return ['n2', 'n3', 'n4', 'n5'].map((node) => ({ type: 'dial', node, addresses: [] }));
}

export const probe = (sequence: number): Message => ({ type: 'probe', body: { sequence } });

export const send = (to: NodeId, sequence: number, urgent = false): Effect => ({
  type: 'send',
  to,
  message: probe(sequence),
  urgent,
  cluster: 'test',
});

/** The sequence numbers of probes that a node received. */
export function probesAt(seen: readonly Seen[], node: NodeId): number[] {
  return seen.flatMap(({ node: at, event }) =>
    at === node && event.type === 'message' && event.message.type === 'probe' ? [event.message.body.sequence] : [],
  );
}

export function typesAt(seen: readonly Seen[], node: NodeId): string[] {
  return seen.filter((one) => one.node === node && one.event.type !== 'load').map(({ event }) => event.type);
}
