import { randomUUID } from 'node:crypto';
import { AgentContainer } from './agent-container.ts';
import { containerOptions, labels, ownerLabel } from './container-options.ts';
import { DockerEngine } from './docker-engine.ts';
import { EarlierNames } from './earlier-names.ts';
import type { LineChannelEvents } from './line-channel.ts';
import { defaultLineLimits, type LineLimits } from './line-limits.ts';
import { LineRunner, type StartOrder } from './line-runner.ts';
import type { Runner, RunnerEvents } from './ports.ts';
import { Turns } from './turns.ts';

export interface ContainerLimits extends LineLimits {
  /** Containers that are being made at a time. */
  startsMax: number;
  /** For one answer of the engine. */
  engineTimeoutMs: number;
  /** How often an ended container's removal is tried, and how long a pause grows by each time. */
  removeTriesMax: number;
  removePauseMs: number;
  /** How often what could not be removed is looked for. */
  tidyIntervalMs: number;
}

export const defaultContainerLimits: ContainerLimits = {
  ...defaultLineLimits,
  // Each takes half a second to make, and many may begin at once.
  startTimeoutMs: 60_000,
  startsMax: 4,
  engineTimeoutMs: 10_000,
  removeTriesMax: 5,
  removePauseMs: 200,
  tidyIntervalMs: 30_000,
};

export interface ContainerRunnerInit {
  /** The node's own: under which ids it made containers. */
  directory: string;
  /** Id of this node: what is found with it and is not known was left by an earlier start. */
  node: string;
  /** Where the container engine listens. */
  socketPath: string;
  /** A name that this node has whatever its id is, and nobody else on that engine: what is found with it is its own, too. */
  owner?: string | undefined;
  /** References of images that the node's operator allows, none besides. */
  images: readonly string[];
  events: RunnerEvents;
  limits?: Partial<ContainerLimits>;
  /** What agents print, a line at a time. */
  log?: (agent: string, line: string) => void;
  /** Why containers that nobody needs cannot be removed; told once until they can. */
  trouble?: (reason: string) => void;
}

/**
 * Makes a runner of `container` agents, and removes what an earlier start of this node left. Throws what the file system throws
 * when the directory cannot be made.
 */
export function createContainerRunner(init: ContainerRunnerInit): Runner {
  const limits = { ...defaultContainerLimits, ...init.limits };
  const containers = new Containers(init, limits);
  return new LineRunner({
    limits,
    events: init.events,
    open: (order, events) => containers.open(order, events),
    close: () => containers.close(),
  });
}

/** Each agent is a container beside the node, which has nothing of the host but its share of memory and processors. */
class Containers {
  readonly #init: ContainerRunnerInit;
  readonly #limits: ContainerLimits;
  readonly #engine: DockerEngine;
  readonly #turns: Turns;
  readonly #names: EarlierNames;
  /** Instances, as their containers' labels name them, until those are removed or given up. */
  readonly #known = new Set<string>();
  readonly #tidyTimer: NodeJS.Timeout;
  #tidying: Promise<void> | undefined;
  #trouble = '';

  constructor(init: ContainerRunnerInit, limits: ContainerLimits) {
    this.#init = init;
    this.#limits = limits;
    this.#engine = new DockerEngine({ socketPath: init.socketPath, timeoutMs: limits.engineTimeoutMs });
    this.#turns = new Turns(limits.startsMax);
    this.#names = new EarlierNames(init.directory, init.node);
    this.#tidyTimer = setInterval(() => this.#tidy(), limits.tidyIntervalMs).unref();
    this.#tidy();
  }

  /** Throws when this node does not run such containers. */
  open({ agent, epoch, container }: StartOrder, { line, broken }: LineChannelEvents): AgentContainer {
    const { node, images, log, owner } = this.#init;
    if (container === undefined) throw new Error('it has no container');
    if (!images.includes(container.image)) throw new Error(`this node does not run the image ${container.image}`);
    const instance = randomUUID();
    const { lineBytesMax, lineLengthMax, linesPerSMax, removeTriesMax, removePauseMs } = this.#limits;
    this.#known.add(instance);
    const opened = new AgentContainer({
      engine: this.#engine,
      spec: container,
      options: containerOptions(container, { agent, epoch: String(epoch), node, instance }, owner),
      turns: this.#turns,
      ...{ lineBytesMax, removeTriesMax, removePauseMs },
      printed: { lineLengthMax, linesPerSMax, write: (text) => log?.(agent, text) },
      onLine: line,
      onBroken: broken,
      onEnded: () => this.#known.delete(instance),
    });
    return opened;
  }

  async close(): Promise<void> {
    clearInterval(this.#tidyTimer);
    await this.#tidying;
  }

  #tidy(): void {
    this.#tidying ??= this.#removeUnknown()
      .then(
        () => this.#tell(''),
        (error: unknown) => this.#tell((error as Error).message),
      )
      .finally(() => {
        this.#tidying = undefined;
      });
  }

  async #removeUnknown(): Promise<void> {
    const { owner } = this.#init;
    const marks = this.#names.all.map((node) => `${labels.node}=${node}`);
    if (owner !== undefined) marks.push(`${ownerLabel}=${owner}`);
    for (const mark of marks) {
      const found = await this.#engine.list([labels.agent, mark]);
      for (const { id, labels: marks } of found) {
        if (!this.#known.has(String(marks[labels.instance]))) await this.#engine.remove(id);
      }
    }
    this.#names.forgetEarlier();
  }

  #tell(trouble: string): void {
    if (trouble !== '' && this.#trouble === '') this.#init.trouble?.(trouble);
    this.#trouble = trouble;
  }
}
