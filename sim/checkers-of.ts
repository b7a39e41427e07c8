import type { NodeId } from '../node/core/message.ts';
import { defaultSettings } from '../node/core/settings.ts';
import type { AcceptedLosses } from './accepted-losses.ts';
import { AcknowledgedByMajority } from './checkers/anytime-acknowledged-by-majority.ts';
import { Bounded } from './checkers/anytime-bounded.ts';
import { DurableBeforeSaid } from './checkers/anytime-durable-before-said.ts';
import { Fenced } from './checkers/anytime-fenced.ts';
import { FencingToken } from './checkers/anytime-fencing-token.ts';
import { MajorityOnly } from './checkers/anytime-majority-only.ts';
import { OneCluster } from './checkers/anytime-one-cluster.ts';
import { OneVersion } from './checkers/anytime-one-version.ts';
import { RecalledFirst } from './checkers/anytime-recalled-first.ts';
import { SameLog } from './checkers/anytime-same-log.ts';
import { SameState } from './checkers/anytime-same-state.ts';
import { SealedHolder } from './checkers/anytime-sealed-holder.ts';
import { SoundPlacement } from './checkers/anytime-sound-placement.ts';
import { TaskInTime } from './checkers/anytime-task-in-time.ts';
import { WholeState } from './checkers/anytime-whole-state.ts';
import type { Checker } from './checkers/checker.ts';
import type { Ledger } from './ledger.ts';
import type { Operators } from './operators.ts';
import type { Plan } from './plan.ts';
import type { World } from './world.ts';

interface Judged {
  world: World;
  ledger: Ledger;
  operators: Operators;
  accepted: AcceptedLosses;
  plan: Plan;
  /** Those that others ask as well. */
  leaders: Checker;
  linearizable: Checker;
}

/** What judges every run, after every step. */
export function checkersOf({ world, ledger, operators, accepted, plan, leaders, linearizable }: Judged): Checker[] {
  const clockMs = (node: NodeId): number => world.clockMs(node);
  return [
    leaders,
    new OneCluster(),
    new SameLog(),
    new DurableBeforeSaid((node, key) => world.host(node).disk.read(key)),
    new SealedHolder(ledger),
    new Fenced(world, ledger, accepted),
    new SameState(),
    new WholeState(),
    new AcknowledgedByMajority(ledger),
    new SoundPlacement(ledger, {
      agentsMax: (node) => world.host(node).profile.agentsMax,
      capabilities: (node) => world.host(node).profile.capabilities,
      needs: (agent) => operators.needs(agent),
    }),
    new MajorityOnly(ledger, clockMs),
    new OneVersion(ledger),
    new FencingToken((node, agent, epoch) => world.host(node).runner?.token(agent, epoch)),
    new TaskInTime(clockMs),
    new RecalledFirst(),
    new Bounded(world, { ...defaultSettings, ...plan.settings }),
    linearizable,
  ];
}
