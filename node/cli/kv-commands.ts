import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Results } from '../core/operation.ts';
import type { Client, RawAnswer } from './client.ts';
import { UsageError } from './command-error.ts';
import { print, tableOf } from './output.ts';
import type { Session } from './session.ts';
import { whole } from './whole-number.ts';

const indexMax = 999_999_999_999_999;
/** Ten times as many as the cluster takes keys. */
const pagesMax = 100;

type Listed = Results['kvList']['keys'][number];

const pathOf = (key: string, query: Record<string, string | number | undefined> = {}): string =>
  `/${key.split('/').map(encodeURIComponent).join('/')}${queryOf(query)}`;

function queryOf(query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

const parsed = <T>({ bytes }: RawAnswer): T => JSON.parse(bytes.toString('utf8')) as T;

/** The commands that are about keys and values. */
export function registerKvCommands(program: Command, session: Session): void {
  const kv = program
    .command('kv')
    .description('settings and small facts that agents and operators share')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave kv put config/limit 100\n  conclave kv get config/limit\n  conclave kv list config/\n' +
        '  conclave kv put jobs/leader me --if-index 0      # only if nobody was first',
    );
  registerReads(kv, session);
  registerWrites(kv, session);
}

function registerReads(kv: Command, session: Session): void {
  const { console } = session;
  kv.command('get')
    .argument('<key>')
    .description('print a value')
    .option('--consistency <how>', 'linearizable, leader or stale', 'linearizable')
    .action((key: string, { consistency }: { consistency: string }) =>
      session.withClient(async (client, { json }) => {
        const { bytes, headers } = await client.kv('GET', pathOf(key, { consistency }));
        if (json)
          print(console, json, { key, index: Number(headers['conclave-index']), ...textOrBase64(bytes) }, () => '');
        // As it is: it may be for a file.
        else console.out.write(bytes);
      }),
    );
  kv.command('list')
    .argument('[prefix]', 'beginning of the keys', '')
    .description('the keys')
    .action((prefix: string) =>
      session.withClient(async (client, { json }) => {
        const keys = await listAll(client, prefix);
        const rows = keys.map(({ key, index, bytes }) => [key, String(index), String(bytes)]);
        print(console, json, { keys }, () =>
          rows.length === 0 ? 'No keys.' : tableOf(['key', 'index', 'bytes'], rows),
        );
      }),
    );
}

function registerWrites(kv: Command, session: Session): void {
  const { console } = session;
  const condition = ['--if-index <index>', 'only if the key was last changed there; 0: if it does not exist'] as const;
  kv.command('put')
    .argument('<key>')
    .argument('[value]', 'the value, when it does not come from a file')
    .description('write a value of at most 64 KiB')
    .option('--file <path>', 'take the value from a file, "-" is standard input')
    .option(...condition, whole(0, indexMax))
    .addHelpText(
      'after',
      '\nExamples:\n  conclave kv put config/limit 100\n  conclave kv put config/rules --file rules.json',
    )
    .action((key: string, value: string | undefined, { file, ifIndex }: { file?: string; ifIndex?: number }) =>
      session.withClient(async (client, { json }) => {
        const body = await readValue(value, file);
        const path = pathOf(key, { 'if-index': ifIndex });
        const answer = parsed<Results['kvPut']>(await client.kv('PUT', path, body));
        print(console, json, answer, () => `${answer.key} is written at index ${answer.index}.`);
      }),
    );
  kv.command('delete')
    .argument('<key>')
    .description('remove a key')
    .option(...condition, whole(0, indexMax))
    .action((key: string, { ifIndex }: { ifIndex?: number }) =>
      session.withClient(async (client, { json }) => {
        const answer = parsed<Results['kvDelete']>(await client.kv('DELETE', pathOf(key, { 'if-index': ifIndex })));
        print(console, json, answer, () => (answer.deleted ? `${key} is deleted.` : `There was no ${key}.`));
      }),
    );
}

async function listAll(client: Client, prefix: string): Promise<Listed[]> {
  const keys: Listed[] = [];
  let after: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const answer = await client.kv('GET', queryOf({ prefix, after }));
    const { keys: more, next } = parsed<{ keys: Listed[]; next: string | null }>(answer);
    keys.push(...more);
    if (next === null) break;
    after = next;
  }
  return keys;
}

/** Throws `UsageError` when there is not exactly one value, or its file cannot be read. */
async function readValue(value: string | undefined, file: string | undefined): Promise<Uint8Array> {
  if ((value === undefined) === (file === undefined)) {
    throw new UsageError('A value is wanted, as an argument or with "--file", not both. Nothing was sent.');
  }
  if (value !== undefined) return Buffer.from(value);
  try {
    return file === '-' ? await buffer(process.stdin) : await readFile(file ?? '');
  } catch (error) {
    throw new UsageError(`The file cannot be read: ${(error as Error).message}. Nothing was sent.`);
  }
}

function textOrBase64(bytes: Buffer): { encoding: 'utf8' | 'base64'; value: string } {
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text).equals(bytes);
  return isText ? { encoding: 'utf8', value: text } : { encoding: 'base64', value: bytes.toString('base64') };
}
