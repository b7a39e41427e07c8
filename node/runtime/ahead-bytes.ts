/** A state, or what a change inserts, goes to a thread and comes from it in pieces of this size: one in each turn. */
export const aheadBytes = 128 * 1024;
