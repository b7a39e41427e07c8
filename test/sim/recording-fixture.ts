import { Random } from '../../sim/random.ts';
import type { RecordedEvent, RecordedKind, RecordedSpan, RecordedTraffic, Recording } from '../../sim/recording.ts';

export interface FixtureSettings {
  seed: string;
  nodes: number;
  agents: number;
  durationMs: number;
  /** At least this many events; tasks fill up what the faults and decisions leave. */
  events: number;
  /** Slices without traffic are left out. */
  trafficSliceMs: number;
  /** Whether the run ends with a broken promise. */
  broken: boolean;
}

const defaults: FixtureSettings = {
  seed: '7f3a9c21d4e8',
  nodes: 5,
  agents: 4,
  durationMs: 40_000,
  events: 900,
  trafficSliceMs: 100,
  broken: false,
};

const foundedMs = 900;
const heartbeatMs = 200;
const detectMs = 420;
const trafficMax = 60_000;
const kindsOfAgents = ['counter', 'ledger', 'watcher', 'trader'];

interface Running {
  agent: string;
  node: string;
  epoch: number;
  sinceMs: number;
  /** When its host went off, as long as nobody noticed. */
  endedMs?: number;
}

/** Makes up a run as a cluster could have lived it. Same settings, same run. */
class Story {
  readonly #settings: FixtureSettings;
  readonly #random: Random;
  readonly #nodes: string[];
  readonly #agents: string[];
  readonly #events: RecordedEvent[] = [];
  readonly #spans: RecordedSpan[] = [];
  readonly #running = new Map<string, Running>();
  #leader: { node: string; term: number; sinceMs: number; endedMs?: number };
  #epoch = 10;

