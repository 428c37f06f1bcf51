export const SIZE_SYNTAX =
  "bytes as a number, or a number with a unit: 512KiB, 8MiB, 5GiB (or KB, MB, GB of 1000)";

const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1000],
  ["mb", 1000 ** 2],
  ["gb", 1000 ** 3],
  ["tb", 1000 ** 4],
  ["kib", 1024],
  ["mib", 1024 ** 2],
  ["gib", 1024 ** 3],
  ["tib", 1024 ** 4],
]);

/** Bytes of `8MiB`, `5 GiB`, `10MB` or a bare number; undefined for anything else. */
export function parseSize(value: number | string): number | undefined {
  if (typeof value === "number") return wholeBytes(value);
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value.trim());
  const [, digits = "", unit = ""] = match ?? [];
  const unitBytes = match ? UNIT_BYTES.get(unit.toLowerCase()) : undefined;
  return unitBytes === undefined ? undefined : wholeBytes(Number(digits) * unitBytes);
}

function wholeBytes(bytes: number): number | undefined {
  const whole = Math.round(bytes);
  return Number.isSafeInteger(whole) && bytes >= 0 ? whole : undefined;
}
