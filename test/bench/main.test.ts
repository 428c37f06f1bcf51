import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../bench/main.ts";

const projectFolder = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a benchmark with a program in walrust's place; returns its exit code and what it printed. */
async function run(workload: string, program: string) {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const size = ["--runs", "1", "--megabytes", "0.1", "--seconds", "0.3"];
  const tool = ["--only", "walrust", "--walrust", `${projectFolder}test/bench/programs/${program}.mjs`];
  const code = await main([workload, "--json", ...size, ...tool], { projectFolder });
  return { code, stdout: log.mock.calls.join("\n"), stderr: error.mock.calls.join("\n") };
}

describe.each(["S1", "R1", "L2"])("%s (pitfall 51)", (workload) => {
  test("a tool that restores what was written has figures", async () => {
    const { code, stdout } = await run(workload, "honest");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id: workload, tools: [{ name: "walrust", runs: [{}] }] });
  });

  test.each([
    ["forgetful", "differs from the writer's record"],
    ["helpless", "cannot restore"],
  ])("a tool that is %s: void, exit 1, no figures", async (program, why) => {
    const { code, stdout, stderr } = await run(workload, program);
    expect(code).toBe(1);
    expect(stderr).toContain("void: ");
    expect(stderr).toContain(why);
    expect(stdout).toBe("");
  });
});