  constructor(settings: FixtureSettings) {
    this.#settings = settings;
    this.#random = new Random(settings.seed);
    this.#nodes = Array.from({ length: settings.nodes }, (_, i) => `n${i + 1}`);
    this.#agents = Array.from(
      { length: settings.agents },
      (_, i) => `${kindsOfAgents[i % kindsOfAgents.length]}-${1 + Math.floor(i / kindsOfAgents.length)}`,
    );
    this.#leader = { node: this.#nodes[0] ?? 'n1', term: 1, sinceMs: foundedMs };
  }

  tell(): Recording {
    const { durationMs, seed, trafficSliceMs, broken } = this.#settings;
    const quietMs = durationMs * 0.8;
    this.#add(0, 'phase', undefined, 'founding');
    this.#found();
    this.#add(2_000, 'phase', undefined, 'faults', { until: quietMs });
    for (let atMs = 2_500; atMs < quietMs; atMs += this.#random.between(0.02, 0.07) * durationMs) this.#strike(atMs);
    if (!broken) this.#add(quietMs, 'phase', undefined, 'settling: no more faults');
    const endMs = broken ? durationMs * 0.93 : durationMs;
    this.#close(endMs);
    this.#work(endMs);
    if (broken) this.#breakPromise(endMs);
    const events = this.#events
      .filter(({ atMs }) => atMs <= endMs)
      .sort((a, b) => a.atMs - b.atMs)
      .map((event, index) => ({ ...event, step: index * 37 }));
    return {
      version: 1,
      seed,
      command: `conclave sim --seed ${seed} ${this.#options()}`,
      durationMs: endMs,
      trafficSliceMs,
      nodes: this.#nodes.map((id, index) => ({ id, joinedMs: Math.min(foundedMs, 120 + 37 * index) })),
      agents: this.#agents,
      verdict: this.#verdict(),
      counts: this.#counts(events),
      events,
      spans: this.#spans.filter(({ fromMs }) => fromMs < endMs),
      traffic: this.#traffic(endMs),
      omitted: broken ? 1_204 : 0,
    };
  }

  #options(): string {
    const { nodes, agents, durationMs } = this.#settings;
    return `--nodes ${nodes} --agents ${agents} --for ${durationMs / 1000}s`;
  }

  #add(
    atMs: number,
    kind: RecordedKind,
    node: string | undefined,
    text: string,
    details?: Record<string, unknown>,
    agent?: string,
  ): void {
    this.#events.push({
      step: 0,
      atMs,
      kind,
      ...(node === undefined ? {} : { node }),
      ...(agent === undefined ? {} : { agent }),
      text,
      ...(details === undefined ? {} : { details }),
    });
  }

  #found(): void {
    for (const [index, node] of this.#nodes.entries()) {
      this.#add(120 + 7 * index, 'mend', node, `${node} starts`);
      this.#add(foundedMs + 40 + 3 * index, 'report', node, `${node} joined`, { voter: index < 5, boot: 1 });
    }
    this.#lead(foundedMs, this.#leader.node);
    for (const [index, agent] of this.#agents.entries()) {
      const askedMs = 1_300 + 20 * index;
      this.#add(askedMs, 'request', this.#nodes[1], `deploy ${agent}`, { type: 'deploy', agent, holders: 3 }, agent);
      this.#start(askedMs + 60, agent, this.#random.pick(this.#nodes), 'least loaded');
    }
  }

  #lead(atMs: number, node: string): void {
    const { node: before, term, sinceMs, endedMs = atMs } = this.#leader;
    if (atMs > sinceMs)
      this.#spans.push({ fromMs: sinceMs, toMs: endedMs, kind: 'leading', node: before, text: `${term}` });
    const next = atMs > sinceMs ? term + 1 : term;
    this.#leader = { node, term: next, sinceMs: atMs };
    this.#add(atMs, 'report', node, `${node} leads in term ${next}`, { term: next, votes: this.#nodes.slice(0, 3) });
  }

  #start(atMs: number, agent: string, node: string, reason: string): void {
    const before = this.#running.get(agent);
    if (before !== undefined) this.#end(before, atMs);
    this.#epoch += 1 + this.#random.below(4);
    const epoch = this.#epoch;
    this.#running.set(agent, { agent, node, epoch, sinceMs: atMs + 30 });
    const others = this.#random.shuffle(this.#nodes.filter((each) => each !== node)).slice(0, 2);
    const scores = Object.fromEntries(others.map((each) => [each, this.#random.below(100) / 100]));
    const details = { agent, host: node, epoch, holders: [node, ...others], reason, decision: { scores } };
    this.#add(
      atMs,
      'report',
      this.#leader.node,
      `${agent} is placed on ${node} in epoch ${epoch}: ${reason}`,
      details,
      agent,
    );
    this.#add(atMs + 30, 'report', node, `${agent} runs in epoch ${epoch}`, { agent, epoch }, agent);
  }

  #end(running: Running, atMs: number): void {
    const { agent, node, epoch, sinceMs, endedMs = atMs } = running;
    if (endedMs > sinceMs)
      this.#spans.push({ fromMs: sinceMs, toMs: endedMs, kind: 'agent', node, agent, text: `${epoch}` });
  }

  #strike(atMs: number): void {
    const victim = this.#random.pick(this.#nodes);
    if (this.#isAway(victim, atMs)) return;
    const lastsMs = this.#random.between(600, this.#settings.durationMs / 12);
    const kind = this.#random.pick(['off', 'off', 'cut', 'paused', 'migrate'] as const);
    if (kind === 'migrate') {
      const agent = this.#random.pick(this.#agents);
      this.#add(
        atMs,
        'request',
        victim,
        `migrate ${agent} to ${victim}`,
        { type: 'migrate', agent, target: victim },
        agent,
      );
      this.#start(atMs + 80, agent, victim, 'the operator asked for it');
      return;
    }
    const text = { off: 'loses power', cut: 'is cut off from the others', paused: 'stands still' }[kind];
    this.#add(atMs, 'fault', victim, `${victim} ${text}`, { kind, lastsMs: Math.round(lastsMs) });
    this.#add(atMs + lastsMs, 'mend', victim, `${victim} ${kind === 'off' ? 'starts again' : 'goes on'}`);
    const from =
      kind === 'cut'
        ? this.#nodes
            .filter((each) => each !== victim)
            .slice(0, 4)
            .join(', ')
        : '';
    this.#spans.push({ fromMs: atMs, toMs: atMs + lastsMs, kind, node: victim, text: from });
    if (kind === 'off') this.#fall(atMs, victim);
    if (kind === 'off' || lastsMs > detectMs) this.#recover(atMs + detectMs, victim);
  }

  /** What was on a machine that went off is gone, before anybody knows. */
  #fall(atMs: number, node: string): void {
    for (const running of this.#running.values()) if (running.node === node) running.endedMs = atMs;
    if (this.#leader.node === node) this.#leader.endedMs = atMs;
  }

  #isAway(node: string, atMs: number, kinds: readonly RecordedSpan['kind'][] = ['off', 'cut', 'paused']): boolean {
    return this.#spans.some(
      (span) => span.node === node && kinds.includes(span.kind) && atMs >= span.fromMs && atMs < span.toMs,
    );
  }

  #recover(atMs: number, dead: string): void {
    const left = this.#nodes.filter((node) => node !== dead && !this.#isAway(node, atMs));
    if (left.length === 0) return;
    if (this.#leader.node === dead) this.#lead(atMs, this.#random.pick(left));
    const accusers = left.slice(0, 3);
    this.#add(atMs + 15, 'report', this.#leader.node, `${dead} is dead: ${accusers.length} nodes do not hear it`, {
      accusers,
    });
    for (const { agent, node } of [...this.#running.values()]) {
      if (node === dead) this.#start(atMs + 60, agent, this.#random.pick(left), `its host ${dead} is dead`);
    }
  }

  /** Tasks, each at a moment when a host of its agent could acknowledge it. */
  #work(endMs: number): void {
    const stays = this.#spans.filter(({ kind }) => kind === 'agent');
    const tasks: { atMs: number; stay: RecordedSpan }[] = [];
    while (stays.length > 0 && tasks.length < this.#settings.events - this.#events.length) {
      const atMs = this.#random.between(2_000, endMs);
      const hosts = stays.filter(({ node, fromMs, toMs }) => atMs > fromMs && atMs < toMs && !this.#isAway(node, atMs));
      if (hosts.length > 0) tasks.push({ atMs, stay: this.#random.pick(hosts) });
    }
    tasks.sort((a, b) => a.atMs - b.atMs);
    for (const [serial, { atMs, stay }] of tasks.entries()) {
      const { agent = '', node, text: epoch } = stay;
      const details = { serial, total: serial + 1, epoch: Number(epoch), tries: 1 + this.#random.below(2) };
      this.#add(atMs, 'acknowledged', node, `${agent} acknowledged serial ${serial}`, details, agent);
    }
  }

  #breakPromise(atMs: number): void {
    const agent = this.#agents[0] ?? 'counter-1';
    this.#add(
      atMs,
      'violation',
      this.#running.get(agent)?.node ?? 'n1',
      this.#evidence().split('\n')[0] ?? '',
      { agent },
      agent,
    );
  }

  #close(atMs: number): void {
    this.#lead(atMs, this.#leader.node);
    this.#events.pop();
    for (const running of this.#running.values()) this.#end(running, atMs);
  }

  #evidence(): string {
    const agent = this.#agents[0] ?? 'counter-1';
    return [
      `${agent} answered serial 512 with total 498, but 501 was acknowledged before it was sent: effects were lost`,
      `epoch 41 on n3 acknowledged total 501 at 36.412 s`,
      `epoch 44 on n2 recovered from sequence 497 at 36.980 s; sealed holders: n2, n5`,
    ].join('\n');
  }

  #verdict(): Recording['verdict'] {
    if (!this.#settings.broken) {
      return { ok: true, summary: 'Seven checkers looked after every step, and the cluster settled within its bound.' };
    }
    const summary = 'An acknowledged task is missing from a later state of its agent.';
    return { ok: false, summary, checker: 'anytime-acknowledged-task', evidence: this.#evidence() };
  }

  #counts(events: readonly RecordedEvent[]): Record<string, number> {
    const count = (kind: RecordedKind): number => events.filter((event) => event.kind === kind).length;
    return {
      steps: events.length * 37,
      faults: count('fault'),
      terms: this.#leader.term,
      tasksAcknowledged: count('acknowledged'),
    };
  }

  /** Heartbeats of the leader, probes in a ring, and replication beside the tasks. */
  #traffic(endMs: number): RecordedTraffic[] {
    const { trafficSliceMs } = this.#settings;
    const traffic: RecordedTraffic[] = [];
    const leading = this.#spans.filter(({ kind }) => kind === 'leading');
    const stepMs = Math.max(heartbeatMs, trafficSliceMs);
    for (let atMs = 1_000; atMs < endMs && traffic.length < trafficMax; atMs += stepMs) {
      const sliceMs = Math.floor(atMs / trafficSliceMs) * trafficSliceMs;
      const leader = leading.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)?.node ?? 'n1';
      const send = (from: string, to: string, type: string, sent: number): void => {
        const lost =
          this.#isAway(from, atMs, ['off', 'cut']) || this.#isAway(to, atMs, ['off', 'cut'])
            ? sent
            : this.#random.chance(0.01)
              ? 1
              : 0;
        if (from !== to) traffic.push({ atMs: sliceMs, from, to, type, sent, lost });
      };
      for (const [index, node] of this.#nodes.entries()) {
        send(leader, node, 'appendRequest', 2 + this.#random.below(6));
        send(node, leader, 'appendReply', 2);
        send(node, this.#nodes[(index + 1) % this.#nodes.length] ?? node, 'probe', 1);
        if (this.#random.chance(0.3))
          send(node, this.#random.pick(this.#nodes), 'replicate', 1 + this.#random.below(14));
      }
    }
    return traffic;
  }
}

/** A recording that looks like that of a run; the same settings give the same one. */
export function recordingFixture(settings: Partial<FixtureSettings> = {}): Recording {
  return new Story({ ...defaults, ...settings }).tell();
}

/** As large as a report page has to stay quick with. */
export const largeFixture: Partial<FixtureSettings> = {
  nodes: 100,
  agents: 60,
  durationMs: 200_000,
  events: 20_000,
  trafficSliceMs: 1_000,
};
