/** What a type's container is made from, checked and complete. There is nothing else that it can ask for. */
export interface ContainerSpec {
  /** Reference of an image, as the operators of nodes allow it. */
  image: string;
  /** Replaces what the image runs. */
  command?: string[];
  memoryMb: number;
  cpus: number;
  /** Processes and threads. */
  pids: number;
  env?: Record<string, string>;
}

/** As `docker run` takes it: a name with its registry, a tag, a digest; no longer than a capability can name. */
export const imagePattern = /^(?=.{1,118}$)[a-z0-9]+(?:(?:[./:]|_{1,2}|-+)[A-Za-z0-9]+)*(?:@sha256:[0-9a-f]{64})?$/;
const wordsMax = 64;
const commandLengthMax = 64 * 1024;
const variablesMax = 32;
const variableLengthMax = 1_024;
const variablePattern = /^(?:LANG|LC_ALL|TZ|AGENT_[A-Z0-9_]{1,56})$/;
/** Specs stand in the log and are shown to whoever may ask: what must not be read has no place in them. */
const secretPattern = /SECRET|TOKEN|PASSW|KEY|CREDENTIAL|AUTH/;

const isWhole = (value: unknown, min: number, max: number): boolean =>
  Number.isInteger(value) && Number(value) >= min && Number(value) <= max;

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isCommand(value: unknown): boolean {
  if (!Array.isArray(value) || value.length < 1 || value.length > wordsMax) return false;
  const fits = (value as unknown[]).every((word) => typeof word === 'string' && !word.includes('\0'));
  return fits && value[0] !== '' && value.join(' ').length <= commandLengthMax;
}

function whatIsWrongWithEnv(value: unknown): string | undefined {
  if (!isPlain(value) || Object.keys(value).length > variablesMax) return `names and values, at most ${variablesMax}`;
  for (const [name, text] of Object.entries(value)) {
    const called = JSON.stringify(name.slice(0, 64));
    if (!variablePattern.test(name)) return `${called} is none of LANG, LC_ALL, TZ and AGENT_…`;
    if (secretPattern.test(name)) return `${called} looks like a secret, and everybody who may ask can read a spec`;
    const fits = typeof text === 'string' && text.length <= variableLengthMax && !text.includes('\0');
    if (!fits) return `${called} is no text of at most ${variableLengthMax} characters`;
  }
  return undefined;
}

interface Field {
  name: keyof ContainerSpec;
  /** What stands there when the manifest says nothing; needed when there is no default, unless it is optional. */
  otherwise?: number;
  optional?: true;
  problem(value: unknown): string | undefined;
}

const unless = (isRight: (value: unknown) => boolean, rule: string) => (value: unknown) =>
  isRight(value) ? undefined : rule;

/** By their names in a manifest, in the order in which a spec has them. */
const fields: ReadonlyMap<string, Field> = new Map<string, Field>([
  [
    'image',
    {
      name: 'image',
      problem: unless(
        (value) => typeof value === 'string' && imagePattern.test(value),
        'the reference of an image, at most 118 characters',
      ),
    },
  ],
  ['command', { name: 'command', optional: true, problem: unless(isCommand, '1 to 64 texts, 64 KiB together') }],
  [
    'memory_mb',
    {
      name: 'memoryMb',
      otherwise: 256,
      problem: unless((value) => isWhole(value, 16, 4_096), 'a whole number from 16 to 4096'),
    },
  ],
  [
    'cpus',
    {
      name: 'cpus',
      otherwise: 1,
      problem: unless((value) => typeof value === 'number' && value >= 0.05 && value <= 16, 'a number from 0.05 to 16'),
    },
  ],
  [
    'pids',
    {
      name: 'pids',
      otherwise: 64,
      problem: unless((value) => isWhole(value, 4, 512), 'a whole number from 4 to 512'),
    },
  ],
  ['env', { name: 'env', optional: true, problem: whatIsWrongWithEnv }],
]);

/** Why a field that nobody knows is none, for those that others would take. */
const notGiven = 'no such field: a container gets nothing of its host';

/** What is wrong with a spec from another node, field by field; undefined when it is complete and right. */
export function whatIsWrongWithContainer(spec: unknown): string | undefined {
  if (!isPlain(spec)) return 'an object with an image';
  const known = new Set<string>([...fields.values()].map(({ name }) => name));
  const unknown = Object.keys(spec).find((name) => !known.has(name));
  if (unknown !== undefined) return `${unknown.slice(0, 64)}: ${notGiven}`;
  for (const [outside, { name, optional, problem }] of fields) {
    const value = spec[name];
    if (value === undefined && optional) continue;
    const wrong = problem(value);
    if (wrong !== undefined) return `${outside}: ${wrong}`;
  }
  return undefined;
}

/** The spec that a manifest's `container` says, or which field of it is wrong. */
export function readContainerSpec(manifest: unknown): ContainerSpec | string {
  if (!isPlain(manifest)) return 'an object with an image';
  const unknown = Object.keys(manifest).find((name) => !fields.has(name));
  if (unknown !== undefined) return `${unknown.slice(0, 64)}: ${notGiven}`;
  const spec: Record<string, unknown> = {};
  for (const [outside, { name, otherwise }] of fields) {
    const value = Object.hasOwn(manifest, outside) ? manifest[outside] : otherwise;
    if (value !== undefined) spec[name] = value;
  }
  const { env } = spec;
  if (isPlain(env)) spec['env'] = Object.fromEntries(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1)));
  return whatIsWrongWithContainer(spec) ?? (spec as unknown as ContainerSpec);
}

/** Whether two specs say the same: they have their fields in one order. */
export const isSameContainer = (a: ContainerSpec | undefined, b: ContainerSpec | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);
