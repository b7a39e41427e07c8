import Table from 'cli-table3';
import colors from 'picocolors';
import { FleetError } from '../../docker/fleet.ts';
import { CallRefused, ClusterUnreachable } from './client.ts';
import type { Console } from './up.ts';

/** Exit codes of the command line; see docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3 };

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

/** Prints what went wrong and returns the exit code. Faults of the program itself pass through. */
export function printError(console: Console, json: boolean | undefined, error: unknown): number {
  const refused = error instanceof CallRefused;
  if (!refused && !(error instanceof ClusterUnreachable) && !(error instanceof FleetError)) throw error;
  const body = refused ? error.body : { message: error.message };
  if (json) console.out.write(`${JSON.stringify({ ok: false, error: body })}\n`);
  else console.err.write(`${refused ? `${colors.red(error.body.code)}: ` : ''}${error.message}\n`);
  if (error instanceof ClusterUnreachable) return exitCodes.unreachable;
  return error instanceof FleetError ? error.exitCode : exitCodes.failed;
}
