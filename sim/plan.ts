import type { Settings } from '../node/core/settings.ts';
import type { DeskSettings } from './desks.ts';
import type { DiskSettings } from './disk.ts';
import { type AmbientKind, ambientKinds, type FaultKind, faultKinds, faults } from './faults/catalog.ts';
import type { GuestSettings } from './guests.ts';
import type { NetworkSettings } from './network.ts';
import { offersOf } from './picky.ts';
import { Random } from './random.ts';
import type { TallySettings } from './tallies.ts';
import type { WorkloadSettings } from './workload.ts';

/** One fault at one moment. Whom it hits, it draws from a generator of its own. */
export interface Strike {
  /** Since the faults began, ms. */
  atMs: number;
  kind: FaultKind;
  lastsMs: number;
  /** Names its generator. */
  draw: number;
}

/** Everything that makes a run what it is; plain JSON, so that it can be kept, repeated and made smaller. */
export interface Plan {
  seed: string;
  /** Consensus without the rest of the program; the whole program when omitted. */
  alone?: 'consensus';
  nodes: number;
  /** How long faults strike, ms. */
  faultsMs: number;
  /** Nodes are started within this long of each other, ms. */
  startSpreadMs: number;
  /** Whether the first faults come while the cluster is being founded. */
  faultsFromStart: boolean;
  /** Most agents that a node hosts. */
  agentsMax: number;
  /** Sites that the machines stand on; 1 when omitted. */
  sites?: number;
  /** Nodes that stand on one machine, as several containers do; each on its own when omitted. */
  perMachine?: number;
  /** Parts of the nodes' settings: small ones, so that a minute sees many snapshots of the log. */
  settings?: Partial<Settings>;
  /** What comes to a node within this long is handed to it together, ms; 0 when omitted. */
  gatherMsMax?: number;
  clockOffsetMsMax: number;
  clockDriftMax: number;
  network: Partial<NetworkSettings>;
  disk: Partial<DiskSettings>;
  workload: Partial<WorkloadSettings>;
  /** A user's own agents, beside those of the workload. */
  guests?: GuestSettings;
  /** Agents of the autonomous policy; none when omitted. */
  tallies?: TallySettings;
  /** Agents that send by type, by key and by topic; none when omitted. */
  desks?: DeskSettings;
  strikes: Strike[];
}

/** What a user wants of a run; the seed draws the rest. */
export interface Wishes {
  nodes?: number;
  /** Virtual minutes of faults. */
  minutes?: number;
  /** Kinds that may occur; all when omitted. */
  faults?: readonly (FaultKind | AmbientKind)[];
  workload?: Partial<WorkloadSettings>;
  guests?: GuestSettings;
  /** Every kind that may occur does, at its highest rate: not a swarm. */
  everything?: boolean;
}

export const faultsMinutesDefault = 0.75;
export const nodesMax = 200;
const strikesMax = 20_000;
/** In a world of more nodes a snapshot of the whole state every few decisions would be all that anybody does. */
const smallMax = 20;
/** Agents that operators make beside those of the workload. */
const extraAgentsMax = 4;

/** Kinds that take long and come to nothing where much else goes wrong: some runs are about one of them. */
const plots: readonly FaultKind[] = ['holdersLost', 'holdersLost', 'missedMoves', 'slowHost', 'noRoom', 'splitAgain'];
const plotChance = 0.3;
/** Then each other kind occurs so seldom. */
const besidePlot = 0.1;

/** Kinds that can do a cluster no lasting harm before it exists. */
const foundingKinds: ReadonlySet<FaultKind> = new Set(['crash', 'powerLoss', 'pause', 'partition', 'oneWay', 'reset']);

/**
 * Draws a run. Each kind of fault is off in half of the runs, as in swarm testing (Groce et al. 2012): a run with all of
 * them at once never gets anywhere, and hides what few of them together do. Some runs are about one kind, with few others.
 */
