import type { NodeId } from '../node/core/message.ts';

/** Directions that one fault cut; mending it opens these again, unless another fault cut them too. */
export type Cut = readonly (readonly [NodeId, NodeId])[];

/** Every direction between nodes of different groups; those of `everyone` that no group names form one more. */
export function between(groups: readonly (readonly NodeId[])[], everyone: readonly NodeId[]): Cut {
  const named = new Set(groups.flat());
  const all = [...groups, everyone.filter((node) => !named.has(node))];
  return all.flatMap((group, i) =>
    group.flatMap((from) =>
      all
        .filter((_other, j) => j !== i)
        .flat()
        .map((to) => [from, to] as const),
    ),
  );
}

/** Which directions between nodes are cut, and by how many faults. */
export class Reach {
  readonly #cuts = new Map<NodeId, Map<NodeId, number>>();
  #size = 0;

  blocked(from: NodeId, to: NodeId): boolean {
    return this.#size > 0 && (this.#cuts.get(from)?.get(to) ?? 0) > 0;
  }

  cut(cut: Cut): void {
    for (const [from, to] of cut) {
      let targets = this.#cuts.get(from);
      if (targets === undefined) this.#cuts.set(from, (targets = new Map()));
      targets.set(to, (targets.get(to) ?? 0) + 1);
      this.#size += 1;
    }
  }

  mend(cut: Cut): void {
    for (const [from, to] of cut) {
      const targets = this.#cuts.get(from);
      const faults = targets?.get(to) ?? 0;
      if (faults === 0) continue;
      targets?.set(to, faults - 1);
      this.#size -= 1;
    }
  }

  heal(): void {
    this.#cuts.clear();
    this.#size = 0;
  }
}
