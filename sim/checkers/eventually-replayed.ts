import { decodeMailbox } from '../../node/core/mailbox.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import { readHolders, stateOnDisk } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { fromBytes } from '../../node/core/text.ts';
import { HolderRecord, StateParts, TaskResult } from '../../node/core/wire/messages.ts';
import type { Guests, GuestTask } from '../guests.ts';
import type { Program } from '../program.ts';
import type { World } from '../world.ts';
import { type Checker, Violation } from './checker.ts';

interface Kept {
  record: HolderRecord;
  results: TaskResult[];
  state: string;
}

/**
 * What users' agents answered and came to is what one undisturbed instance of their code answers and comes to when it
 * is given the same tasks in the order that the disks show. Agents that use time or chance cannot be compared.
 */
export class Replayed implements Checker {
  readonly name = 'eventually-replayed';
  readonly #world: World;
  readonly #guests: Guests;
  readonly #program: Program;
  /** Agents that were not compared, with the reason. */
  readonly notCompared = new Map<string, string>();

  constructor(world: World, guests: Guests, program: Program) {
    this.#world = world;
    this.#guests = guests;
    this.#program = program;
  }

  finish(): void {
    for (const agent of this.#guests.agents) {
      const kept = this.#newest(agent);
      const tasks = this.#guests.sent.get(agent) ?? new Map<string, GuestTask>();
      if (kept !== undefined) this.#compare(agent, kept, tasks);
    }
  }

  /** The newest state that any disk has, with the results that led to it. */
  #newest(agent: string): Kept | undefined {
    let best: { node: NodeId; record: HolderRecord } | undefined;
    for (const node of this.#world.nodes) {
      const bytes = this.#world.host(node).disk.read(keys.holder(agent));
      if (bytes === undefined) continue;
      const record = HolderRecord.decode(bytes);
      const newer = best === undefined || record.epoch > best.record.epoch;
      const later = best?.record.epoch === record.epoch && record.sequence > best.record.sequence;
      if (newer || later) best = { node, record };
    }
    if (best === undefined) return undefined;
    const { disk } = this.#world.host(best.node);
    const results: TaskResult[] = [];
    for (let sequence = 1; sequence <= best.record.sequence; sequence++) {
      const bytes = disk.read(keys.result(agent, sequence, best.record.table));
      if (bytes !== undefined) results.push(TaskResult.decode(bytes));
    }
    const state = this.#stateOf(agent, best);
    return { record: best.record, results, state };
  }

  #stateOf(agent: string, { node, record }: { node: NodeId; record: HolderRecord }): string {
    const { disk } = this.#world.host(node);
    const list = disk.read(keys.state(agent));
    const wanted = [keys.holder(agent), keys.state(agent)];
    for (const part of list ? StateParts.decode(list).parts : []) wanted.push(keys.statePart(agent, part));
    for (let sequence = 1; sequence <= record.sequence; sequence++) wanted.push(keys.stateStep(agent, sequence));
    const records = new Map(wanted.flatMap((key) => [[key, disk.read(key)] as const]));
    for (const [key, value] of records) if (value === undefined) records.delete(key);
    const found = readHolders(records as Map<string, Uint8Array>).get(agent);
    if (found === undefined) return '';
    const all = stateOnDisk(agent, defaultSettings, found).state.bytes();
    return fromBytes(all.subarray(0, decodeMailbox(all).length));
  }

  #compare(agent: string, { record, results, state: kept }: Kept, tasks: ReadonlyMap<string, GuestTask>): void {
    if (results.length < record.sequence) {
      this.notCompared.set(agent, 'it did more tasks than are remembered');
      return;
    }
    const instance = this.#startAlone(agent);
    for (const { task, ok, value, valueDropped } of results) {
      const sent = tasks.get(task);
      if (sent === undefined) throw new Violation(this.name, `${agent} did ${task}, which nobody sent`);
      // A refused task leaves no trace in the state.
      const alone = ok ? instance.handle(sent.payload, task) : undefined;
      if (instance.isUncertain()) return void this.notCompared.set(agent, 'it uses time or chance');
      const answer = sent.answered?.value;
      // Old answers that are long are not kept; what the client was told still counts.
      const remembered = (valueDropped ? alone : undefined) ?? value;
      for (const [who, bytes] of [['alone', alone] as const, ['its client was told', answer] as const]) {
        if (bytes !== undefined && ok && fromBytes(bytes) !== fromBytes(remembered)) {
          const differs = `${who}: ${fromBytes(bytes).slice(0, 300)}, kept: ${fromBytes(remembered).slice(0, 300)}`;
          throw new Violation(this.name, `${agent} answered ${task} differently. ${differs}`);
        }
      }
    }
    const alone = instance.state();
    if (alone !== kept) {
      throw new Violation(
        this.name,
        `${agent} came to ${kept.slice(0, 300)}, alone it comes to ${alone.slice(0, 300)}`,
      );
    }
  }

  #startAlone(agent: string) {
    let uncertain = false;
    const doubt = (): number => {
      uncertain = true;
      return 0;
    };
    const context = { agent, type: this.#guests.settings.type, epoch: 0, startedMs: 0, wallMs: doubt, random: doubt };
    const started = this.#program.start(context, undefined);
    let { state } = started;
    const handle = (payload: Uint8Array, task: string): Uint8Array => {
      const answer = started.handle(payload, false, task);
      state = answer.state;
      return answer.value;
    };
    return { handle, state: () => fromBytes(state), isUncertain: () => uncertain };
  }
}
