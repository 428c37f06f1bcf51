import { expect, test } from "vitest";
import { judgedRun } from "../../src/bench/judged-run.ts";
import type { Tool } from "../../src/bench/tools/tool.ts";
import { type Bench, VoidRun, type Workload } from "../../src/bench/workload.ts";

const tool = { name: "a tool" } as Tool;

function benchWith(check: () => Promise<void>): Bench {
  return { scratch: "", run: 0, options: {}, writer: { check } } as unknown as Bench;
}

const workload = (run: Workload["run"]): Workload => ({
  id: "X1",
  title: "",
  compares: true,
  knobs: () => [],
  measures: () => [],
  run,
});

test("what was compared counts", async () => {
  const bench = benchWith(async () => {});
  const comparing = workload(async (_, { writer }) => {
    await writer.check("restored", 7);
    return { speed: 9 };
  });
  expect(await judgedRun(comparing, tool, bench)).toEqual({ speed: 9 });
});

test("a run that restores and compares nothing is void (pitfall 51)", async () => {
  const bench = benchWith(async () => {});
  await expect(
    judgedRun(
      workload(async () => ({ speed: 9 })),
      tool,
      bench,
    ),
  ).rejects.toThrow(new VoidRun("X1 with a tool: nothing was restored and compared"));
});

test("one that swallows what a comparison found, too", async () => {
  const bench = benchWith(async () => {
    throw new VoidRun("row 3 is another one");
  });
  const careless = workload(async (_, { writer }) => {
    await writer.check("restored", 7).catch(() => {});
    return { speed: 9 };
  });
  await expect(judgedRun(careless, tool, bench)).rejects.toThrow("nothing was restored and compared");
});
