import prettyBytes from "pretty-bytes";
import prettyMilliseconds from "pretty-ms";

/** `3.4 kB`, `200 MB` (of 1000). */
export function humanSize(bytes: number): string {
  return prettyBytes(bytes);
}

/** `45ms`, `1.3s`, `2h 5m`. */
export function humanDuration(ms: number): string {
  return prettyMilliseconds(Math.max(0, ms), { unitCount: 2, secondsDecimalDigits: ms < 10_000 ? 1 : 0 });
}

/** `just now`, `3m ago`, `2d 4h ago`; a clock that is behind makes no negative ages. */
export function humanAge(thenMs: number, nowMs: number): string {
  const ageMs = nowMs - thenMs;
  return ageMs < 1000
    ? "just now"
    : `${prettyMilliseconds(ageMs, { unitCount: 2, secondsDecimalDigits: 0 })} ago`;
}
