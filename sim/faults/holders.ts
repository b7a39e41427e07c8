import type { Message, NodeId } from '../../node/core/message.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import type { World } from '../world.ts';
import { acceptLoss } from './accepting.ts';
import { type Fault, fault, type Scene } from './fault.ts';
import { missMoves } from './missed-moves.ts';
import { crashFor, hosted, separate, soon, soonMs } from './moves.ts';

const { hostSilentMs } = defaultSettings;
/** An operator looks this often, and so long. */
const lookEveryMs = 50;
const pokeEveryMs = 100;
const moveEveryMs = 400;
/** Less than a voter waits for its leader before it stands for election. */
const unheardMs = 400;

/** An operator looks at the counters, and accepts the loss of exactly what he is shown of one that is stuck. */
function acceptLosses(scene: Scene): void {
  scene.world.act('fault', 'world', 'an operator looks for agents that are stuck');
  for (const [agent, { type }] of scene.losses.ledger.agents) if (type === 'counter') acceptLoss(scene, agent);
}

/** Until when such a fault is under way. */
const busy = new WeakMap<World, number>();

/** What is done to an agent, and by whom. */
interface Plot {
  agent: string;
  host: NodeId;
  leader: NodeId;
  /** To which the agent is moved: it hears nothing of those that are hidden either. */
  target: NodeId;
  hidden: readonly NodeId[];
  /** Lets the leader hear of the first of those that are hidden again. */
  show(): void;
}

/**
 * The leader, and nobody else, loses most holders of an agent; the agent is moved, of which the old host hears nothing;
 * and an operator accepts the loss. Now and then a disk is lost for good, and the leader dies in between.
 */
function loseHolders(scene: Scene): void {
  const { world, losses, random, lastsMs, mend } = scene;
  const { leader } = losses.ledger;
  // Two at once come in each other's way.
  if ((busy.get(world) ?? 0) > world.nowMs) return;
  for (const { agent, host, holders } of hosted(scene)) {
    const others = random.shuffle(holders.filter((node) => node !== host && node !== leader));
    // Just as many that the rest is no majority.
    const hidden = others.slice(0, Math.ceil(holders.length / 2));
    const left = world.nodes.filter((node) => !hidden.includes(node));
    // The host still helps to decide that the agent is to run elsewhere.
    if (leader === undefined || hidden.length * 2 < holders.length || !losses.isQuorum(new Set(left))) continue;
    world.act('fault', leader, `it loses ${hidden.join(', ')}, which hold ${agent} of ${host}`);
    busy.set(world, world.nowMs + 2 * hostSilentMs);
    hide(scene, { agent, host, holders, hidden });
    // One may never be seen again.
    const [first = ''] = hidden;
    const isLost = random.chance(0.2);
    mend(2 * hostSilentMs, () => isLost && losses.mayLose(first) && world.replace(first, lastsMs));
    return;
  }
}

interface Hiding {
  agent: string;
  host: NodeId;
  holders: readonly NodeId[];
  hidden: readonly NodeId[];
}

/** Whoever leads loses them, and once it has led for so long without them the agent is moved. */
function hide(scene: Scene, { agent, host, holders, hidden }: Hiding): void {
  const { world, losses, random, lastsMs } = scene;
  const [first = '', ...rest] = hidden;
  const afterMs = hostSilentMs * random.between(1.02, 1.2);
  const forMs = 2 * afterMs + lastsMs + hostSilentMs;
  const part = (nodes: readonly NodeId[], from: readonly NodeId[]): (() => void)[] => [
    separate(scene, nodes, from, forMs),
    separate(scene, from, nodes, forMs),
  ];
  const outside = world.nodes.filter((node) => node !== host && !holders.includes(node));
  const away = outside.length > 0 && random.chance(0.4) ? random.pick(outside) : undefined;
  const isLost = new Set<NodeId>();
  let shows: (() => void)[] = [];
  let leader: NodeId | undefined;
  let sinceMs = 0;
  const lose = (node: NodeId): void => {
    if (isLost.has(node)) return;
    isLost.add(node);
    part(rest, [node]);
    shows = [...shows, ...part([first], [node])];
  };
  const look = (): boolean => {
    const now = losses.ledger.leader;
    if (now !== leader) [leader, sinceMs] = [now, world.nowMs];
    if (leader !== undefined && leader !== host && !hidden.includes(leader)) lose(leader);
    return world.nowMs - sinceMs >= afterMs;
  };
  look();
  if (away !== undefined) lose(away);
  const show = (): void => shows.forEach((heal) => heal());
  soon(
    scene,
    look,
    () => {
      if (leader === undefined || leader === host || hidden.includes(leader)) return;
      moveUnheard(scene, { agent, host, leader, target: away ?? leader, hidden, show });
    },
    2 * afterMs,
  );
}

