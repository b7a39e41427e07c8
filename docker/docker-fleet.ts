import { dirname } from 'node:path';
import type { NetworkCreateOptions } from 'dockerode';
import { type AgentPrograms, type NodeEngine, nodeEngine } from './agent-programs.ts';
import {
  adminNetworkOf,
  containerOptions,
  hostOf,
  labels,
  networkOf,
  nodeNameOf,
  readContainer,
  readLogFrames,
  secretsArchive,
  volumeOf,
} from './container.ts';
import { connectEngine, type Engine, unlessStatus } from './engine.ts';
import {
  checkClusterName,
  checkCount,
  type Fleet,
  FleetError,
  type FleetHome,
  type FleetNode,
  findNode,
  type NodeSecrets,
  type OnProgress,
  type UpResult,
} from './fleet.ts';
import { checkPorts } from './host-port.ts';
import { ensureImage, type ImageSource, imageOf } from './image.ts';
import { inParallel } from './parallel.ts';
import { explainRefusal } from './refusal.ts';

const inFlightMax = 8;
const portFirstDefault = 8_000;

export interface DockerFleetOptions extends ImageSource {
  /** For the nodes that are made. */
  programs?: AgentPrograms | undefined;
  name: string;
  home: FleetHome;
  /** Admin port of node-1 on the host; the others follow. Default: that of the nodes that are there, else 8000. */
  portFirst?: number | undefined;
  /** Address range of the cluster's network, such as 10.77.0.0/24; the engine chooses when it is left out. */
  subnet?: string | undefined;
  engine?: Engine;
}

/** A fleet of containers. Beyond `Fleet` it can cut nodes off the network. */
export interface DockerFleet extends Fleet {
  readonly kind: 'docker';
  readonly engine: Engine;
  /** Cuts the node off the others, silently, as by a pulled cable. Its admin port stays in reach. */
  disconnect(node: string): Promise<void>;
  connect(node: string): Promise<void>;
  /** Address of the node in the cluster's network. */
  address(node: string): Promise<string>;
}

/** Connects to the engine; throws `EngineUnreachable` if there is none. */
export async function createDockerFleet(options: DockerFleetOptions): Promise<DockerFleet> {
  checkClusterName(options.name);
  return new ContainerFleet(options, options.engine ?? (await connectEngine()));
}

type Undo = () => Promise<unknown>;

interface CreatePlan {
  image: string;
  count: number;
  portFirst: number;
  secrets: NodeSecrets;
  expect: number;
  engine: NodeEngine | undefined;
}

class ContainerFleet implements DockerFleet {
  readonly kind = 'docker';
  readonly name: string;
  readonly engine: Engine;
  readonly #options: DockerFleetOptions;

  constructor(options: DockerFleetOptions, engine: Engine) {
    this.name = options.name;
    this.engine = engine;
    this.#options = options;
  }

  async up(count: number, onProgress: OnProgress = () => {}, signal?: AbortSignal): Promise<UpResult> {
    const { present, founders, portFirst, images } = await this.#survey();
    checkCount(this.name, count, Math.max(founders, ...present.map((node) => node.number), 0));
    const known = new Set(present.map((node) => node.number));
    const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !known.has(number));
    const undo: Undo[] = [];
    try {
      await checkPorts(portFirst, missing);
      const engine = await nodeEngine(this.engine, this.#options.programs ?? {});
      if (missing.length > 0) {
        const secrets = await this.#secrets(present, undo);
        const [image] = await Promise.all([
          ensureImage(this.engine, this.#options, onProgress, signal),
          this.#ensureNetworks(undo),
        ]);
        const expect = founders === 0 ? count : founders;
        const make = (number: number): Promise<void> =>
          this.#create(
            number,
            { image, count, portFirst, secrets, engine, expect: number <= expect ? expect : 0 },
            undo,
          );
        onProgress({ phase: 'nodes', text: `starting ${missing.length} of ${count} nodes` });
        await inParallel(missing, inFlightMax, make, signal);
      }
      const revived = await this.#revive(present, signal);
      const text = describeUp(count, missing.length, revived) + (await this.#describeOlder(images));
      onProgress({ phase: 'nodes', text, done: true });
      return { nodes: await this.list(), created: missing.map(nodeNameOf), revived };
    } catch (error) {
      if (signal?.aborted) throw error;
      for (const step of undo.reverse()) await step().catch(() => {});
      throw error instanceof FleetError ? error : explainRefusal(error, portFirst);
    }
  }

  /** What is there of this cluster, and the settings that its nodes share. */
  async #survey(): Promise<{ present: FleetNode[]; founders: number; portFirst: number; images: string[] }> {
    const infos = await this.#infos();
    await this.#checkHome(infos.map((info) => info.Labels));
    const present = readNodes(infos);
    const founders = Math.max(0, ...infos.map((info) => Number(info.Labels[labels.expect] ?? 0)));
    const used = Number(infos[0]?.Labels[labels.portFirst] ?? 0);
    const { portFirst } = this.#options;
    if (used !== 0 && portFirst !== undefined && portFirst !== used) {
      throw new FleetError(
        `Cluster "${this.name}" has its admin ports from ${used} on, which cannot be changed to ${portFirst}. ` +
          `Nothing was changed. Leave "--port" out, or "conclave down --name ${this.name}" first, which removes its data.`,
      );
    }
    const images = infos.map((info) => info.Image);
    return { present, founders, portFirst: used || portFirst || portFirstDefault, images };
  }

