import type { VersionChange } from '../node/core/version-change.ts';
import type { Random } from './random.ts';

/** What a version of the counter does beside counting. */
export interface CounterCode {
  /** Sources that differ are versions that differ. */
  serial: number;
  /** It has a form of its own for its state, and takes over others. */
  migrates: boolean;
  /** It can give its state back in the form of another version. */
  reverses: boolean;
  /** Where it is broken. */
  breaks: 'start' | 'migrate' | 'tasks' | 'later' | 'refuses' | undefined;
}

const first: CounterCode = { serial: 0, migrates: false, reverses: false, breaks: undefined };
const prefix = 'simulated ';

export const sourceOf = (code: CounterCode): string => `${prefix}${JSON.stringify(code)}`;

/** The version that a source is of; what is no version of the counter is the first. */
export function codeOf(source: string): CounterCode {
  return source.startsWith(prefix) ? (JSON.parse(source.slice(prefix.length)) as CounterCode) : first;
}

const breakings = ['start', 'migrate', 'tasks', 'later', 'later', 'refuses'] as const;

/** A good part of them is broken, most often so that it shows late. */
export function anyCode(random: Random, serial: number): CounterCode {
  const migrates = random.chance(0.7);
  const breaks = random.chance(0.6) ? random.pick(breakings) : undefined;
  return { serial, migrates: migrates || breaks === 'migrate', reverses: migrates && random.chance(0.7), breaks };
}

/** The version whose form a state has; of a version that keeps the form of others, that one's. */
interface Formed {
  form?: number;
}

/**
 * The form that an instance's state has once it has started; throws where nobody brought the state to a form that this
 * version knows, or somebody did twice.
 */
export function formAfterStart(
  { migrates }: CounterCode,
  breaks: CounterCode['breaks'],
  version: number,
  { form = 1 }: Formed,
  change: VersionChange | undefined,
): number {
  if (breaks === 'start') throw new Error('its module cannot be used: it is broken');
  if (change === undefined || change.newer !== undefined) {
    const isWrong = form !== version && (migrates || version === 1);
    if (isWrong) throw new Error(`its state cannot be restored: it has the form of version ${form}`);
    return form;
  }
  if (breaks === 'migrate') throw new Error('its state cannot be migrated: it is broken');
  if (!migrates) return form;
  if (form === version) throw new Error('its state cannot be migrated: it was migrated before');
  return change.to;
}
