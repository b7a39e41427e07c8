/** What an agent does on the side of a partition that has no majority. */
export const partitions = ['fenced', 'autonomous'] as const;
/** `fenced`: it waits. `autonomous`: it goes on there as a branch, and the histories are reconciled after the heal. */
export type Partition = (typeof partitions)[number];
