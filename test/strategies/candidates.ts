import fc from 'fast-check';
import type { Candidate } from '../../strategies/candidate.ts';
import type { Affinity, PlacementRequest } from '../../strategies/need.ts';

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

const types = ['web', 'cache', 'batch'];
const offered = fc.subarray(['gpu', 'edge', 'cuda=11', 'cuda=12.4']);
const wantedCapabilities = fc.subarray(['gpu', 'edge', 'cuda', 'cuda>=12'], { maxLength: 2 });
/** Amounts close to each other, so that some fit and some do not. */
const amounts = (max: number) =>
  fc.record({ cpu: fc.nat(max), memory: fc.nat(max), licence: fc.nat(max) }, { requiredKeys: [] });
/** Without what is undefined: a need that leaves something out is not one that wants nothing of it. */
const often = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });

const anyMeasured = fc.record({ agents: fc.nat(6), ageMs: fc.constantFrom(0, 59_000, 61_000) });

/** Any set of nodes with distinct ids; small ranges, so that ties and full nodes are common. */
export const anyCandidates: fc.Arbitrary<Candidate[]> = fc.uniqueArray(
  fc.record({
    node: fc.string({ minLength: 1, maxLength: 3 }),
    name: fc.string({ minLength: 1 }),
    site: fc.constantFrom('eu', 'us', 'asia'),
    capabilities: offered,
    draining: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    agents: fc.nat(6),
    agentsMax: fc.nat(9),
    cpu: fc.oneof(fc.constantFrom(0, 0.5), fc.double({ min: -1, max: 64 })),
    holdsState: fc.boolean(),
    measured: often(anyMeasured),
    degraded: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    labels: fc.record({ disk: fc.constantFrom('ssd', 'hdd'), rack: fc.constantFrom('1', '2') }, { requiredKeys: [] }),
    taints: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.subarray(['spot', 'team=red'])),
    dedicated: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.subarray(types)),
    capacity: amounts(8),
    used: amounts(4),
    portsUsed: fc.uniqueArray(fc.constantFrom(80, 443, 9000)).map((ports) => new Set(ports)),
    byType: fc
      .array(fc.tuple(fc.constantFrom(...types), fc.nat(3)), { maxLength: 3 })
      .map((counts) => new Map<string, number>(counts)),
    agentIds: fc.subarray(['a-1', 'b-1']).map((ids) => new Set(ids)),
  }),
  { selector: ({ node }) => node, maxLength: 12 },
);

const targets: fc.Arbitrary<Pick<Affinity, 'kind' | 'to'>> = fc.oneof(
  fc.record({ kind: fc.constant('type' as const), to: fc.constantFrom(...types) }),
  fc.record({ kind: fc.constant('agent' as const), to: fc.constantFrom('a-1', 'b-1', 'c-1') }),
  fc.record({ kind: fc.constant('node' as const), to: fc.constantFrom('a', 'b') }),
  fc.record({ kind: fc.constant('site' as const), to: fc.constantFrom('eu', 'us') }),
  fc.record({ kind: fc.constant('label' as const), to: fc.constantFrom('disk', 'disk=ssd', 'rack=2') }),
);

const anyAffinity: fc.Arbitrary<Affinity> = fc
  .tuple(targets, fc.constantFrom(-100, -1, 1, 100), fc.integer({ min: 0, max: 4 }))
  .map(([target, weight, dice]) => ({ ...target, weight, required: dice === 0 }));

export const anyRequest: fc.Arbitrary<PlacementRequest> = fc.record({
  agent: fc.string({ minLength: 1 }),
  agentType: fc.constantFrom(...types),
  capabilities: fc.oneof(fc.constant([]), wantedCapabilities),
  turn: fc.nat(),
  resources: often(amounts(3)),
  ports: often(fc.subarray([80, 9000])),
  tolerations: often(fc.subarray(['spot', 'team', 'team=red'])),
  affinities: often(fc.array(anyAffinity, { maxLength: 3 })),
  spread: often(fc.record({ skewMax: often(fc.integer({ min: 1, max: 3 })) })),
  perNodeMax: often(fc.integer({ min: 1, max: 3 })),
});
