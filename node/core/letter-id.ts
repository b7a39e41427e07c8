/** Of the tasks that agents give others. */
const prefix = '~m:';
const pattern = /^~m:(.+)-(\d{1,15})-\d+-\d+$/;

export interface LetterName {
  /** See `senderOf`. */
  sender: string;
  /** Of the sender's, with which it was sent. */
  step: number;
}

/** The id of the task that an agent gives another one: by the step, its place among what that sent, and whom it is for. */
export const letterId = (sender: string, step: number, place: number, target: number): string =>
  `${prefix}${sender}-${step}-${place}-${target}`;

/** Undefined of any other task. */
export function readLetterId(task: string): LetterName | undefined {
  if (!task.startsWith(prefix)) return undefined;
  const [, sender, step] = pattern.exec(task) ?? [];
  return sender === undefined ? undefined : { sender, step: Number(step) };
}

/** The task with which the answer to a letter comes back. */
export const replyIdOf = (id: string): string => `${id}-r`;

/** The agents that a sender can be, and the log's index at which it was made: a branch has its own name behind the agent's. */
export function agentsIn(sender: string): { agents: string[]; created: number } {
  const [, name = '', created = ''] = /^(.*):(\d+)(?:\.\d+)?$/.exec(sender) ?? [];
  const end = name.lastIndexOf(':');
  return { agents: end === -1 ? [name] : [name, name.slice(0, end)], created: Number(created) };
}
