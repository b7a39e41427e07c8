import type { NodeId } from '../../node/core/message.ts';
import type { AgentView, Results } from '../../node/core/operation.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { Violation } from '../checkers/checker.ts';
import { anyRunning, type Fault, fault, type Scene } from './fault.ts';

const lookMs = 5;
const watchMs = 4_000;

/** Counters whose epoch is active, that have holders beside their host. */
function hosted({ world, losses, random }: Scene) {
  return random.shuffle([...losses.ledger.agents]).flatMap(([agent, { type, active, placement }]) => {
    if (type !== 'counter' || active === undefined || active !== placement || active.holders.length < 2) return [];
    // Who leads would be no leader any more when it hears nothing.
    if (active.host === losses.ledger.leader) return [];
    return world.host(active.host).state === 'running' ? [{ agent, ...active }] : [];
  });
}

/** An operator looks at the counters, and accepts the loss of exactly what he is shown of one that is stuck. */
function acceptLosses(scene: Scene): void {
  scene.world.act('fault', 'world', 'an operator looks for agents that are stuck');
  for (const [agent, { type }] of scene.losses.ledger.agents) if (type === 'counter') acceptLoss(scene, agent);
}

function acceptLoss(scene: Scene, agent: string, door = anyRunning(scene)): void {
  const { world, random } = scene;
  if (door === undefined || world.host(door).state === 'off') return;
  world.request(door, { type: 'agent', agent, consistency: 'leader' }, ({ outcome }) => {
    const { stuck } = outcome?.ok === true ? (outcome.result as AgentView) : {};
    const [best] = stuck?.survivors ?? [];
    if (stuck === undefined || best === undefined) return;
    const shown = random.chance(0.8) ? best : random.pick(stuck.survivors);
    const { node: from, epoch, sequence } = shown;
    // Whoever looked may think about it.
    scene.mend(random.pick([0, 0, 20, 1_000]), () => {
      const by = anyRunning(scene);
      if (by === undefined) return;
      world.act('fault', 'world', `an operator lets ${agent} go on from step ${sequence} of epoch ${epoch} at ${from}`);
      world.request(by, { type: 'recoverAgent', agent, epoch, sequence, from }, (asked) => {
        if (asked.outcome?.ok !== true) return;
        const told = asked.outcome.result as Results['recoverAgent'];
        if (told.from === from && told.epoch === epoch && told.sequence === sequence) return;
        const what = `${agent} went on from step ${told.sequence} of epoch ${told.epoch} at ${told.from}`;
        throw new Violation('anytime-loss-as-shown', `${what}, and an operator accepted step ${sequence} of ${epoch}`);
      });
    });
  });
}

/** Does something as soon as it is time for it, if that comes soon. */
function watch(scene: Scene, isTime: () => boolean, then: () => void, forMs = watchMs): void {
  if (isTime()) then();
  else if (forMs > 0) scene.mend(lookMs, () => watch(scene, isTime, then, forMs - lookMs));
}

/** One way, or both. */
function separate(scene: Scene, from: readonly NodeId[], to: readonly NodeId[], forMs: number): void {
  const { world } = scene;
  const cuts = from.flatMap((one) => to.map((other) => world.cut(one, other)));
  scene.mend(forMs, () => cuts.forEach((cut) => world.mend(cut)));
}

/**
 * The leader, and nobody else, loses most holders of an agent; the agent is moved to it, of which the old host hears nothing;
 * and an operator accepts the loss. Now and then a disk is lost for good, and the leader dies in between.
 */
function loseHolders(scene: Scene): void {
  const { world, losses, random, lastsMs } = scene;
  const { leader } = losses.ledger;
  for (const { agent, host, holders } of hosted(scene)) {
    const others = random.shuffle(holders.filter((node) => node !== host && node !== leader));
    // Just as many that the rest is no majority.
    const hidden = others.slice(0, Math.ceil(holders.length / 2));
    const left = world.nodes.filter((node) => node !== host && !hidden.includes(node));
    if (leader === undefined || hidden.length * 2 < holders.length || !losses.isQuorum(new Set(left))) continue;
    const afterMs = defaultSettings.hostSilentMs * random.between(1.05, 1.5);
    world.act('fault', leader, `it loses ${hidden.join(', ')}, which hold ${agent} of ${host}`);
    separate(scene, hidden, [leader], afterMs + lastsMs);
    separate(scene, [leader], hidden, afterMs + lastsMs);
    // One may never be seen again.
    const [lost] = hidden;
    const isLost = random.chance(0.2);
    scene.mend(afterMs + lastsMs / 2, () => isLost && lost && losses.mayLose(lost) && world.replace(lost, lastsMs));
    scene.mend(afterMs, () => moveUnheard(scene, { agent, host, leader }));
    return;
  }
}

interface Move {
  agent: string;
  host: NodeId;
  leader: NodeId;
}

function moveUnheard(scene: Scene, { agent, host, leader }: Move): void {
  const { world, losses, random, lastsMs, mend } = scene;
  if (world.host(leader).state !== 'running') return;
  world.act('fault', 'world', `an operator moves ${agent} away from ${host}`);
  world.request(leader, { type: 'migrate', agent, target: leader });
  const wentOnAt = (): number | undefined => losses.ledger.agents.get(agent)?.wentOnAt;
  const before = wentOnAt();
  let isReady = scene.isOver();
  world.watch({
    sent(node, _cluster, message) {
      if (isReady || scene.isOver() || node !== host || message.type !== 'prepared' || message.body.agent !== agent)
        return;
      isReady = true;
      // That it may go on elsewhere is the last that the leader hears of it in time.
      if (random.chance(0.9)) separate(scene, [leader], [host], lastsMs);
      for (let atMs = 50; atMs < watchMs; atMs += 100)
        mend(atMs, () => {
          if (wentOnAt() === before) acceptLoss(scene, agent, leader);
        });
      if (random.chance(0.3))
        watch(
          scene,
          () => wentOnAt() !== before,
          () => killLeader(scene),
        );
    },
  });
}

function killLeader({ world, losses, lastsMs, mend }: Scene): void {
  const { leader } = losses.ledger;
  if (leader === undefined || world.host(leader).state !== 'running') return;
  world.crash(leader);
  mend(lastsMs / 4, () => {
    if (!world.gone.has(leader) && world.host(leader).state === 'off') world.restart(leader);
  });
}

/** What happens to those that hold an agent together, and what operators make of it. */
export const holderFaults = {
  holdersLost: fault(
    'partition',
    'the leader loses most holders of an agent, and its host does not hear that the agent goes on elsewhere',
    loseHolders,
    { everyMsMin: 6_000, everyMsMax: 20_000, lastsMsMin: 4_000, lastsMsMax: 12_000 },
  ),
  acceptLoss: fault(
    'operator',
    'an operator lets agents go on that have lost most of their holders, from what he is shown',
    acceptLosses,
    { everyMsMin: 2_000, everyMsMax: 10_000 },
  ),
} satisfies Record<string, Fault>;
