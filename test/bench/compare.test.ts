import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { L4 } from "../../bench/compare/L4.ts";
import { assertPublished, R1_INCREMENTS } from "../../bench/compare/R1-increments.ts";
import { S1_S3 } from "../../bench/compare/S1-S3.ts";
import { judgedRun } from "../../src/bench/judged-run.ts";
import type { Tool } from "../../src/bench/tools/tool.ts";
import { walrust } from "../../src/bench/tools/walrust.ts";
import { type Bench, type BenchOptions, DEFAULT_OPTIONS, VoidRun } from "../../src/bench/workload.ts";
import { writerProcess } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const tool = walrust(join(dist, "cli.js"));

function benchWith(options: Partial<BenchOptions>): Bench {
  return {
    scratch: tempFolder(),
    run: 0,
    options: { ...DEFAULT_OPTIONS, weed: undefined, ...options },
    writer: writerProcess(join(dist, "bench-writer.js")),
  };
}

test("R1-increments: walrust's copy of small commits restores, a file each", async () => {
  const values = await judgedRun(R1_INCREMENTS, tool, benchWith({ increments: [3] }));
  expect(values).toEqual({ "3 incrementals": expect.any(Number), "3 incrementals, CPU": expect.any(Number) });
}, 120_000);

describe("R1-increments: a figure is of as many files as it says", () => {
  const publish = (files: number) => {
    const folder = join(tempFolder(), "storage");
    mkdirSync(join(folder, "d0"), { recursive: true });
    for (let file = 0; file < files; file++) writeFileSync(join(folder, "d0", `${file}.ltx`), "");
    const databases = [{ name: "d0", path: "d0.db" }];
    return { databases, storage: { kind: "folder", path: folder }, scratch: folder } as const;
  };
  const merging = { name: "a tool", publications: () => "d0/" } as unknown as Tool;

  test.each([101, 106])("a snapshot and 100 commits in %d files: counts", (files) => {
    assertPublished(merging, publish(files), 100);
  });

  test.each([100, 107])("in %d files: void", (files) => {
    expect(() => assertPublished(merging, publish(files), 100)).toThrow(
      new VoidRun(`a tool made ${files - 1} incrementals of 100 commits`),
    );
  });
});

test("L4: each of the application's checkpoints is counted, in its mode", async () => {
  const values = await judgedRun(L4, tool, benchWith({ checkpoints: 3 }));
  const ofModes = ["FULL", "RESTART", "TRUNCATE"].map((mode) => values[mode] ?? Number.NaN);
  // how many succeed is a matter of the machine's load too: giving-way.torture.ts
  for (const percent of ofModes) expect([0, 100]).toContain(percent);
  expect(values["succeed"]).toBeCloseTo(ofModes.reduce((sum, percent) => sum + percent) / 3);
}, 120_000);

test("S1-S3 says what is missing where there is no S3 server", async () => {
  await expect(S1_S3.run(tool, benchWith({}))).rejects.toThrow(/--weed.*WALRUST_WEED/);
});