export function drawPlan(seed: string, wishes: Wishes = {}): Plan {
  const random = new Random(seed).fork('plan');
  const plot = drawPlot(random.fork('plot'));
  const isOn = (kind: FaultKind | AmbientKind): boolean => {
    const drawn =
      random.fork(`on ${kind}`).chance(plot === undefined ? 0.5 : kind === plot ? 1 : besidePlot) ||
      wishes.everything === true;
    return drawn && (wishes.faults?.includes(kind) ?? true);
  };
  const ambient = (kind: AmbientKind, values: readonly number[]): number =>
    isOn(kind) ? random.fork(kind).pick(values) : 0;
  const faultsMs = Math.round((wishes.minutes ?? faultsMinutesDefault) * 60_000);
  const plotSizes = plot === 'splitAgain' ? [7] : [5, 5, 6, 7];
  const sizes = plot === undefined ? [3, 3, 4, 5, 5, 5, 6, 7] : plotSizes;
  const nodes = wishes.nodes ?? random.fork('nodes').pick(sizes);
  const few = plot !== undefined && { holders: random.fork('few').pick([2, 3]) };
  const workload = { ...drawWorkload(random.fork('workload')), ...few, ...wishes.workload };
  const tallies = drawTallies(random.fork('tallies'));
  const desks = drawDesks(random.fork('desks'));
  const faultsFromStart = random.fork('from start').chance(0.2);
  return {
    seed,
    nodes,
    faultsMs,
    startSpreadMs: random.fork('spread').pick([0, 300, 300, 5_000]),
    faultsFromStart,
    agentsMax: random.fork('capacity').chance(0.5)
      ? 100
      : tightFor(
          (workload.agents ?? 1) +
            (wishes.guests?.count ?? 0) +
            (tallies.merging + tallies.plain) +
            (desks === undefined ? 0 : desks.desks + desks.booths),
        ),
    sites: random.fork('sites').pick([1, 1, 2, 3]),
    perMachine: random.fork('machines').pick([1, 1, 2]),
    settings: nodes <= smallMax ? drawSettings(random.fork('settings')) : {},
    gatherMsMax: random.fork('gather').pick([0, 0.3, 2]),
    clockOffsetMsMax: 60_000,
    clockDriftMax: ambient('drift', [0.001, 0.02, 0.1]),
    network: {
      lossChance: ambient('loss', [0.001, 0.005, 0.02]),
      strayChance: ambient('duplicate', [0.01, 0.05]),
      reorderChance: ambient('reorder', [0.002, 0.01]),
      latencyMsMax: ambient('delay', [5, 10, 25]) || 1.2,
    },
    disk: drawDisk(random.fork('disk'), isOn('slowDisk')),
    workload,
    ...(wishes.guests && { guests: wishes.guests }),
    tallies,
    ...(desks && { desks }),
    strikes: drawStrikes(random, faultsMs, faultKinds.filter(isOn), wishes.everything === true, faultsFromStart),
  };
}

/** What a run is about; undefined when it is an ordinary one. */
function drawPlot(random: Random): FaultKind | undefined {
  return random.chance(plotChance) ? random.pick(plots) : undefined;
}

function drawSettings(random: Random): Partial<Settings> {
  return {
    compactEntries: random.pick([10, 50, 250, 8_192]),
    keptEntries: random.pick([0, 5, 50]),
    // States of some hundred bytes have many parts then, and parts and changes take turns every few tasks.
    statePartBytes: random.pick([16, 100, 16_384]),
    stateInlineBytes: random.pick([0, 64, 300, 4_096]),
    stateChangesMax: random.pick([2, 8, 256]),
    stateChangesBytesMax: random.pick([64, 1_000, 500_000]),
    // Most states are fetched in many messages then, of which few are on their way at the same time.
    stateChunkBytes: random.pick([40, 200, 262_144]),
    stateFetchBytesMax: random.pick([64, 500, 1_048_576]),
    resultsChunk: random.fork('results').pick([3, 256]),
    copyIdleMs: random.pick([1_500, 10_000]),
    // A host that no leader answers soon goes on with its tasks, though it may be placed elsewhere by then.
    handoverHoldMs: random.pick([50, 1_000]),
    // Few agents are away for half a minute.
    rolloutPatienceMs: random.pick([2_000, 8_000, 30_000]),
  };
}

/** Room enough on the fewest nodes that are a majority, and not much more. */
const tightFor = (agents: number): number => Math.ceil((agents + extraAgentsMax) / 2) + 1;

function drawDisk(random: Random, slow: boolean): Partial<DiskSettings> {
  return slow ? { syncMsMax: random.pick([1.5, 10, 40]), stallChance: random.pick([0.001, 0.02]) } : {};
}

