import { describe, expect, test } from "vitest";
import { parseSize } from "../../src/config/sizes.ts";

describe("parseSize", () => {
  test.each([
    [0, 0],
    [4096, 4096],
    ["4096", 4096],
    ["512B", 512],
    ["8MiB", 8 * 1024 ** 2],
    ["8 mib", 8 * 1024 ** 2],
    ["10MB", 10_000_000],
    ["1.5KiB", 1536],
    ["5GiB", 5 * 1024 ** 3],
    ["1TB", 1e12],
  ])("%j is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    "",
    "MB",
    "5G",
    "-1",
    "5 parsecs",
    "1e9",
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "99999999TiB",
  ])("%j is no size", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});
