/** A longer wait than this is a slip of the keyboard, not a wish. */
export const LONGEST_DURATION_MS = 3650 * 24 * 3_600_000;

export const DURATION_SYNTAX = "seconds as a number, or a number with a unit: 500ms, 5s, 2m, 1h, 7d";

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/**
 * Milliseconds of `500ms`, `5s`, `2m`, `1h`, `7d`; a bare number is seconds. Fractions are allowed and end in whole
 * milliseconds. Undefined for anything else: also for what would round to 0 although it is more, because 0 means "off".
 */
export function parseDuration(value: number | string): number | undefined {
  const [amount, unitMs] = typeof value === "number" ? [value, 1000] : splitUnit(value);
  if (amount === undefined || unitMs === undefined) return undefined;
  const exactMs = amount * unitMs;
  const wholeMs = Math.round(exactMs);
  if (!Number.isFinite(exactMs) || exactMs < 0 || wholeMs > LONGEST_DURATION_MS) return undefined;
  return wholeMs === 0 && exactMs > 0 ? undefined : wholeMs;
}

function splitUnit(text: string): [number | undefined, number | undefined] {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text.trim());
  const [, digits = "", unit = ""] = match ?? [];
  return match ? [Number(digits), unit === "" ? 1000 : UNIT_MS.get(unit)] : [undefined, undefined];
}
