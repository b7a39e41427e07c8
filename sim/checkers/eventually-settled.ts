import type { StatusView } from '../../node/core/operation.ts';
import type { Asked, World } from '../world.ts';

const pollMs = 100;
const answerWithinMs = 1_000;

/**
 * After the faults: one leader, equal member views, every wanted agent running exactly once on a living node, and no
 * instance that nobody wants. Returns how long it took, ms; throws with the last reason when it takes longer.
 */
export function awaitSettled(world: World, wanted: readonly string[], withinMs: number): number {
  const startMs = world.nowMs;
  let reason = 'nothing was asked';
  while (world.nowMs - startMs < withinMs) {
    const asked = world.running.map((node) => world.request(node, { type: 'status' }));
    const endMs = world.nowMs + answerWithinMs;
    while (world.nowMs < endMs && asked.some(({ state }) => state === 'waiting')) world.runFor(pollMs / 10);
    const wrong = whatIsWrong(world, wanted, asked);
    if (wrong === undefined) return world.nowMs - startMs;
    reason = wrong;
    world.runFor(pollMs);
  }
  throw world.failure(`not settled within ${withinMs} ms: ${reason}`);
}

function whatIsWrong(world: World, wanted: readonly string[], asked: readonly Asked[]): string | undefined {
  const views: StatusView[] = [];
  for (const { node, outcome } of asked) {
    if (outcome?.ok !== true) return `${node} does not tell its status`;
    views.push(outcome.result as StatusView);
  }
  const [first] = views;
  if (first === undefined) return 'no node runs';
  const picture = pictureOf(first);
  for (const view of views) {
    const problem = whatIsWrongIn(world, wanted, view);
    if (problem !== undefined) return `${view.self}: ${problem}`;
    const other = pictureOf(view);
    if (other !== picture) return `${first.self} sees ${picture}, ${view.self} sees ${other}`;
  }
  return whatIsWrongWithInstances(world, wanted, first);
}

/** What all nodes must agree on. */
function pictureOf(view: StatusView): string {
  const members = view.nodes.map(({ id, membership, voter }) => `${id} ${membership}${voter ? ' voter' : ''}`).sort();
  const agents = view.agents.map(({ id, host, epoch }) => `${id} on ${host} in ${epoch}`).sort();
  return [`leader ${view.leader?.id} of term ${view.leader?.term}`, ...members, ...agents].join(', ');
}

function whatIsWrongIn(world: World, wanted: readonly string[], view: StatusView): string | undefined {
  const { running } = world;
  if (view.mode !== 'quorum') return 'it hears no majority';
  if (view.leader === undefined || !running.includes(view.leader.id)) return `leader ${view.leader?.id} does not run`;
  for (const node of running) {
    const seen = view.nodes.find(({ id }) => id === node);
    if (seen?.status !== 'active') return `it sees ${node}, which runs, as ${seen?.status}`;
  }
  for (const { id, membership } of view.nodes) {
    if (membership === 'alive' && !running.includes(id)) return `it sees ${id}, which does not run, as alive`;
  }
  for (const id of wanted) {
    const agent = view.agents.find((candidate) => candidate.id === id);
    if (agent?.status !== 'active') return `agent ${id} is ${agent?.status ?? 'unknown'}: ${agent?.reason}`;
  }
  if (view.agents.length !== wanted.length) return `${view.agents.length} agents, ${wanted.length} are wanted`;
  return undefined;
}

function whatIsWrongWithInstances(world: World, wanted: readonly string[], view: StatusView): string | undefined {
  const instances = world.instances();
  for (const id of wanted) {
    const there = instances.filter(({ agent }) => agent === id);
    const host = view.agents.find((agent) => agent.id === id)?.host;
    if (there.length !== 1 || there[0]?.node !== host) {
      return `instances of ${id}: ${there.map(({ node, epoch }) => `${node} in ${epoch}`).join(', ') || 'none'}`;
    }
  }
  const orphan = instances.find(({ agent }) => !wanted.includes(agent));
  return orphan && `an instance of ${orphan.agent} runs on ${orphan.node}, nobody wants it`;
}