  /** Nodes that are there keep the program that they were made with; that is worth a word after a build. */
  async #describeOlder(images: readonly string[]): Promise<string> {
    const image = await imageOf(this.engine, this.#options).catch(() => undefined);
    const older = image === undefined ? [] : images.filter((each) => each !== image);
    if (older.length === 0) return '';
    return `; ${older.length} of them with another build than ${image}: only "down" and "up" change that`;
  }

  /** A cluster of the same name, made from another directory, is somebody else's: its secrets are there. */
  async #checkHome(found: readonly Record<string, string>[]): Promise<void> {
    const { directory } = this.#options.home;
    const other = found.map((each) => each[labels.home]).find((home) => home !== undefined && home !== directory);
    if (other === undefined) return;
    throw new FleetError(
      `This engine has a cluster "${this.name}" that was made with the state directory ${other}, not ${directory}. ` +
        `Nothing was changed. Run this with CONCLAVE_HOME=${dirname(other)}, or choose another name with "--name".`,
    );
  }

  async #secrets(present: readonly FleetNode[], undo: Undo[]): Promise<NodeSecrets> {
    const { home } = this.#options;
    const secrets = await home.secrets();
    if (secrets !== undefined) return secrets;
    if (present.length > 0) {
      throw new FleetError(
        `The secrets of cluster "${this.name}" are no longer in ${home.directory}, so no node can be added. Nothing was ` +
          `changed. Restore them, or remove the cluster and its data with "conclave down --name ${this.name}".`,
      );
    }
    undo.push(() => home.forget());
    return home.makeSecrets();
  }

  async #ensureNetworks(undo: Undo[]): Promise<void> {
    const { subnet, home } = this.#options;
    const found = await this.engine.listNetworks({ filters: { label: [`${labels.cluster}=${this.name}`] } });
    const ensure = async (Name: string, special: Partial<NetworkCreateOptions>): Promise<void> => {
      if (found.some((network) => network.Name === Name)) return;
      const Labels = { [labels.cluster]: this.name, [labels.home]: home.directory };
      const network = await this.engine.createNetwork({
        Name,
        CheckDuplicate: true,
        Driver: 'bridge',
        Labels,
        ...special,
      });
      undo.push(() => network.remove());
    };
    const IPAM = { Driver: 'default', Config: [{ Subnet: subnet }] };
    await ensure(networkOf(this.name), { Internal: true, ...(subnet === undefined ? {} : { IPAM }) });
    await ensure(adminNetworkOf(this.name), { Options: { 'com.docker.network.bridge.enable_icc': 'false' } });
  }

  async #create(number: number, plan: CreatePlan, undo: Undo[]): Promise<void> {
    const { count, secrets, ...made } = plan;
    const join = Array.from({ length: count }, (_, index) => index + 1).filter((other) => other !== number);
    const home = this.#options.home.directory;
    const container = await this.engine.createContainer(
      containerOptions({ ...made, cluster: this.name, number, join, home, programs: this.#options.programs ?? {} }),
    );
    undo.push(async () => {
      await container.remove({ force: true });
      await this.engine.getVolume(volumeOf(this.name, number)).remove();
    });
    await this.#putSecrets(container.id, secrets);
    await this.#attach(container.id, number);
    await container.start();
  }

  /** The root file system is read-only, also for the engine: the volume is the place for them. */
  async #putSecrets(container: string, secrets: NodeSecrets): Promise<void> {
    await this.engine.getContainer(container).putArchive(secretsArchive(secrets), { path: '/data' });
  }

  async #revive(present: readonly FleetNode[], signal: AbortSignal | undefined): Promise<string[]> {
    const down = present.filter((node) => node.state !== 'running' || !node.connected);
    const work = async (node: FleetNode): Promise<void> => {
      // An `up` that was ended hard may have got no further than making it.
      const secrets = node.state === 'created' ? await this.#options.home.secrets() : undefined;
      if (secrets !== undefined) await this.#putSecrets(node.handle, secrets);
      if (!node.connected) await this.#attach(node.handle, node.number);
      if (node.state === 'paused') await this.unpause(node.name);
      else if (node.state !== 'running') await this.start(node.name);
    };
    await inParallel(down, inFlightMax, work, signal);
    return down.map((node) => node.name);
  }

  async #infos() {
    return this.engine.listContainers({ all: true, filters: { label: [`${labels.cluster}=${this.name}`] } });
  }

  async list(): Promise<FleetNode[]> {
    return readNodes(await this.#infos());
  }

  async #container(name: string) {
    return this.engine.getContainer(findNode(await this.list(), name).handle);
  }

  async kill(node: string): Promise<void> {
    await unlessStatus((await this.#container(node)).kill({ signal: 'SIGKILL' }), 409);
  }

  async stop(node: string): Promise<void> {
    await unlessStatus((await this.#container(node)).stop(), 304);
  }

  async start(node: string): Promise<void> {
    await unlessStatus((await this.#container(node)).start(), 304);
  }

  async pause(node: string): Promise<void> {
    await (await this.#container(node)).pause();
  }

  async unpause(node: string): Promise<void> {
    await (await this.#container(node)).unpause();
  }

  async disconnect(node: string): Promise<void> {
    const { handle } = findNode(await this.list(), node);
    await this.engine.getNetwork(networkOf(this.name)).disconnect({ Container: handle, Force: true });
  }

  async connect(node: string): Promise<void> {
    const { handle, number } = findNode(await this.list(), node);
    await this.#attach(handle, number);
  }

  async #attach(container: string, number: number): Promise<void> {
    const network = this.engine.getNetwork(networkOf(this.name));
    await network.connect({ Container: container, EndpointConfig: { Aliases: [hostOf(this.name, number)] } });
  }

  async address(node: string): Promise<string> {
    const { NetworkSettings } = await (await this.#container(node)).inspect();
    return NetworkSettings.Networks[networkOf(this.name)]?.IPAddress ?? '';
  }

  async logs(node: string, linesMax = 200): Promise<string> {
    const container = await this.#container(node);
    return readLogFrames(await container.logs({ stdout: true, stderr: true, tail: linesMax, follow: false }));
  }

  /** What nodes made for agents and did not remove: a node that is gone removes nothing. */
  async #agentContainers(): Promise<string[]> {
    const found = await this.engine.listContainers({ all: true, filters: { label: [labels.owner] } });
    return found.filter((one) => one.Labels[labels.owner]?.startsWith(`${this.name}/`)).map(({ Id }) => Id);
  }

  async down(): Promise<string[]> {
    const { engine, name } = this;
    const filters = { label: [`${labels.cluster}=${name}`] };
    const infos = await this.#infos();
    const [{ Volumes }, networks] = await Promise.all([
      engine.listVolumes({ filters: JSON.stringify(filters) }),
      engine.listNetworks({ filters }),
    ]);
    const volumes = Volumes ?? [];
    await this.#checkHome([...infos, ...volumes, ...networks].map((found) => found.Labels ?? {}));
    await inParallel(infos, inFlightMax, ({ Id }) =>
      unlessStatus(engine.getContainer(Id).remove({ force: true }), 404),
    );
    const agents = await this.#agentContainers();
    await inParallel(agents, inFlightMax, (Id) => unlessStatus(engine.getContainer(Id).remove({ force: true }), 404));
    await inParallel(volumes, inFlightMax, ({ Name }) => unlessStatus(engine.getVolume(Name).remove(), 404));
    await inParallel(networks, 1, ({ Id }) => unlessStatus(engine.getNetwork(Id).remove(), 404));
    await this.#options.home.forget();
    return [
      ...infos.map((info) => `container ${info.Names[0]?.slice(1) ?? info.Id}`),
      ...agents.map((id) => `container of an agent ${id.slice(0, 12)}`),
      ...volumes.map((volume) => `volume ${volume.Name}`),
      ...networks.map((network) => `network ${network.Name}`),
    ];
  }
}

function readNodes(infos: Parameters<typeof readContainer>[0][]): FleetNode[] {
  const nodes = infos.map(readContainer).filter((node) => node !== undefined);
  return nodes.sort((a, b) => a.number - b.number);
}

function describeUp(count: number, created: number, revived: readonly string[]): string {
  const parts = [
    created > 0 ? `${created} made` : '',
    revived.length > 0 ? `${revived.join(', ')} started again` : '',
  ].filter((part) => part !== '');
  return `${count} nodes run${parts.length > 0 ? ` (${parts.join('; ')})` : ' already'}`;
}
