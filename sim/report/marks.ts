import type { RecordedKind } from '../recording.ts';

/** How the events of one kind are drawn and named. */
export interface Mark {
  label: string;
  /** For the legend. */
  meaning: string;
  /** Outline as SVG path data, in a box of 16 units around the origin. */
  path: string;
  /** Name of the colour in the style sheet, without the dashes in front. */
  colour: string;
  /** Loud marks are drawn above quiet ones. */
  loud: boolean;
}

/** In the order in which the page lists them. Each kind has a shape of its own: colour is never the only sign. */
export const marks: { readonly [K in RecordedKind]: Mark } = {
  violation: {
    label: 'violation',
    meaning: 'a promise was broken',
    path: 'M-6.5-4.4-4.4-6.5 0-2.1 4.4-6.5 6.5-4.4 2.1 0 6.5 4.4 4.4 6.5 0 2.1-4.4 6.5-6.5 4.4-2.1 0Z',
    colour: 'violation',
    loud: true,
  },
  fault: {
    label: 'fault',
    meaning: 'the world broke something: a crash, a cut, a pause, a bad disk, or an order of the operator',
    path: 'M-6-4.5H6L0 6Z',
    colour: 'fault',
    loud: true,
  },
  mend: {
    label: 'mend',
    meaning: 'the world mended it: a restart, an end of a pause, a healed cut',
    path: 'M-6 4.5H6L0-6Z',
    colour: 'mend',
    loud: true,
  },
  report: {
    label: 'report',
    meaning: 'a node said so: a decision of the log, or something that only it saw',
    path: 'M-4.5 0A4.5 4.5 0 1 1 4.5 0 4.5 4.5 0 1 1-4.5 0Z',
    colour: 'report',
    loud: false,
  },
  request: {
    label: 'request',
    meaning: 'a user asked for something, and what came of it',
    path: 'M0-6 6 0 0 6-6 0Z',
    colour: 'request',
    loud: false,
  },
  acknowledged: {
    label: 'acknowledged',
    meaning: 'a task was acknowledged to its client',
    path: 'M-1.3-5.5H1.3V5.5H-1.3Z',
    colour: 'acknowledged',
    loud: false,
  },
  phase: {
    label: 'phase',
    meaning: 'a phase of the run begins',
    path: 'M-5-6.5V6.5H-3.2V1H5.5L3-2.8 5.5-6.5Z',
    colour: 'phase',
    loud: true,
  },
};

export const kinds = Object.keys(marks) as RecordedKind[];

/** How a mark of this kind is drawn; a kind that a newer recording has is shown as a report. */
export const markOf = (kind: RecordedKind): Mark => marks[kind] ?? marks.report;
