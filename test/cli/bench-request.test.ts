import { expect, test } from "vitest";
import { DEFAULT_OPTIONS } from "../../src/bench/workload.ts";
import { benchRequest } from "../../src/cli/bench-request.ts";

const DEFAULTS = {
  workloads: [],
  runs: "3",
  databases: "1,10,100",
  megabytes: "200",
  seconds: "20",
  commits: "20",
};

const namesOf = (workloads: readonly string[]) =>
  benchRequest({ ...DEFAULTS, workloads }).workloads.map(({ name }) => name);

test("what a command line asks for", () => {
  const flags = { runs: "5", databases: "2,500", megabytes: "30", seconds: "7", commits: "8" };
  const { runs, options } = benchRequest({ ...DEFAULTS, ...flags });
  expect(runs).toBe(5);
  const asked = { sizes: [2, 500], megabytes: 30, codecMegabytes: 30, seconds: 7, commits: 8 };
  expect(options).toEqual({ ...DEFAULT_OPTIONS, ...asked });
});

test("the codec holds its database in memory: it does not grow with --megabytes", () => {
  expect(benchRequest({ ...DEFAULTS, megabytes: "5000" }).options).toMatchObject({
    megabytes: 5000,
    codecMegabytes: 64,
  });
});

test("workloads come in their own order, each once; none named: all", () => {
  expect(namesOf(["codec", "memory", "codec"])).toEqual(["memory", "codec"]);
  expect(namesOf([])).toEqual(["memory", "latency", "throughput", "snapshot", "restore", "codec"]);
});

test.each(["M1", "", "Memory"])("no workload: %j", (name) => {
  expect(() => namesOf([name])).toThrow(`bench: unknown workload ${name}`);
});
