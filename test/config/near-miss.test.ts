import { expect, test } from "vitest";
import { nearMiss } from "../../src/config/near-miss.ts";

const KNOWN = ["snapshot_interval", "max_changes", "on_idle"];

test.each([
  ["snapshot_intervall", "snapshot_interval"],
  ["max_change", "max_changes"],
  ["onidle", "on_idle"],
  ["parsecs", undefined],
  ["x", undefined],
])("%s is near %s", (word, meant) => {
  expect(nearMiss(word, KNOWN)).toBe(meant);
});

test("nothing is near when nothing is known", () => {
  expect(nearMiss("a", [])).toBeUndefined();
});
