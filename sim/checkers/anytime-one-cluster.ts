import type { Message, NodeId } from '../../node/core/message.ts';
import { type Checker, Violation } from './checker.ts';

/** All frames of a world carry the same cluster id, or none yet: a cluster is founded exactly once. */
export class OneCluster implements Checker {
  readonly name = 'anytime-one-cluster';
  #cluster: string | undefined;
  #founder: NodeId | undefined;

  get cluster(): string | undefined {
    return this.#cluster;
  }

  sent(node: NodeId, cluster: string, _message: Message): void {
    if (cluster === '') return;
    if (this.#cluster === undefined) {
      this.#cluster = cluster;
      this.#founder = node;
    } else if (this.#cluster !== cluster) {
      const known = `${this.#cluster}, first seen from ${this.#founder}`;
      throw new Violation(this.name, `${node} speaks for cluster ${cluster}, but there is ${known}`);
    }
  }
}
