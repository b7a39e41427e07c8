import type { CounterInput, CounterOutput } from '../../sim/checkers/counter-model.ts';
import type { Model, Operation } from '../../sim/checkers/linearizability.ts';
import type { NamesInput } from '../../sim/checkers/names-model.ts';

/** A register, as in the papers. */
export type RegisterInput =
  | { type: 'read' }
  | { type: 'write'; value: number }
  | { type: 'swap'; from: number; to: number };
export type RegisterOutput = number | 'ok' | 'no';

export function register(value: number, input: RegisterInput): [number, RegisterOutput] {
  if (input.type === 'read') return [value, value];
  if (input.type === 'write') return [input.value, 'ok'];
  return value === input.from ? [input.to, 'ok'] : [value, 'no'];
}

export const registerModel: Model<number, RegisterInput, RegisterOutput> = {
  init: (_history, from) => from ?? 0,
  step(state, input, output) {
    const [after, answer] = register(state, input);
    return output === undefined || output === answer ? after : undefined;
  },
  key: String,
  describe: (input, output) => `${Object.values(input).join(' ')} → ${output ?? 'no answer'}`,
  changesNothing: (input, output) => input.type === 'read' || output === 'no',
};

/** Lines of `client called–returned`, with an input and an output. */
export function history<Input, Output>(...lines: [string, number, number, Input, Output | undefined][]) {
  return lines.map(
    ([client, calledMs, returnedMs, input, output], index): Operation<Input, Output> => ({
      id: index + 1,
      client,
      input,
      output,
      calledMs,
      returnedMs,
    }),
  );
}

export const read: RegisterInput = { type: 'read' };
export const write = (value: number): RegisterInput => ({ type: 'write', value });
export const swap = (from: number, to: number): RegisterInput => ({ type: 'swap', from, to });
export const task = (serial: number): CounterInput => ({ type: 'task', serial });
export const state: CounterInput = { type: 'read' };
export const total = (value: number): CounterOutput => ({ type: 'task', total: value });
export const failed: CounterOutput = { type: 'failed' };
export const shows = (...serials: number[]): CounterOutput => ({
  type: 'read',
  total: serials.length,
  counts: Object.fromEntries(serials.map((serial) => [serial, serials.filter((other) => other === serial).length])),
});
export const deploy = (request: string): NamesInput => ({ type: 'deploy', request });
export const remove: NamesInput = { type: 'delete' };
export const migrate: NamesInput = { type: 'migrate' };
