import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { bookAfter, differences, expectedStatistics, type Tick } from '../examples/reference.ts';

type Line =
  | { what: 'sent'; agent: string; task: string; tick: Tick }
  | { what: 'acknowledged'; agent: string; task: string; tries: number; tookMs: number }
  | { what: 'refused'; agent: string; task: string; why: string };

/** What a client gave to agents and what it was told, a line of a file each, written before and after. */
export class TaskLedger {
  readonly file: string;
  readonly #descriptor: number;

  constructor(file: string) {
    this.file = file;
    this.#descriptor = openSync(file, 'wx');
  }

  write(line: Line): void {
    writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  remove(): void {
    rmSync(this.file, { force: true });
  }
}

export interface Account {
  /** In the order of their acknowledgements, which is the order of each symbol's. */
  acknowledged: { task: string; tick: Tick }[];
  /** Sent, and never answered. */
  open: string[];
  /** For good. */
  refused: string[];
}

/** Reads a ledger back. Throws when it holds two answers to a task. */
export function readAccounts(file: string): Map<string, Account> {
  type Reading = Omit<Account, 'open'> & { sent: Map<string, Tick> };
  const accounts = new Map<string, Reading>();
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    const account: Reading = accounts.get(line.agent) ?? { acknowledged: [], refused: [], sent: new Map() };
    accounts.set(line.agent, account);
    if (line.what === 'sent') {
      account.sent.set(line.task, line.tick);
      continue;
    }
    const tick = account.sent.get(line.task);
    if (tick === undefined) throw new Error(`${line.agent}: task ${line.task} was answered twice, or never sent`);
    account.sent.delete(line.task);
    if (line.what === 'acknowledged') account.acknowledged.push({ task: line.task, tick });
    else account.refused.push(`${line.task}: ${line.why}`);
  }
  return new Map([...accounts].map(([agent, { sent, ...rest }]) => [agent, { ...rest, open: [...sent.keys()] }]));
}

export interface Comparison {
  /** Acknowledged tasks that the states do not have. */
  lost: number;
  /** What the states have beyond that. */
  doubled: number;
  /** A line for each thing that is not as it must be. */
  problems: string[];
}

/** Compares the final states of agents with what their client was told. */
export async function compare(
  accounts: ReadonlyMap<string, Account>,
  states: ReadonlyMap<string, unknown>,
): Promise<Comparison> {
  const found: Comparison = { lost: 0, doubled: 0, problems: [] };
  for (const [agent, { acknowledged, open, refused }] of accounts) {
    for (const task of open) found.problems.push(`${agent}: task ${task} was never answered`);
    for (const why of refused) found.problems.push(`${agent}: refused ${why}`);
    const ticks = acknowledged.map(({ tick }) => tick);
    const state = states.get(agent) as Record<string, { count: number }> | undefined;
    for (const [symbol, { count }] of expectedStatistics(ticks)) {
      const kept = state?.[symbol]?.count ?? 0;
      found.lost += Math.max(0, count - kept);
      found.doubled += Math.max(0, kept - count);
    }
    for (const difference of differences(state, expectedStatistics(ticks)))
      found.problems.push(`${agent}: ${difference}`);
    if (JSON.stringify(state) !== JSON.stringify(await bookAfter(ticks))) {
      found.problems.push(`${agent}: its state is not the one that these tasks lead to, to the last bit`);
    }
  }
  return found;
}
