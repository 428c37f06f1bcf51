import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { spawnChild } from "../../src/bench/child.ts";

const projectFolder = fileURLToPath(new URL("../..", import.meta.url));
const SIZES = Object.entries({
  runs: 1,
  databases: 4,
  "fewer-databases": 2,
  rate: 40,
  "calm-rate": 10,
  seconds: 1,
  "busy-rate": 10,
  "busy-seconds": 1,
  "parked-databases": 6,
}).flatMap(([name, value]) => [`--${name}`, String(value)]);

/** The harness as it is run, walrust alone. Its S3 server is a process of its own. */
function bench(id: string, ...more: readonly string[]) {
  const args = [`${projectFolder}bench/run.mjs`, id, "--json", "--only", "walrust", ...SIZES, ...more];
  return spawnChild(process.execPath, args).exited;
}

/** What walrust measured. */
async function valuesOf(id: string): Promise<Readonly<Record<string, number>>> {
  const { code, stdout, stderr } = await bench(id);
  expect(stderr).not.toContain("void");
  expect(code).toBe(0);
  return JSON.parse(stdout).tools[0].runs[0];
}

describe("many databases, a few of them", { timeout: 180_000 }, () => {
  test("M2: memory of both crowds, and the rate that the writer reached", async () => {
    const values = await valuesOf("M2");
    for (const count of [4, 2]) {
      expect(values[`RSS, ${count}`]).toBeGreaterThan(30);
      expect(values[`peak RSS, ${count}`]).toBeGreaterThanOrEqual(values[`RSS, ${count}`] ?? 0);
      expect(values[`commits, ${count}`]).toBeGreaterThan(5);
    }
  });

  test("T1: lags of two loads, none of them before its commit", async () => {
    const values = await valuesOf("T1");
    for (const load of ["", "busy "]) {
      const [p50 = 0, p95 = 0, worst = 0] = ["p50", "p95", "worst"].map(
        (name) => values[`${load}lag ${name}`],
      );
      expect(p50).toBeGreaterThan(0);
      expect(p95).toBeGreaterThanOrEqual(p50);
      expect(worst).toBeGreaterThanOrEqual(p95);
      expect(values[`${load}commits`]).toBeGreaterThan(5);
    }
    expect(values["PUTs"]).toBeGreaterThan(0);
  });

  test("L1-many", async () => {
    const { p50 = 0, p95 = 0 } = await valuesOf("L1-many");
    expect(p50).toBeGreaterThan(0);
    expect(p95).toBeGreaterThanOrEqual(p50);
  });

  test("U1: a restart without changes uploads nothing", async () => {
    const values = await valuesOf("U1");
    expect(values).toMatchObject({ "unchanged restart, uploads": 0 });
    expect(values["protected"]).toBeGreaterThan(0);
    expect(values["restart"]).toBeGreaterThan(0);
  });

  test("U1-far: a copy is not there before four answers, which take their time", async () => {
    const values = await valuesOf("U1-far");
    expect(values["protected"]).toBeGreaterThan(0.2);
    expect(values["peak RSS"]).toBeGreaterThan(30);
  });

  test("I1: nothing is asked of storage", async () => {
    expect(await valuesOf("I1")).toMatchObject({
      requests: 0,
      lists: 0,
      reads: 0,
      "writes and deletions": 0,
    });
  });

  test("M4", async () => {
    const values = await valuesOf("M4");
    expect(values).toMatchObject({ requests: 0 });
    expect(values["descriptors"]).toBeGreaterThan(10);
  });

  test("a tool that loses a row: void, exit 1, no figures (pitfall 51)", async () => {
    const losing = `${projectFolder}test/bench/programs/loses-a-row.mjs`;
    const { code, stdout, stderr } = await bench("L1-many", "--walrust", losing);
    expect(stderr).toContain("differs from the writer's record");
    expect(code).toBe(1);
    expect(stdout).toBe("");
  });
});
