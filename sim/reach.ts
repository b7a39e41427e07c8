import type { NodeId } from '../node/core/message.ts';

/** Which directions between nodes are cut. */
export class Reach {
  readonly #cuts = new Set<string>();

  blocked(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Cuts both ways between all groups; those of `everyone` that no group names form one more. */
  partition(groups: readonly (readonly NodeId[])[], everyone: readonly NodeId[]): void {
    const named = new Set(groups.flat());
    const all = [...groups, everyone.filter((node) => !named.has(node))];
    for (const [i, group] of all.entries()) {
      for (const from of group) {
        for (const to of all.filter((_other, j) => j !== i).flat()) this.cut(from, to);
      }
    }
  }

  heal(): void {
    this.#cuts.clear();
  }
}
