import type { Context } from './context.ts';
import type { Instance } from './instance.ts';
import type { HoldersOfAgent, MessageOf } from './message.ts';

const lookEveryMs = 1_000;
/** What has not changed is said again after this long. */
const sayEveryMs = 15_000;
const agentsPerReportMax = 1_024;

/** What an instance knows of its agent's holders. */
export function holdersOf({ assignment, recovery, replication, handover }: Instance): HoldersOfAgent {
  const { agent, epoch } = assignment;
  if (recovery?.isUnderWay) return { agent, epoch, sequence: 0, sealing: true, holders: recovery.seen() };
  const sequence = Math.max(0, replication.durableSequence());
  const movesAfter = handover.waitsForTask;
  const told = { agent, epoch, sequence, sealing: false, holders: replication.seen() };
  return movesAfter === undefined ? told : { ...told, movesAfter };
}

/**
 * Tells the leader what the holders of the agents here have: once a second while that changes, and now and then. Reports have
 * numbers, so that it knows whether one was lost.
 */
export class HolderReports {
  readonly #context: Context;
  readonly #instances: () => Iterable<Instance>;
  readonly #tell: (report: MessageOf<'holdersReport'>) => void;
  readonly #said = new Map<string, { what: string; atMs: number }>();
  #nextMs = 0;
  #number = 0;

  constructor(
    context: Context,
    instances: () => Iterable<Instance>,
    tell: (report: MessageOf<'holdersReport'>) => void,
  ) {
    this.#context = context;
    this.#instances = instances;
    this.#tell = tell;
  }

  /** Another leader knows nothing of it. */
  onLeadershipChanged(): void {
    this.#said.clear();
    this.#nextMs = 0;
    this.#number = 0;
  }

  /** An epoch has become active: whoever deployed an agent looks at it at once. */
  hurry(): void {
    this.#nextMs = 0;
  }

  #say(agents: HoldersOfAgent[]): void {
    this.#number += 1;
    this.#tell({ agents, number: this.#number });
  }

  tick(): void {
    const { nowMs } = this.#context;
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + lookEveryMs;
    const there = new Set<string>();
    let agents: HoldersOfAgent[] = [];
    for (const instance of this.#instances()) {
      const holders = holdersOf(instance);
      there.add(holders.agent);
      const what = essenceOf(holders);
      const said = this.#said.get(holders.agent);
      if (said?.what === what && nowMs - said.atMs < sayEveryMs) continue;
      this.#said.set(holders.agent, { what, atMs: nowMs });
      agents.push(holders);
      if (agents.length < agentsPerReportMax) continue;
      this.#say(agents);
      agents = [];
    }
    // With nothing new in it: what was said stands.
    if (there.size > 0) this.#say(agents);
    for (const agent of this.#said.keys()) if (!there.has(agent)) this.#said.delete(agent);
  }
}

/** What is worth saying: what was acknowledged, and who has it. */
function essenceOf({ epoch, sequence, sealing, holders, movesAfter = '' }: HoldersOfAgent): string {
  const each = holders.map(({ node, known, keepsPace, ...step }) => {
    const has = sealing ? `${step.epoch} ${step.sequence}` : step.sequence >= sequence;
    return `${node} ${known} ${keepsPace} ${has}`;
  });
  return [epoch, sequence, sealing, movesAfter, ...each].join();
}
