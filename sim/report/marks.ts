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
  /** Marks of a higher layer are drawn above those of a lower one, and are easier to hit. */
  layer: 0 | 1 | 2;
}

/** In the order in which the page lists them. Each kind has a shape of its own: colour is never the only sign. */
export const marks: { readonly [K in RecordedKind]: Mark } = {
  violation: {
    label: 'violation',
    meaning: 'a promise was broken',
    path: 'M-6.5-4.4-4.4-6.5 0-2.1 4.4-6.5 6.5-4.4 2.1 0 6.5 4.4 4.4 6.5 0 2.1-4.4 6.5-6.5 4.4-2.1 0Z',
    colour: 'violation',
    layer: 2,
  },
  fault: {
    label: 'fault',
    meaning: 'the world broke something: a crash, a cut, a pause, a bad disk, or an order of the operator',
    path: 'M-6-4.5H6L0 6Z',
    colour: 'fault',
    layer: 2,
  },
  mend: {
    label: 'mend',
    meaning: 'the world mended it: a restart, an end of a pause, a healed cut',
    path: 'M-6 4.5H6L0-6Z',
    colour: 'mend',
    layer: 2,
  },
  report: {
    label: 'report',
    meaning: 'a node said so: a decision of the log, or something that only it saw',
    path: 'M-4.5 0A4.5 4.5 0 1 1 4.5 0 4.5 4.5 0 1 1-4.5 0Z',
    colour: 'report',
    layer: 1,
  },
  request: {
    label: 'request',
    meaning: 'a user asked for something, and what came of it',
    path: 'M0-6 6 0 0 6-6 0Z',
    colour: 'request',
    layer: 1,
  },
  acknowledged: {
    label: 'acknowledged',
    meaning: 'a task was acknowledged to its client',
    path: 'M-1.9-5.5H1.9V5.5H-1.9Z',
    colour: 'acknowledged',
    layer: 0,
  },
  phase: {
    label: 'phase',
    meaning: 'a phase of the run begins',
    path: 'M-5-6.5V6.5H-3.2V1H5.5L3-2.8 5.5-6.5Z',
    colour: 'phase',
    layer: 2,
  },
};

export const kinds = Object.keys(marks) as RecordedKind[];

/** How a mark of this kind is drawn; a kind that a newer recording has is shown as a report. */
export const markOf = (kind: RecordedKind): Mark => marks[kind] ?? marks.report;
