import type { Candidate } from './candidate.ts';
import { offers } from './capability.ts';
import { fullnessAfter } from './least-loaded.ts';
import type { Need } from './need.ts';
import { scoreOf } from './score.ts';
import type { Strategy } from './strategy.ts';

/** Capabilities of the node that the agent has no use for. */
const unused = ({ capabilities }: Candidate, need: Need): number =>
  capabilities.filter((capability) => !need.capabilities.some((wanted) => offers([capability], wanted))).length;

/** The node that offers least beyond what is needed: rare ones stay free for those who need them. Then the emptiest. */
export const capabilityMatch: Strategy = {
  name: 'capability_match',
  score: (candidate, need) => scoreOf(1 / (1 + unused(candidate, need)), 1 - fullnessAfter(candidate, need)),
  why(candidate, need) {
    const count = unused(candidate, need);
    return count === 0 ? 'offers no more than it needs' : `offers ${count} more than it needs`;
  },
};
