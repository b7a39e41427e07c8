import Table from 'cli-table3';
import { createColors } from 'picocolors';
import { FleetError } from '../../docker/fleet.ts';
import { CallRefused, ClusterUnreachable, CommandRefused, UsageError } from './command-error.ts';
import type { Console } from './up.ts';

/** Exit codes of the command line; docs/cli.md explains them. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3 };

/** Only for a terminal, and not for those who asked for none (no-color.org). */
export const colors = createColors(process.stdout.isTTY === true && !process.env['NO_COLOR']);

/** A table with a head and no lines between the rows. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: head.map((title) => colors.bold(title)),
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: colors.isColorSupported ? ['gray'] : [] },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** Prints an object for programs or text for people. */
export function print(console: Console, json: boolean | undefined, value: unknown, text: () => string): void {
  console.out.write(json ? `${JSON.stringify(value)}\n` : `${text()}\n`);
}

/** What a node says while the cluster as a whole cannot be reached through it. */
const unreachableCodes = new Set(['leaderUnknown', 'notLeader', 'notMember']);

/**
 * Says on the error stream what went wrong, for programs also as an object on the other; returns the exit code. Faults
 * of the program itself pass through.
 */
export function printError(console: Console, json: boolean | undefined, error: unknown): number {
  const known = [CallRefused, ClusterUnreachable, CommandRefused, FleetError, UsageError].some(
    (kind) => error instanceof kind,
  );
  if (!known) throw error;
  const { message } = error as Error;
  const body = error instanceof CallRefused ? error.body : { message };
  if (json) console.out.write(`${JSON.stringify({ ok: false, error: body })}\n`);
  console.err.write(`${error instanceof CallRefused ? `${error.body.code}: ` : ''}${message}\n`);
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof FleetError) return error.exitCode;
  if (error instanceof CommandRefused) return exitCodes.failed;
  const unreachable = error instanceof CallRefused ? unreachableCodes.has(error.body.code) : true;
  return unreachable ? exitCodes.unreachable : exitCodes.failed;
}
