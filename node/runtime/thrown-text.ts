/** What was thrown, in words; code may throw anything. */
export function thrownText(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something that cannot be shown as text';
  }
}
