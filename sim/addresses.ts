import type { NodeId, Profile } from '../node/core/message.ts';

/** Machines have addresses by their place, counted from 0. */
const hostNumber = (index: number): string => `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`;
export const addressOf = (index: number): string => `/ip4/${hostNumber(index)}/tcp/4001`;

/** The place of a machine. */
export function addressIndexOf({ addresses: [address = ''] }: Profile): number {
  const [, block, place] = /10\.0\.(\d+)\.(\d+)/.exec(address) ?? [];
  return Number(block) * 250 + Number(place) - 1;
}

/** What a machine says of itself when nothing else is said. */
export function profileOf(id: NodeId, index: number): Profile {
  const admin = `http://${hostNumber(index)}:8000`;
  return { name: id, addresses: [addressOf(index)], site: 'site-1', capabilities: [], admin, agentsMax: 100 };
}
