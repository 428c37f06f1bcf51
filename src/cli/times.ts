/** RFC 3339 in UTC with milliseconds; undefined stays so. */
export function timeText(timestampMs: number | undefined): string | undefined {
  return timestampMs === undefined ? undefined : new Date(timestampMs).toISOString();
}