function drawWorkload(random: Random): Partial<WorkloadSettings> {
  return {
    agents: random.pick([1, 2, 4, 8]),
    clients: random.pick([2, 4, 8]),
    holders: random.pick([1, 2, 2, 3, 3, 3, 5]),
    strategy: random.pick(['round_robin', 'least_loaded']),
    ttlMs: random.pick([500, 3_000, 10_000]),
    thinkMsMin: 50,
    thinkMsMax: random.pick([200, 600]),
    burstChance: random.pick([0, 0.1, 0.3]),
    poisonChance: random.pick([0, 0, 0.01, 0.05]),
    cancelChance: random.pick([0, 0.05, 0.2]),
    sendChance: random.pick([0, 0.1, 0.3]),
  };
}

function drawTallies(random: Random): TallySettings {
  return {
    merging: random.pick([1, 1, 2]),
    plain: random.pick([0, 1, 1]),
    clients: random.pick([1, 2, 4]),
    holders: random.pick([1, 2, 3, 3, 3, 5]),
    thinkMsMax: random.pick([200, 1_000, 4_000]),
    sendChance: random.pick([0, 0.2, 0.5]),
  };
}

/** In half of the runs: they make them longer. */
function drawDesks(random: Random): DeskSettings | undefined {
  if (random.chance(0.5)) return undefined;
  return {
    desks: random.pick([1, 2, 3]),
    booths: random.pick([2, 3]),
    clients: random.pick([1, 2]),
    holders: random.pick([1, 2, 3, 3]),
    thinkMsMax: random.pick([400, 1_500]),
  };
}

function drawStrikes(
  random: Random,
  faultsMs: number,
  kinds: readonly FaultKind[],
  often: boolean,
  fromStart: boolean,
): Strike[] {
  const strikes: Strike[] = [];
  for (const kind of kinds) {
    const { everyMsMin, everyMsMax, lastsMsMin, lastsMsMax } = faults[kind];
    const drawn = random.fork(`strikes ${kind}`);
    const everyMs = often ? everyMsMin : drawn.between(everyMsMin, everyMsMax);
    // Distances of a Poisson process: several at once happen, and long calms.
    for (let atMs = gap(drawn, everyMs); atMs < faultsMs; atMs += gap(drawn, everyMs)) {
      const lastsMs = Math.round(drawn.between(lastsMsMin, lastsMsMax));
      const early = fromStart && atMs < foundingMs;
      strikes.push({ atMs: Math.round(atMs), kind, lastsMs, draw: drawn.below(2 ** 31) });
      if (early && !foundingKinds.has(kind)) strikes.pop();
      if (strikes.length >= strikesMax) break;
    }
  }
  return strikes.sort((a, b) => a.atMs - b.atMs || a.draw - b.draw);
}

/** A cluster that is left alone is founded within this. */
const foundingMs = 10_000;
const gap = (random: Random, meanMs: number): number => -Math.log(1 - random.next()) * meanMs;

/** The kinds that a plan has. */
export function kindsOf(plan: Plan): (FaultKind | AmbientKind)[] {
  const { lossChance, strayChance, reorderChance, latencyMsMax = 0 } = plan.network;
  const there: Record<AmbientKind, boolean> = {
    loss: (lossChance ?? 0) > 0,
    duplicate: (strayChance ?? 0) > 0,
    reorder: (reorderChance ?? 0) > 0,
    delay: latencyMsMax > 1.2,
    drift: plan.clockDriftMax > 0,
  };
  const ambient = (Object.keys(ambientKinds) as AmbientKind[]).filter((kind) => there[kind]);
  return [...new Set(plan.strikes.map(({ kind }) => kind)), ...ambient];
}

/** What a plan says of the world. */
export function worldOf(plan: Plan) {
  const { seed, nodes, startSpreadMs, gatherMsMax, clockOffsetMsMax, clockDriftMax, network, disk, settings } = plan;
  return {
    ...{ seed, nodes, startSpreadMs, clockOffsetMsMax, clockDriftMax, network, disk },
    ...(gatherMsMax !== undefined && { gatherMsMax }),
    ...(settings?.stateChunkBytes !== undefined && { runner: { aheadBytes: settings.stateChunkBytes } }),
    // Two by two they stand on the same site.
    profile: (index: number) => ({
      agentsMax: plan.agentsMax,
      capabilities: offersOf(index),
      site: `site-${1 + (Math.floor(index / 2) % (plan.sites ?? 1))}`,
      ...((plan.perMachine ?? 1) > 1 && { machine: `machine-${1 + Math.floor(index / (plan.perMachine ?? 1))}` }),
    }),
  };
}
