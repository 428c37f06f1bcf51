import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Child, spawnChild } from "../../src/bench/child.ts";
import { type Alternation, runAlternating } from "../../src/bench/run-alternating.ts";
import type { Tool } from "../../src/bench/tools/tool.ts";
import { TooLong } from "../../src/bench/until.ts";
import { DEFAULT_OPTIONS, VoidRun, type Workload } from "../../src/bench/workload.ts";
import type { Writer } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";

const [ours, peer] = ["ours", "peer"].map((name) => ({ name }) as Tool) as [Tool, Tool];
const writer = { check: async () => {} } as unknown as Writer;

function workload(run: Workload["run"]): Workload {
  return { id: "X1", title: "", compares: true, knobs: () => [], measures: () => [], run };
}

/** Each run restores, and gives its number. */
const sound = workload(async (_, bench) => {
  await bench.writer.check("restored", 1);
  return { run: bench.run };
});

function alternation(more: Partial<Alternation> = {}) {
  return { runs: 3, options: DEFAULT_OPTIONS, writer, folder: tempFolder(), ...more };
}

test("tool by tool, in turned order in every second run", async () => {
  const order: string[] = [];
  const onRun = (tool: string, run: number) => void order.push(`${tool} ${run}`);
  const results = await runAlternating(sound, [ours, peer], alternation({ onRun }));
  expect(order).toEqual(["ours 0", "peer 0", "peer 1", "ours 1", "ours 2", "peer 2"]);
  const runs = [{ run: 0 }, { run: 1 }, { run: 2 }];
  expect(results).toEqual([
    { tool: "ours", runs },
    { tool: "peer", runs },
  ]);
});

test.each([
  ["is gone when it is over", {}, [0, 0, 0, 0, 0, 0]],
  ["stays until the last one, where the workload wants it", { keepsFiles: true }, [0, 1, 2, 3, 4, 5]],
] as const)("each run has an empty folder of its own, which %s", async (_, keeps, earlier) => {
  const given = alternation();
  const seen: string[] = [];
  const left: number[] = [];
  const writing = workload(async (tool, bench) => {
    expect(readdirSync(bench.scratch)).toEqual([]);
    left.push(seen.filter((scratch) => existsSync(join(scratch, "file"))).length);
    writeFileSync(join(bench.scratch, "file"), "");
    seen.push(bench.scratch);
    return sound.run(tool, bench);
  });
  await runAlternating({ ...writing, ...keeps }, [ours, peer], given);
  expect(new Set(seen).size).toBe(6);
  expect(left).toEqual(earlier);
  expect(readdirSync(given.folder)).toEqual([]);
});

describe("a void run", () => {
  const voidFor = (name: string, error: Error) =>
    workload(async (tool, bench) => {
      if (tool.name === name && bench.run === 1) throw error;
      return sound.run(tool, bench);
    });

  test.each([[new VoidRun("row 3 is another one")], [new TooLong("not within 5 ms")]])(
    "of ours ends it, and leaves no file: %s",
    async (error) => {
      const given = alternation({ onVoidPeer: () => {} });
      await expect(runAlternating(voidFor("ours", error), [ours, peer], given)).rejects.toBe(error);
      expect(readdirSync(given.folder)).toEqual([]);
    },
  );

  test("leaves no process", async () => {
    const children: Child[] = [];
    const helpless = workload(async () => {
      children.push(spawnChild(process.execPath, ["-e", "setInterval(() => {}, 1000)"]));
      throw new TooLong("not within 5 ms");
    });
    await expect(runAlternating(helpless, [ours], alternation())).rejects.toThrow(TooLong);
    expect((await children[0]?.exited)?.signal).toBe("SIGKILL");
  });

  test("of a peer takes its figures, not ours", async () => {
    const error = new VoidRun("row 3 is another one");
    const told: unknown[] = [];
    const onVoidPeer: Alternation["onVoidPeer"] = (...facts) => void told.push(facts);
    const results = await runAlternating(voidFor("peer", error), [ours, peer], alternation({ onVoidPeer }));
    expect(results).toEqual([{ tool: "ours", runs: [{ run: 0 }, { run: 1 }, { run: 2 }] }]);
    expect(told).toEqual([["peer", 1, error]]);
  });

  test("of a peer ends it where nobody takes note", async () => {
    const error = new VoidRun("row 3 is another one");
    await expect(runAlternating(voidFor("peer", error), [ours, peer], alternation())).rejects.toBe(error);
  });
});

describe("a signal", () => {
  test("kills what runs, waits for nothing, and leaves no file", async () => {
    const controller = new AbortController();
    const given = alternation({ signal: controller.signal });
    const children: Child[] = [];
    const endless = workload((_, bench) => {
      mkdirSync(join(bench.scratch, "live"));
      children.push(spawnChild(process.execPath, ["-e", "setInterval(() => {}, 1000); console.log()"]));
      children[0]?.onLine(() => controller.abort(new Error("stopped")));
      return new Promise(() => {});
    });
    await expect(runAlternating(endless, [ours], given)).rejects.toThrow("stopped");
    expect((await children[0]?.exited)?.signal).toBe("SIGKILL");
    expect(readdirSync(given.folder)).toEqual([]);
  });

  test("before a run: it does not begin", async () => {
    const order: number[] = [];
    const controller = new AbortController();
    const onValues: Alternation["onValues"] = (_, run) => {
      order.push(run);
      controller.abort(new Error("stopped"));
    };
    const { signal } = controller;
    await expect(runAlternating(sound, [ours], alternation({ signal, onValues }))).rejects.toThrow("stopped");
    expect(order).toEqual([0]);
  });
});
