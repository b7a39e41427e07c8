import type { CrashLoop } from './crash-loop.ts';
import type { Decisions } from './decisions.ts';
import type { MessageOf, NodeId } from './message.ts';
import { crashLoopFailures } from './restarts.ts';
import { limits } from './settings.ts';

/** Failures in a row: those at the host of an epoch, and those in the epochs before. */
interface Row {
  epoch: number;
  earlier: number;
  failures: number;
  placements: number;
}

/** What the leader makes of the failures that hosts tell it: the log says which agents are in a crash loop. */
export class CrashLoops {
  readonly #decisions: Decisions;
  /** Time until this leader places an agent anew that was given up, ms. */
  readonly #waitsMs: (agent: string) => number;
  /** The log knows only of those that are in a loop. */
  readonly #rows = new Map<string, Row>();
  readonly #proposed = new Set<string>();

  constructor(decisions: Decisions, waitsMs: (agent: string) => number) {
    this.#decisions = decisions;
    this.#waitsMs = waitsMs;
  }

  reset(): void {
    this.#rows.clear();
    this.#proposed.clear();
  }

  /** The host of an agent says how often it has failed in a row there; 0: a start has held. */
  onAiling(from: NodeId, { agent: id, epoch, failures, reason, retryInMs }: MessageOf<'ailing'>): void {
    const agent = this.#decisions.state.agents.get(id);
    if (agent?.placement?.host !== from || agent.placement.epoch !== epoch || !this.#decisions.isReady()) return;
    const { crashLoop } = agent;
    if (failures === 0) {
      this.#rows.delete(id);
      if (crashLoop !== undefined) this.#propose({ kind: 'agentHealed', agent: id, epoch });
      return;
    }
    const row = rowAfter(this.#rows.get(id) ?? rowIn(crashLoop), epoch, failures);
    this.#rows.set(id, row);
    const total = row.earlier + failures;
    if (total < crashLoopFailures || total <= (crashLoop?.failures ?? 0)) return;
    const waitMs = Math.round(Math.max(retryInMs, this.#waitsMs(id)));
    const told = reason.slice(0, limits.reasonLengthMax);
    const { earlier, placements } = row;
    const fields = { agent: id, epoch, failures: total, earlier, placements, reason: told, retryInMs: waitMs };
    this.#propose({ kind: 'agentCrashLooping', ...fields });
  }

  #propose(draft: CrashLoopDraft): void {
    if (this.#proposed.has(draft.agent)) return;
    this.#proposed.add(draft.agent);
    this.#decisions.propose(draft, () => void this.#proposed.delete(draft.agent));
  }

  tick(): void {
    const { agents } = this.#decisions.state;
    for (const id of this.#rows.keys()) if (!agents.has(id)) this.#rows.delete(id);
  }
}

type CrashLoopDraft = Parameters<Decisions['propose']>[0] & { agent: string };

const rowIn = (loop: CrashLoop | undefined): Row | undefined =>
  loop && {
    ...{ epoch: loop.epoch, earlier: loop.earlier, failures: loop.failures - loop.earlier },
    placements: loop.placements ?? 0,
  };

function rowAfter(row: Row | undefined, epoch: number, failures: number): Row {
  if (row === undefined) return { epoch, earlier: 0, failures, placements: 0 };
  if (row.epoch === epoch) return { ...row, failures };
  return { epoch, earlier: row.earlier + row.failures, failures, placements: row.placements + 1 };
}
