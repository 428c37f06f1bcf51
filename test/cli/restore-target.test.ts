import { describe, expect, test } from "vitest";
import { restoreTarget } from "../../src/cli/restore-target.ts";

const NONE = { pointInTime: undefined, txid: undefined, nearest: false };

describe("restoreTarget", () => {
  test.each([
    [{}, { kind: "latest" }],
    [{ txid: "50" }, { kind: "txid", txid: 50n }],
    [{ txid: "18446744073709551615" }, { kind: "txid", txid: 2n ** 64n - 1n }],
    [{ pointInTime: "50" }, { kind: "txid", txid: 50n }],
    [
      { pointInTime: "2026-01-31T12:00:00Z" },
      { kind: "time", timestampMs: Date.UTC(2026, 0, 31, 12), nearest: false },
    ],
    [
      { pointInTime: "2026-01-31t13:00:00.9999+01:00" },
      { kind: "time", timestampMs: Date.UTC(2026, 0, 31, 12, 0, 0, 999), nearest: false },
    ],
    [
      { pointInTime: "2026-01-31 12:00:00z", nearest: true },
      { kind: "time", timestampMs: Date.UTC(2026, 0, 31, 12), nearest: true },
    ],
    [
      { pointInTime: "2024-02-29T00:00:00Z" },
      { kind: "time", timestampMs: Date.UTC(2024, 1, 29), nearest: false },
    ],
  ])("case %#", (flags, target) => {
    expect(restoreTarget({ ...NONE, ...flags })).toEqual(target);
  });

  test.each([
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:01:00Z",
    "2026-01-01",
    "12:00",
    "-5",
    "1.5",
    "",
  ])("%j is refused", (pointInTime) => {
    expect(() => restoreTarget({ ...NONE, pointInTime })).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});
