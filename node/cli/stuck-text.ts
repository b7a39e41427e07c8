import type { agentJson } from '../api/views.ts';

/** Why an agent cannot be recovered by itself, what is left of it, and what an operator can do. */
export function stuckText(agent: string, stuck: ReturnType<typeof agentJson>['stuck']): string {
  if (stuck === null) return '';
  const missing = stuck.missing.map(({ name }) => name).join(', ');
  const lines = [
    `${agent} cannot be recovered by itself since ${new Date(stuck.since_ms).toISOString()}: most of its holders are missing (${missing}).`,
    'Bring one of them back and it goes on with nothing lost. What the others keep:',
  ];
  for (const { name, epoch, sequence, age_ms: ageMs } of stuck.survivors) {
    lines.push(`  ${name}: step ${sequence} of epoch ${epoch} (${epoch}:${sequence}), as it said ${ageMs} ms ago`);
  }
  const [best] = stuck.survivors;
  if (best === undefined) lines.push('  nothing, as far as is known');
  if (stuck.last !== null) {
    const { epoch, sequence, age_ms: ageMs } = stuck.last;
    const seconds = (ageMs / 1_000).toFixed(1);
    lines.push(
      `The last step that is known to have been acknowledged is ${sequence} of epoch ${epoch}, as known ${seconds} s before its host was missed.`,
    );
  }
  if (best !== undefined) {
    const command = `conclave recover-agent ${agent} --accept-loss ${best.epoch}:${best.sequence}`;
    lines.push(`To give up what only the missing ones have: ${command}`);
  }
  return lines.join('\n');
}