function moveUnheard(scene: Scene, plot: Plot): void {
  const { world, losses, random, lastsMs } = scene;
  const { agent, host, leader, target, hidden } = plot;
  if (world.host(leader).state !== 'running') return;
  world.act('fault', 'world', `an operator moves ${agent} away from ${host}`);
  moveAway(scene, plot);
  const isHeard = random.chance(0.1);
  whenSwitched(plot, scene, () => {
    // That it may go on elsewhere is the last that the old host hears of it in time.
    const deafTo = random.chance(0.5)
      ? [leader]
      : world.nodes.filter((node) => node !== host && !hidden.includes(node));
    if (!isHeard) separate(scene, [...new Set([...deafTo, target])], [host], lastsMs);
    const wentOnAt = (): number | undefined => losses.ledger.agents.get(agent)?.wentOnAt;
    const before = wentOnAt();
    const isDone = (): boolean => wentOnAt() !== before;
    for (let atMs = 0; atMs < hostSilentMs; atMs += pokeEveryMs) scene.mend(atMs, () => scene.poke(agent, host));
    if (target !== leader && random.chance(0.4)) return decideLate(scene, plot);
    // He thinks about it, and what he was shown is lost.
    if (target !== leader && random.chance(0.5)) return scene.mend(1_500, () => changeMind(scene, plot));
    const isEnough = losses.isQuorum(new Set(world.nodes.filter((node) => node !== host && !hidden.includes(node))));
    const onDecide = isEnough ? {} : { onDecide: plot.show };
    for (let atMs = 10; atMs < soonMs; atMs += lookEveryMs)
      scene.mend(atMs, () => {
        if (!isDone()) acceptLoss(scene, agent, { door: leader, thinkMs: 0, ...onDecide });
      });
    if (random.chance(0.4)) soon(scene, isDone, () => killLeader(scene));
  });
}

/** Asks again while the agent is moved for another reason. */
function moveAway(scene: Scene, plot: Plot, triesLeft = 5): void {
  const { agent, leader, target } = plot;
  scene.world.request(leader, { type: 'migrate', agent, target }, ({ outcome }) => {
    const isBusy = outcome?.ok === false && outcome.error.code === 'agentBusyMoving';
    if (isBusy && triesLeft > 0) scene.mend(moveEveryMs, () => moveAway(scene, plot, triesLeft - 1));
  });
}

/**
 * Once the host has said that the agent may be switched over, and has written down what the leader decided then: it does
 * not know yet that this is so.
 */
function whenSwitched({ agent, host, leader }: Plot, { world, isOver }: Scene, then: () => void): void {
  let isReady = isOver();
  let isDone = isReady;
  let sent = 0;
  const isOfHost = (node: NodeId, { type, body }: Message): boolean =>
    node === host && type === 'prepared' && body.agent === agent && body.reason === '';
  world.watch({
    sent(node, _cluster, message, to) {
      if (isDone || isOver()) return;
      if (isOfHost(node, message)) isReady = true;
      const { type, body } = message;
      if (!isReady) return;
      if (type === 'appendRequest' && node === leader && to === host)
        sent = Math.max(sent, body.entries.at(-1)?.index ?? 0);
      isDone = type === 'appendReply' && node === host && to === leader && sent > 0 && body.matchIndex >= sent;
      if (isDone) then();
    },
  });
}

/**
 * The node that the agent was moved to falls silent, and an operator decides just before the leader gives it up. What he
 * decided is not committed yet when the leader decides, too.
 */
function decideLate(scene: Scene, { agent, leader, target }: Plot): void {
  const { world, random, lastsMs, mend } = scene;
  // Until then it says what the holders have.
  mend(1_200, () => {
    separate(scene, [target], [leader], lastsMs);
    mend(hostSilentMs - random.between(20, 250), () => {
      if (world.host(leader).state !== 'running') return;
      const onDecide = (): void => void separate(scene, [leader], world.nodes, unheardMs);
      acceptLoss(scene, agent, { door: leader, thinkMs: 0, onDecide });
    });
  });
}

function changeMind(scene: Scene, { agent, leader }: Plot): void {
  const thinkMs = scene.random.pick([500, 1_500, 2_500]);
  acceptLoss(scene, agent, { door: leader, thinkMs, losesShown: true });
}

function killLeader(scene: Scene): void {
  const { leader } = scene.losses.ledger;
  if (leader !== undefined) crashFor(scene, leader, scene.lastsMs / 4);
}

/** What happens to those that hold an agent together, and what operators make of it. */
export const holderFaults = {
  holdersLost: fault(
    'partition',
    'the leader loses most holders of an agent, and its host does not hear that the agent goes on elsewhere',
    loseHolders,
    { everyMsMin: 4_000, everyMsMax: 12_000, lastsMsMin: 4_000, lastsMsMax: 12_000 },
  ),
  missedMoves: fault(
    'partition',
    'the host of an agent hears of no decision while the agent is moved away and back to it',
    missMoves,
    { everyMsMin: 8_000, everyMsMax: 25_000, lastsMsMin: 4_000, lastsMsMax: 12_000 },
  ),
  acceptLoss: fault(
    'operator',
    'an operator lets agents go on that have lost most of their holders, from what he is shown',
    acceptLosses,
    { everyMsMin: 2_000, everyMsMax: 10_000 },
  ),
} satisfies Record<string, Fault>;
