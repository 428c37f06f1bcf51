import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { measure } from "../../src/bench/outcome.ts";
import { walrust } from "../../src/bench/tools/walrust.ts";
import { DEFAULT_OPTIONS } from "../../src/bench/workload.ts";
import { M1 } from "../../src/bench/workloads/memory.ts";
import { S1 } from "../../src/bench/workloads/snapshot.ts";
import { writerProcess } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";

const machine = vi.hoisted(() => ({ hasProc: true }));
vi.mock("node:fs", async (load) => {
  const fs = await load<typeof import("node:fs")>();
  const existsSync: typeof fs.existsSync = (path) =>
    String(path).startsWith("/proc/") ? machine.hasProc : fs.existsSync(path);
  return { ...fs, existsSync };
});

/** Programs in walrust's place; the second one is the peer. */
const tool = (name: string, index: number) => ({
  ...walrust(fileURLToPath(new URL(`./programs/${name}.mjs`, import.meta.url))),
  name: index === 0 ? "ours" : "peer",
});

const measured = (workload: typeof S1, names: readonly string[]) =>
  measure(workload, names.map(tool), {
    runs: 1,
    options: { ...DEFAULT_OPTIONS, megabytes: 0.1, sizes: [1] },
    writer: writerProcess(fileURLToPath(new URL("../../dist/bench-writer.js", import.meta.url))),
    folder: tempFolder(),
  });

const namesOf = (outcome: Awaited<ReturnType<typeof measure>>) =>
  outcome.state === "measured" ? outcome.summaries.map(({ measure }) => measure.name) : undefined;

test("what is restored as it was written is measured", async () => {
  machine.hasProc = true;
  const outcome = await measured(S1, ["honest"]);
  expect(outcome).toMatchObject({ state: "measured", workload: S1, voidPeers: [] });
  expect(namesOf(outcome)).toEqual(["snapshot", "CPU", "peak RSS"]);
});

test("idle memory has a figure and a goal for each number of databases", async () => {
  machine.hasProc = true;
  const outcome = await measured(M1, ["honest"]);
  expect(namesOf(outcome)).toEqual(["RSS, 1", "private dirty, 1"]);
  const [rss, dirty] = outcome.state === "measured" ? outcome.summaries : [];
  expect(rss?.measure.goal).toBe(65);
  expect(rss?.tools[0]?.median).toBeGreaterThan(20);
  expect(dirty?.tools[0]?.median).toBeLessThan(rss?.tools[0]?.median ?? 0);
});

test("void: there is a reason, and no figure", async () => {
  machine.hasProc = true;
  const outcome = await measured(S1, ["forgetful", "honest"]);
  expect(outcome).toEqual({
    state: "void",
    workload: S1,
    reason: expect.stringContaining("differs from the writer's record"),
  });
});

test("a void peer has a reason, and ours has its figures", async () => {
  machine.hasProc = true;
  const outcome = await measured(S1, ["honest", "helpless"]);
  expect(outcome).toMatchObject({
    state: "measured",
    voidPeers: [{ tool: "peer", reason: expect.stringContaining("cannot restore") }],
  });
});

test("without /proc memory is left out, and the rest is measured", async () => {
  machine.hasProc = false;
  expect(await measured(M1, ["honest"])).toMatchObject({
    state: "left out",
    reason: expect.stringContaining("only Linux"),
  });
  expect(namesOf(await measured(S1, ["honest"]))).toEqual(["snapshot"]);
});
