import { expect, test } from "vitest";
import { humanAge, humanDuration, humanSize } from "../../src/observability/human.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [4100, "4.1 kB"],
  [2e8, "200 MB"],
])("%d bytes: %s", (bytes, text) => {
  expect(humanSize(bytes)).toBe(text);
});

test.each([
  [0, "0ms"],
  [45.4, "45ms"],
  [1349, "1.3s"],
  [59_000, "59s"],
  [7_500_000, "2h 5m"],
  [-5, "0ms"],
])("%d ms: %s", (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});

test.each([
  [0, "just now"],
  [-60_000, "just now"],
  [180_000, "3m ago"],
  [187_200_000, "2d 4h ago"],
])("%d ms ago: %s", (ageMs, text) => {
  expect(humanAge(1e12, 1e12 + ageMs)).toBe(text);
});
