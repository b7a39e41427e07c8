/** What kind of thing a recorded event is; the report page has a colour for each group. */
export type RecordedKind =
  /** Something the world did: crash, cut, pause, disk fault, operator's action. */
  | 'fault'
  /** The world mended something: restart, resume, heal. */
  | 'mend'
  /** A node reported it: a decision of the log, or something that only it saw. */
  | 'report'
  /** A user's request and its outcome. */
  | 'request'
  /** A task was acknowledged to its client. */
  | 'acknowledged'
  /** A phase of the run begins. */
  | 'phase'
  /** A promise was broken. */
  | 'violation';

export interface RecordedEvent {
  /** Place in the trace: the number of things that had happened in the world before it. */
  step: number;
  /** Virtual time, ms. */
  atMs: number;
  kind: RecordedKind;
  /** The node it happened at; absent when it concerns the whole world. */
  node?: string;
  /** The agent it is about. */
  agent?: string;
  /** One line for people. */
  text: string;
  /** Everything else that is known of it; plain JSON. */
  details?: Record<string, unknown>;
}

/** Something that lasts: a state of a node or of the network, or an agent's stay on a node. */
export interface RecordedSpan {
  fromMs: number;
  toMs: number;
  kind: /** The machine is off. */
    | 'off'
    | 'paused'
    /** The node leads; `text` is the term. */
    | 'leading'
    /** Cut off from others; `text` says from whom. */
    | 'cut'
    /** An instance of `agent` exists on `node`; `text` is its epoch. */
    | 'agent';
  node: string;
  agent?: string;
  text: string;
}

/** Messages of one kind from one node to another within a slice of time. */
export interface RecordedTraffic {
  /** Begin of the slice; slices are `trafficSliceMs` long. */
  atMs: number;
  from: string;
  to: string;
  type: string;
  sent: number;
  /** Of those, how many were lost on the way. */
  lost: number;
}

/** A run as its report page shows it. Bounded: the oldest traffic and reports give way. */
export interface Recording {
  version: number;
  seed: string;
  /** The command that shows this run again. */
  command: string;
  durationMs: number;
  trafficSliceMs: number;
  nodes: { id: string; joinedMs: number }[];
  agents: string[];
  verdict: { ok: boolean; summary: string; checker?: string; evidence?: string };
  counts: Record<string, number>;
  events: RecordedEvent[];
  spans: RecordedSpan[];
  traffic: RecordedTraffic[];
  /** How many events were left out to stay within bounds. */
  omitted: number;
}
