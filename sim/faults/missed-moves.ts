import type { NodeId } from '../../node/core/message.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import type { Scene } from './fault.ts';
import { crashFor, hosted, separate, soon } from './moves.ts';

const { hostSilentMs } = defaultSettings;
/** Decisions enough for a snapshot to take the place of the log, where that is done early. */
const decisions = 60;
const nothing = new Uint8Array(0);

interface Plot {
  agent: string;
  host: NodeId;
  /** Lets the host hear the others again. */
  heal(): void;
}

/**
 * The host of an agent speaks and does not hear, so that its agent goes on elsewhere. Then another leader, which has not
 * missed it yet, gives it the agent once more: it learns of both at once, from a snapshot where the log is short.
 */
export function missMoves(scene: Scene): void {
  const { world, losses, lastsMs } = scene;
  const [found] = hosted(scene);
  if (found === undefined) return;
  const { agent, host } = found;
  const others = world.nodes.filter((node) => node !== host);
  if (!losses.isQuorum(new Set(others))) return;
  world.act('fault', host, `it hears of no decision about ${agent}`);
  const heal = separate(scene, others, [host], 2 * hostSilentMs + lastsMs);
  const isElsewhere = (): boolean => (losses.ledger.agents.get(agent)?.active?.host ?? host) !== host;
  soon(scene, isElsewhere, () => changeLeader(scene, { agent, host, heal }), 2 * hostSilentMs);
}

function changeLeader(scene: Scene, plot: Plot): void {
  const { world, losses, operators, random } = scene;
  const { ledger } = losses;
  const { agent, host } = plot;
  const now = ledger.agents.get(agent)?.active?.host ?? host;
  const leads = ledger.leader;
  const next = random.shuffle(ledger.voters.filter((node) => ![host, now, leads].includes(node)))[0];
  if (next === undefined) return;
  // What it did there is not to be forgotten.
  for (let atMs = 0; atMs < 500; atMs += 100) scene.mend(atMs, () => scene.poke(agent, now));
  scene.mend(600, () => {
    world.act('fault', 'world', `an operator wants ${next} to lead`);
    operators.ask({ type: 'lead', node: next });
    soon(
      scene,
      () => ledger.leader !== leads,
      () => giveBack(scene, plot, now),
    );
  });
}

function giveBack(scene: Scene, { agent, host, heal }: Plot, now: NodeId): void {
  const { losses, operators, lastsMs } = scene;
  crashFor(scene, now, lastsMs / 2);
  const isBack = (): boolean => losses.ledger.agents.get(agent)?.placement?.host === host;
  soon(scene, isBack, () => {
    for (let i = 0; i < decisions; i++) operators.ask({ type: 'kvPut', key: 'busy', value: nothing });
    scene.mend(300, heal);
  });
}
