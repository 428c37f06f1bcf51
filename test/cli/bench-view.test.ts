import { describe, expect, test } from "vitest";
import type { Outcome } from "../../src/bench/outcome.ts";
import { summarize } from "../../src/bench/summary.ts";
import { DEFAULT_OPTIONS, type Measure, type Workload } from "../../src/bench/workload.ts";
import { figureText } from "../../src/cli/views/bench-table.ts";
import { benchExitCode, benchHead, outcomeText, verdictText } from "../../src/cli/views/bench-view.ts";

const MEASURES: readonly Measure[] = [
  { name: "snapshot", unit: "MB/s", better: "more", goal: 120 },
  { name: "CPU", unit: "s/GB", better: "less", goalRatio: 0.5 },
  { name: "peak RSS", unit: "MB", better: "less", goal: 100 },
  { name: "share", unit: "", better: "more" },
];

const workload = {
  id: "S1",
  name: "snapshot",
  title: "one large database",
  knobs: () => ["200 MB of rows"],
} as unknown as Workload;

const runOf = (snapshot: number, cpu: number) => ({ snapshot, CPU: cpu, "peak RSS": 95.4, share: 0.512 });
const ours = { tool: "walrust", runs: [runOf(105, 9), runOf(101, 8.51), runOf(92.04, 8)] };
const peer = { tool: "litestream", runs: [runOf(40, 15), runOf(52, 17), runOf(45.5, 16.7)] };

const measured = (
  more: { readonly voidPeers?: readonly [{ tool: string; reason: string }] } = {},
): Outcome => {
  const results = more.voidPeers ? [ours] : [ours, peer];
  return { state: "measured", workload, summaries: summarize(MEASURES, results), voidPeers: [], ...more };
};
const voided: Outcome = { state: "void", workload, reason: "row 3 is another one" };
const leftOut: Outcome = { state: "left out", workload, reason: "no /proc" };
const voidPeer = measured({ voidPeers: [{ tool: "litestream", reason: "cannot restore" }] });

describe("benchHead", () => {
  const processor = "Some Processor";
  const machine = { processor, cores: 2, memoryBytes: 8e9, platform: "linux", arch: "x64", node: "v20.20.2" };
  const tools = [
    { name: "walrust", version: "0.1.0" },
    { name: "litestream", version: "0.5.17" },
  ];

  test("says what is measured, on what, and where", () => {
    expect(benchHead({ machine, folder: "/data", runs: 3, tools, hasProc: true })).toBe(
      [
        "walrust 0.1.0 beside litestream 0.5.17, Node v20.20.2",
        "2 x Some Processor, 8 GB, linux x64",
        "files in /data; 3 runs: median (least to most)",
      ].join("\n"),
    );
  });

  test("and what this machine cannot measure", () => {
    expect(benchHead({ machine, folder: "/data", runs: 1, tools, hasProc: false })).toMatch(
      /; one run\nno figures of memory and CPU: .* only Linux has$/,
    );
  });
});

describe("outcomeText", () => {
  test("medians with their range, the ratio, the goals", () => {
    expect(outcomeText(measured(), DEFAULT_OPTIONS)).toBe(
      [
        "snapshot: one large database",
        "  200 MB of rows",
        "",
        "                            WALRUST           LITESTREAM  RATIO  GOAL",
        "snapshot, MB/s    101 (92.0 to 105)  45.5 (40.0 to 52.0)  2.22x  at least 120: MISSED",
        "CPU, s/GB       8.51 (8.00 to 9.00)  16.7 (15.0 to 17.0)  0.51x  at most 0.5x: MISSED",
        "peak RSS, MB    95.4 (95.4 to 95.4)  95.4 (95.4 to 95.4)  1.00x  at most 100",
        "share           0.51 (0.51 to 0.51)  0.51 (0.51 to 0.51)  1.00x",
      ].join("\n"),
    );
  });

  test("a void peer has no column", () => {
    const text = outcomeText(voidPeer, DEFAULT_OPTIONS);
    expect(text).toContain("\n  litestream is VOID, no figures of it: cannot restore\n");
    expect(text).not.toContain("LITESTREAM");
    expect(text).not.toContain("45.5");
  });

  test("what is void or was left out has a reason alone", () => {
    expect(outcomeText(voided, DEFAULT_OPTIONS)).toBe(
      "snapshot: one large database\n  VOID, no figures: row 3 is another one",
    );
    expect(outcomeText(leftOut, DEFAULT_OPTIONS)).toBe(
      "snapshot: one large database\n  not measured: no /proc",
    );
  });
});

describe("verdictText", () => {
  test("says which goal was missed, and by how much", () => {
    expect(verdictText([measured(), voided])).toBe(
      [
        "goals: 1 of 3 reached",
        "missed: snapshot, snapshot: 101 MB/s, the goal is at least 120 (15.8 % below)",
        "missed: snapshot, CPU: 0.51 x the peer's, the goal is at most 0.5 (1.92 % above)",
      ].join("\n"),
    );
  });

  test("where there are none, that", () => {
    expect(verdictText([voided, leftOut])).toBe("no goals");
  });
});

test.each([
  ["a goal is missed", [measured()], { assert: false }, 0],
  ["a goal is missed, --assert", [measured()], { assert: true }, 1],
  ["nothing measured has a goal, --assert", [leftOut], { assert: true }, 0],
  ["a run is void", [voided], { assert: false }, 1],
  ["a peer is void", [voidPeer], { assert: false }, 1],
])("exit code where %s", (_, outcomes, options, exitCode) => {
  expect(benchExitCode(outcomes, options)).toBe(exitCode);
});

test.each([
  [0, "0"],
  [0.0123, "0.012"],
  [0.5, "0.5"],
  [1, "1.00"],
  [9.876, "9.88"],
  [98.76, "98.8"],
  [12345.6, "12346"],
])("%d is shown as %s", (value, text) => {
  expect(figureText(value)).toBe(text);
});
