import { agentOfKey, isBranchKey } from '../../node/core/branch.ts';
import type { Write } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Operation, Outcome, Results } from '../../node/core/operation.ts';
import { keys } from '../../node/core/records.ts';
import { BranchRecord } from '../../node/core/wire/messages.ts';
import type { Losses } from '../losses.ts';
import { type Checker, Violation } from './checker.ts';
import { ResultsOnDisk } from './results-on-disk.ts';
import { termOf } from './written.ts';

const branchPrefix = keys.branch('');
/** Far less than a node waits for another word of a leader that it heard. */
const heardMs = 500;

interface Numbered {
  host: NodeId;
  keepers: readonly NodeId[];
}

/**
 * What a branch acknowledges is on the disks of all of its keepers. No number of a branch has two hosts, or other keepers
 * on one node than on another. Who just heard the leader of the newest term acknowledges nothing provisionally.
 */
export class BranchAcknowledged implements Checker {
  readonly name = 'anytime-branch';
  readonly #clockMs: (node: NodeId) => number;
  readonly #losses: Losses;
  /** By branch's key and number. */
  readonly #numbers = new Map<string, Numbered>();
  /** By branch's key: who ever kept it. */
  readonly #keepers = new Map<string, Set<NodeId>>();
  /** By node and branch's key: tasks that are over in its copy, and the copy's numbers so far. */
  readonly #disks = new Map<string, Map<string, Set<number>>>();
  readonly #results = new ResultsOnDisk(({ task }) => task);
  readonly #heardMs = new Map<NodeId, { term: number; atMs: number }>();
  /** On each disk. */
  readonly #terms = new Map<NodeId, number>();
  #term = 0;

  constructor(clockMs: (node: NodeId) => number, losses: Losses) {
    this.#clockMs = clockMs;
    this.#losses = losses;
  }

  /** Whether a disk that kept the branch is lost. */
  mayBeLost(agent: string, branch: string): boolean {
    return [...(this.#keepers.get(`${agent}~${branch}`) ?? [])].some((node) => this.#losses.isLost(node));
  }

  happened(node: NodeId, event: Event): void {
    if (event.type !== 'message' || event.message.type !== 'appendRequest') return;
    const { term, leader } = event.message.body;
    if (leader !== '') return;
    this.#term = Math.max(this.#term, term);
    // One who is in a newer term turns it away, whether it was just elected by others or was cut off for long.
    if (term < (this.#terms.get(node) ?? 0)) return;
    this.#heardMs.set(node, { term, atMs: this.#clockMs(node) });
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (key === keys.hardState && value !== undefined) this.#terms.set(node, termOf(value));
      else if (key.startsWith(branchPrefix)) this.#learn(key.slice(branchPrefix.length), value);
    }
    this.#results.durable(node, writes, (key, number, tasks) => {
      if (isBranchKey(key)) this.#keep(`${node} ${key}`, tasks, number);
    });
  }

  #learn(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) return;
    const { number, host, keepers } = BranchRecord.decode(value);
    const known = this.#numbers.get(`${key} ${number}`);
    if (known === undefined) this.#numbers.set(`${key} ${number}`, { host, keepers });
    else if (known.host !== host || known.keepers.join() !== keepers.join()) {
      const both = `${known.host} with ${known.keepers.join(' ')} and ${host} with ${keepers.join(' ')}`;
      throw new Violation(this.name, `${key} has number ${number} twice: ${both}`);
    }
    const all = this.#keepers.get(key) ?? new Set();
    for (const keeper of keepers) all.add(keeper);
    this.#keepers.set(key, all);
  }

  #keep(place: string, tasks: Iterable<string>, number: number): void {
    const kept = this.#disks.get(place) ?? new Map<string, Set<number>>();
    this.#disks.set(place, kept);
    for (const task of tasks) if (!kept.has(task)) kept.set(task, new Set());
    // A step of another number takes along what was there.
    for (const numbers of kept.values()) numbers.add(number);
  }

  sent(node: NodeId, _cluster: string, message: Message): void {
    if (message.type !== 'taskAnswer' || message.body.branch === undefined || message.body.refusal !== '') return;
    const { agent, task, branch, number = 0 } = message.body;
    const heard = this.#heardMs.get(node);
    const sinceMs = heard?.term === this.#term ? this.#clockMs(node) - heard.atMs : Number.POSITIVE_INFINITY;
    // What came in one batch with the answer's task may stand behind that.
    if (sinceMs > 0 && sinceMs < heardMs) {
      throw new Violation(this.name, `${node} answered ${task} of ${agent} provisionally, and hears a leader`);
    }
    const numbered = this.#numbers.get(`${agent}~${branch} ${number}`);
    if (numbered?.host !== node)
      throw new Violation(this.name, `${node} answered ${task} of ${agent} under number ${number}, which is not its`);
    for (const keeper of numbered.keepers) {
      if (this.#disks.get(`${keeper} ${agent}~${branch}`)?.get(task)?.has(number)) continue;
      throw new Violation(this.name, `${node} answered ${task} of ${agent}~${branch}, which ${keeper} does not have`);
    }
  }

  answered(node: NodeId, _request: string, operation: Operation, outcome: Outcome): void {
    if (operation.type !== 'task' || !outcome.ok) return;
    const { branch } = outcome.result as Results['task'];
    if (branch === undefined) return;
    const key = `${agentOfKey(operation.agent)}~${branch}`;
    const having = [...(this.#keepers.get(key) ?? [])].filter((keeper) =>
      this.#disks.get(`${keeper} ${key}`)?.has(operation.task),
    );
    if (having.length === 0)
      throw new Violation(this.name, `${node} told that ${key} did ${operation.task}, which nobody has`);
  }
}
