import fc from 'fast-check';
import type { Candidate, PlacementRequest } from '../../strategies/strategy.ts';

/** A node that can take anything, but for what is said otherwise. */
export function candidate(node: string, but: Partial<Candidate> = {}): Candidate {
  const name = `name-of-${node}`;
  const free = { site: 'here', capabilities: [], draining: false, agents: 0, agentsMax: 50, cpu: 0, holdsState: false };
  return { node, name, ...free, ...but };
}

/** A request without requirements, but for what is said otherwise. */
export function request(but: Partial<PlacementRequest> = {}): PlacementRequest {
  return { agent: 'a-1', agentType: 'a', capabilities: [], turn: 0, ...but };
}

const capabilities = fc.subarray(['gpu', 'trading', 'edge']);

/** Any set of nodes with distinct ids; small ranges, so that ties and full nodes are common. */
export const anyCandidates: fc.Arbitrary<Candidate[]> = fc.uniqueArray(
  fc.record({
    node: fc.string({ minLength: 1, maxLength: 3 }),
    name: fc.string({ minLength: 1 }),
    site: fc.constantFrom('here', 'there'),
    capabilities,
    draining: fc.boolean(),
    agents: fc.nat(6),
    agentsMax: fc.nat(5),
    cpu: fc.oneof(fc.constantFrom(0, 0.5), fc.double({ min: -1, max: 64 })),
    holdsState: fc.boolean(),
  }),
  { selector: ({ node }) => node, maxLength: 12 },
);

export const anyRequest: fc.Arbitrary<PlacementRequest> = fc.record({
  agent: fc.string({ minLength: 1 }),
  agentType: fc.string({ minLength: 1 }),
  capabilities,
  turn: fc.nat(),
});
