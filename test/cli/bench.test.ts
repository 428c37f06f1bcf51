import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWalrust } from "../helpers/e2e/walrust.ts";

/** As little as can be measured. */
const SMALL = ["--runs", "1", "--megabytes", "1", "--seconds", "1", "--commits", "1"];

/** A program with the name of Litestream, in a folder of the scene; the folder. */
function fakeLitestream(at: Scene, name: "honest" | "forgetful"): string {
  const program = fileURLToPath(new URL(`../bench/programs/litestream-${name}.mjs`, import.meta.url));
  const folder = at.path("bin");
  mkdirSync(folder);
  const path = join(folder, "litestream");
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(path, 0o755);
  return folder;
}

/** What a bench left in the folder for its files. */
const leftIn = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("walrust-bench-"));

test("a table with figures and goals, in the order of all workloads", async () => {
  const at = scene();
  const { code, stdout, stderr } = await runWalrust(at, ["bench", "codec", "throughput", "codec", ...SMALL]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(stdout).toMatch(new RegExp(`^walrust ${version}, Node v`));
  expect(stdout).toContain(`\nfiles in ${at.folder}; one run\n`);
  expect(stdout).toMatch(/\nthroughput: .*\n +WALRUST {2}GOAL\n.*\ncodec: .*\n +WALRUST\n/s);
  expect(stdout).toMatch(/\nshare of its speed alone +[\d.]+ {2}at least 0\.85(: MISSED)?\n/);
  expect(stdout).toMatch(/\nLTX encode, MB\/s +[\d.]+\n/);
  expect(stdout.split("codec: ").length).toBe(2);
  expect(stdout).toMatch(/\n\ngoals: \d of 3 reached\n/);
  expect(leftIn(at.folder)).toEqual([]);
});

describe("--against", () => {
  // Half of what a script costs that copies a file: no real program can do with that.
  test("a goal that is missed beside the peer: --assert ends with 1", async () => {
    const at = scene();
    const env = { PATH: [fakeLitestream(at, "honest"), process.env["PATH"]].join(delimiter) };
    const args = ["bench", "snapshot", "--against", "litestream", ...SMALL];
    const { code, stdout } = await runWalrust(at, args, { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^walrust [\d.]+ beside litestream 0\.5\.99, Node /);
    expect(stdout).toMatch(/\nCPU, s\/GB +[\d.]+ +[\d.]+ +[\d.]+x {2}at most 0\.5x: MISSED\n/);
    expect(stdout).toMatch(
      /\nmissed: snapshot, CPU: [\d.]+ x the peer's, the goal is at most 0\.5 \(\d+ % above\)\n/,
    );
    const asserted = await runWalrust(at, [...args, "--assert", "--json"], { env });
    expect(asserted.code).toBe(1);
    const document = JSON.parse(asserted.stdout);
    expect(document.workloads[0].measures[1]).toMatchObject({
      name: "CPU",
      goal: { of: "ratio", value: 0.5, met: false },
      tools: [{ tool: "walrust" }, { tool: "litestream" }],
    });
    expect(document.missed).toEqual([
      { workload: "snapshot", measure: "CPU", of: "ratio", goal: 0.5, reached: expect.any(Number) },
    ]);
    expect(asserted.stderr).toBe("");
  });

  test("a peer whose restore differs is void: no figures of it, and exit 1", async () => {
    const at = scene();
    fakeLitestream(at, "forgetful");
    const args = ["bench", "snapshot", "--against", "./bin/litestream", "--json", ...SMALL];
    const { code, stdout } = await runWalrust(at, args);
    expect(code).toBe(1);
    const [workload] = JSON.parse(stdout).workloads;
    expect(workload.void_peers).toEqual([
      { tool: "litestream", reason: expect.stringContaining("differs from the writer's record") },
    ]);
    expect(workload.measures[0]).toMatchObject({ ratio: null, tools: [{ tool: "walrust" }] });
    expect(workload.measures[0].tools).toHaveLength(1);
  });

  test.each([
    ["litestream-that-is-not-there", "cannot be started: there is no such program"],
    ["./storage", "cannot be started: EACCES"],
    ["true", "is not Litestream: it tells no version"],
    ["./old", "is Litestream v0.3.13: its copies are of another kind"],
  ])("%s %s", async (program, message) => {
    const at = scene();
    writeFileSync(at.path("old"), "#!/bin/sh\necho v0.3.13\n", { mode: 0o755 });
    const { code, stdout, stderr } = await runWalrust(at, ["bench", "--against", program]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

test("--dir that is not there", async () => {
  const { code, stdout, stderr } = await runWalrust(scene(), ["bench", "codec", "--dir", "nowhere"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("nowhere: ENOENT");
});

describe.runIf(process.platform === "linux")("stopped in the middle", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s: no process and no file stays, exit %i", async (signal, exitCode) => {
    const at = scene();
    mkdirSync(at.path("disk"));
    const args = ["bench", "throughput", "--seconds", "600", "--dir", "disk", "--json"];
    const bench = startWalrust(at, args);
    const writers = await until("the writer runs", () => {
      const found = childrenOf(bench.pid);
      return found.length > 0 && leftIn(at.path("disk")).length === 1 && found;
    });
    bench.kill(signal);
    const { code, stdout, stderr } = await bench.exited;
    expect(code).toBe(exitCode);
    expect(stderr).toBe("error: stopped before it was done\n");
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "ABORTED", exit_code: exitCode } });
    expect(readdirSync(at.path("disk"))).toEqual([]);
    await until("its processes are gone", () => writers.every((pid) => !isAlive(pid)));
  });
});

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
}
