import type { StuckView } from '../../node/core/holder-views.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { AgentView, Results } from '../../node/core/operation.ts';
import { Violation } from '../checkers/checker.ts';
import { anyRunning, type Scene } from './fault.ts';
import { crashFor } from './moves.ts';

/** How an operator goes about it. */
export interface Ways {
  /** The node that he looks and decides at; any when omitted. */
  door?: NodeId;
  /** How long he thinks about what he saw, ms; drawn when omitted. */
  thinkMs?: number;
  /** The node that has what he was shown dies while he thinks; drawn when omitted. */
  losesShown?: boolean;
  /** He is about to decide. */
  onDecide?(): void;
}

type Survivor = StuckView['survivors'][number];

/** An operator looks at an agent and, if it is stuck, lets it go on from exactly what he is shown. */
export function acceptLoss(scene: Scene, agent: string, ways: Ways = {}): void {
  const { world, random } = scene;
  const { door = anyRunning(scene) } = ways;
  if (door === undefined || world.host(door).state === 'off') return;
  world.request(door, { type: 'agent', agent, consistency: 'leader' }, ({ outcome }) => {
    const { stuck } = outcome?.ok === true ? (outcome.result as AgentView) : {};
    const [best] = stuck?.survivors ?? [];
    if (stuck === undefined || best === undefined || scene.isOver()) return;
    const shown = random.chance(0.8) ? best : random.pick(stuck.survivors);
    const { thinkMs = random.pick([0, 0, 20, 1_000, 2_500]) } = ways;
    // What he was shown may be gone by the time that he has made up his mind.
    const { losesShown = ways.thinkMs === undefined && thinkMs > 0 && random.chance(0.3) } = ways;
    if (losesShown) loseShown(scene, shown, thinkMs);
    scene.mend(thinkMs, () => decide(scene, agent, shown, { ...ways, isNamed: shown !== best || random.chance(0.7) }));
  });
}

function loseShown(scene: Scene, { node }: Survivor, withinMs: number): void {
  scene.mend(withinMs / 4, () => crashFor(scene, node, withinMs + scene.lastsMs / 2));
}

/** `isNamed`: he says at which node; else he takes the newest there is, if that is still what he was shown. */
function decide(scene: Scene, agent: string, shown: Survivor, ways: Ways & { isNamed: boolean }): void {
  const { world } = scene;
  const { door = anyRunning(scene), isNamed, onDecide } = ways;
  if (door === undefined || world.host(door).state === 'off') return;
  const { node: from, epoch, sequence } = shown;
  world.act('fault', 'world', `an operator lets ${agent} go on from step ${sequence} of epoch ${epoch} at ${from}`);
  onDecide?.();
  const step = { agent, epoch, sequence, ...(isNamed && { from }) };
  world.request(door, { type: 'recoverAgent', ...step }, ({ outcome }) => {
    if (outcome?.ok !== true) return;
    const told = outcome.result as Results['recoverAgent'];
    if ((told.from === from || !isNamed) && told.epoch === epoch && told.sequence === sequence) return;
    const what = `${agent} went on from step ${told.sequence} of epoch ${told.epoch} at ${told.from}`;
    throw new Violation(
      'anytime-loss-as-shown',
      `${what}, and an operator accepted step ${sequence} of ${epoch} at ${from}`,
    );
  });
}
