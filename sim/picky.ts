/** What the pickiest agents need of their host. */
export const pickyNeed = 'gpu>=2';

/** Every other machine has it, and the rest an older one. */
export const offersOf = (index: number): string[] => [index % 2 === 0 ? 'gpu=2.1' : 'gpu=1.9'];

/** Whether a node that offers these has what is needed. Written apart from the program: versions here are decimals. */
export function isMet(need: string, offered: readonly string[]): boolean {
  const [name, least] = need.split('>=');
  return offered.some((each) => {
    const [offer, version] = each.split('=');
    return offer === name && (least === undefined || Number(version) >= Number(least));
  });
}
