import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type * as Recoverer from '../recover/main.ts';
import { shortId } from './cluster-table.ts';
import { CommandRefused, UsageError } from './command-error.ts';
import { exitCodes, print, tableOf } from './output.ts';
import type { Session } from './session.ts';

const ownUrl = new URL('./recover.mjs', import.meta.url);
const builtUrl = new URL('../../dist/recover.mjs', import.meta.url);

const help = `
For a cluster that lost the majority of its voters for good: a new cluster, with an id of its own, goes on from the log
of the best surviving node. What only the lost nodes knew is lost. Stop every node first. Directories are those that
CONCLAVE_DATA names; of "conclave up --processes" they are .conclave/<cluster>/nodes/<node>/data.

Examples:
  conclave recover --inspect node-1/data node-4/data     which is the best survivor, and the command for it
  conclave recover --force-new-cluster node-1/data --and node-4/data --confirm 1a2b3c4d.AbCdEfGhIjKl

Interrupted, the same command completes it. The documents have it step by step: docs/operations.md.`;

interface Given {
  inspect?: boolean;
  forceNewCluster?: boolean;
  and?: string[];
  confirm?: string;
  forceThisOne?: boolean;
  acceptOlderState?: boolean;
}

/** Registers `conclave recover`. What works on the disks is a program beside this one, loaded when it is wanted. */
export function registerRecoverCommand(program: Command, session: Session): void {
  program
    .command('recover')
    .argument('<directory...>', 'data directories of stopped nodes')
    .description('make a new cluster of what is left when the majority of the voters is lost for good')
    .option('--inspect', 'say which is the best survivor; nothing that is stored changes')
    .option('--force-new-cluster', 'start again from the log in this one directory')
    .option('--and <directory...>', 'other survivors, which follow it and keep the state of agents that they hold')
    .option('--confirm <cluster-id>', 'the id of the lost cluster, to say that it is meant')
    .option('--accept-older-state', 'agents most of whose holders are lost go on from what the others hold')
    .option('--force-this-one', 'although the log of another one of those given is longer')
    .addHelpText('after', help)
    .action((directories: string[], given: Given) =>
      session.run(async ({ json }) => {
        checkUsage(directories, given);
        const url = existsSync(ownUrl) ? ownUrl : builtUrl;
        const recoverer = (await import(url.href)) as typeof Recoverer;
        if (given.inspect) {
          const inspection = await recoverer.inspect(directories);
          print(session.console, json, inspectionJson(inspection), () => inspectionText(inspection));
          if (inspection.best === undefined) session.exitCode = exitCodes.failed;
          return;
        }
        const recovery = await recover(recoverer, directories[0] ?? '', given);
        print(session.console, json, { ok: true, ...recovery }, () => recoveryText(recovery));
      }),
    );
}

function checkUsage(directories: readonly string[], { inspect, forceNewCluster, and, confirm }: Given): void {
  const wrong = (what: string): UsageError =>
    new UsageError(`${what} Nothing was changed. See "conclave help recover".`);
  if (inspect === forceNewCluster) throw wrong('Give one of "--inspect" and "--force-new-cluster".');
  if (inspect && (and !== undefined || confirm !== undefined)) {
    throw wrong('"--and" and "--confirm" belong to "--force-new-cluster": "--inspect" takes directories alone.');
  }
  if (forceNewCluster && directories.length !== 1) {
    throw wrong('"--force-new-cluster" starts from one directory: name the other survivors with "--and".');
  }
}

async function recover(
  recoverer: typeof Recoverer,
  directory: string,
  { and = [], confirm, forceThisOne = false, acceptOlderState = false }: Given,
): Promise<Recoverer.Recovery> {
  const nonce = randomBytes(4).toString('hex');
  try {
    const chosen = { directory, others: and, confirm, forceThisOne, acceptOlderState };
    return await recoverer.recover({ ...chosen, atMs: Date.now(), nonce });
  } catch (error) {
    const { RecoverRefused, RecoverIncomplete, IdentityDamaged } = recoverer;
    const { StoreBusy, StoreDamaged, StoreFull, StoreOutdated, StoreUnavailable } = recoverer;
    const known = [RecoverRefused, RecoverIncomplete, IdentityDamaged, StoreBusy, StoreDamaged, StoreFull];
    if (![...known, StoreOutdated, StoreUnavailable].some((kind) => error instanceof kind)) throw error;
    throw new CommandRefused((error as Error).message);
  }
}

// ---- what is printed ----

function inspectionJson({ inspected, best, command, advice }: Recoverer.Inspection) {
  const survivors = inspected.map(({ directory, survivor, problem }) => ({
    directory,
    node: survivor?.node ?? null,
    name: survivor?.name ?? null,
    cluster: survivor?.cluster ?? null,
    term: survivor?.term ?? null,
    last_term: survivor?.lastTerm ?? null,
    last_index: survivor?.lastIndex ?? null,
    voters: survivor?.voters ?? null,
    learners: survivor?.learners ?? null,
    problem: problem ?? null,
  }));
  return { survivors, best: best?.directory ?? null, command: command ?? null, advice };
}

function inspectionText({ inspected, best, command, advice }: Recoverer.Inspection): string {
  const head = ['node', 'id', 'cluster', 'term', 'log ends at', 'voters by its log', 'state', 'directory'];
  const rows = inspected.map(({ directory, survivor }) => {
    if (survivor === undefined) return ['-', '-', '-', '-', '-', '-', 'cannot be used', directory];
    const { name, node, cluster, term, lastTerm, lastIndex, voters, names } = survivor;
    const end = lastIndex === 0 ? '-' : `term ${lastTerm}, index ${lastIndex}`;
    const who = voters.map((voter) => names[voter] ?? shortId(voter)).join(' ');
    const state = survivor === best ? 'best survivor' : 'whole';
    return [name, shortId(node), cluster || '-', String(term), end, who || '-', state, directory];
  });
  const problems = inspected.flatMap(({ problem }) => problem ?? []);
  const next = command === undefined ? [] : ['', `  conclave ${command.map(quoted).join(' ')}`];
  return [tableOf(head, rows), ...problems, advice, ...next].join('\n');
}

function recoveryText({ name, from, cluster, followers, lostVoters, resumed }: Recoverer.Recovery): string {
  const others = followers.length === 0 ? '' : ` and ${followers.map(shortId).join(', ')}`;
  return [
    `Cluster ${from} is recovered as ${cluster}${resumed ? '; a recovery that was begun is complete' : ''}.`,
    `Next: start ${name}${others}. "conclave events" has the recovery in the audit trail.`,
    `Should a lost node${lostVoters.length === 0 ? '' : ` (${lostVoters.join(', ')})`} turn up, empty its data directory before it starts: it joins as a new one.`,
  ].join('\n');
}

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
