import { describe, expect, test } from "vitest";
import { parseDuration } from "../../src/config/durations.ts";

describe("parseDuration", () => {
  test.each([
    [0, 0],
    [1, 1000],
    [0.25, 250],
    [3600, 3_600_000],
    ["0", 0],
    ["1.5", 1500],
    ["500ms", 500],
    ["5s", 5000],
    ["1.5s", 1500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    [" 5s ", 5000],
  ])("%j is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    "s",
    "5 s",
    "5S",
    "-5s",
    "5sec",
    "1h30m",
    "5s;",
    "1e3",
    "0x10",
    "Infinity",
    "99999d",
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])("%j is no duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test.each([0.0001, "0.1ms", "0.0001s"])("%j would round to 0, which means off", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
