import { describe, expect, test } from 'vitest';
import type { Candidate } from '../../strategies/candidate.ts';
import { choose } from '../../strategies/choose.ts';
import { allObstacles, whyInfeasible } from '../../strategies/feasibility.ts';
import { leastLoaded } from '../../strategies/least-loaded.ts';
import { alone } from '../../strategies/mix.ts';
import type { PlacementRequest } from '../../strategies/need.ts';
import { type ReasonCode, reasonText } from '../../strategies/reason.ts';
import { candidate, request } from './candidates.ts';

type Case = [ReasonCode, Partial<Candidate>, Partial<PlacementRequest>, string];

const near = (to: string, kind: 'type' | 'site' | 'label', weight = 1) =>
  [{ kind, to, weight, required: true }] as const;

const cases: Case[] = [
  ['draining', { draining: true }, {}, 'is draining'],
  ['degraded', { degraded: true }, {}, 'is degraded'],
  ['dedicated', { dedicated: ['db', 'web'] }, {}, 'is kept for db, web'],
  ['tainted', { taints: ['spot', 'team=red'] }, { tolerations: ['team'] }, 'has taint spot'],
  ['capability', { capabilities: ['gpu=1'] }, { capabilities: ['gpu>=2'] }, 'lacks capability gpu>=2'],
  ['place', { site: 'us' }, { affinities: near('eu', 'site') }, 'is not with site eu'],
  ['place', { labels: { disk: 'hdd' } }, { affinities: near('disk=hdd', 'label', -1) }, 'is with label disk=hdd'],
  ['agents', { agents: 50 }, {}, 'has its most agents (50)'],
  [
    'resource',
    { capacity: { memory: 1_000 }, used: { memory: 700 } },
    { resources: { memory: 500 } },
    'lacks 200 MB of memory (300 free, 500 wanted)',
  ],
  [
    'resource',
    { capacity: { cpu: 4_000 }, used: { cpu: 3_500 } },
    { resources: { cpu: 2_000 } },
    'lacks 1.5 cores of cpu (500 free, 2000 wanted)',
  ],
  ['resource', {}, { resources: { licence: 1 } }, 'lacks 1 of licence (0 free, 1 wanted)'],
  ['port', { portsUsed: new Set([80, 443]) }, { ports: [80, 8080] }, 'has port 80 in use'],
  ['per_node', { byType: new Map([['a', 2]]) }, { perNodeMax: 2 }, 'has its most agents of type a (2)'],
  ['company', {}, { affinities: near('cache', 'type') }, 'is not with agents of type cache'],
];

describe('why a node cannot take an agent', () => {
  test.each(cases)('%s: %j for %j: %s', (code, but, wanted, text) => {
    const reason = whyInfeasible(candidate('n', but), request(wanted));
    expect(reason?.code).toBe(code);
    expect(reason && reasonText(reason)).toBe(text);
  });

  test('is first what the node is, and then what is on it', () => {
    const full = candidate('n', { agents: 50, taints: ['spot'], draining: true });
    expect(whyInfeasible(full, request())?.code).toBe('draining');
    expect(allObstacles(full, request()).map(({ code }) => code)).toEqual(['draining', 'tainted', 'agents']);
  });

  test('is its site, when another has too few of the type', () => {
    const nodes = [
      candidate('a', { site: 'eu', byType: new Map([['a', 2]]) }),
      candidate('b', { site: 'us', agents: 9 }),
      // Nobody waits for a site that could take none anyway.
      candidate('c', { site: 'asia', draining: true }),
    ];
    const { node, rejected } = choose(alone(leastLoaded), request({ spread: { skewMax: 1 } }), nodes);
    expect(node).toBe('b');
    expect(rejected.map(({ node: each, reason }) => `${each} ${reason}`)).toEqual([
      'a is on site eu, which has 2 of its type while another has 0 (most apart 1)',
      'c is draining',
    ]);
  });
});
