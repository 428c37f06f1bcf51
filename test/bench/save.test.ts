import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../bench/main.ts";
import { BEGIN, END } from "../../bench/page/page.ts";
import { readResults } from "../../bench/saved-result.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const programs = join(project, "test", "bench", "programs");

/** A project without results, with the built program. */
function emptyProject(): string {
  const folder = tempFolder();
  symlinkSync(join(project, "dist"), join(folder, "dist"));
  mkdirSync(join(folder, "docs"));
  writeFileSync(join(folder, "README.md"), `# it\n${BEGIN}\n${END}\n`);
  return folder;
}

/** A program in Litestream's place. */
function litestreamThatIs(what: "honest" | "forgetful"): string {
  const path = join(tempFolder(), "litestream");
  const script = join(programs, `litestream-${what}.mjs`);
  writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

async function bench(projectFolder: string, ...args: readonly string[]) {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const code = await main([...args, "--runs", "2", "--megabytes", "0.1"], { projectFolder });
  return { code, said: [...log.mock.calls, ...error.mock.calls].join("\n") };
}

const walrustThatIs = (what: string) => ["--walrust", join(programs, `${what}.mjs`)];

test("--save keeps every run of both tools, and makes page and README of it", async () => {
  const folder = emptyProject();
  const tools = [...walrustThatIs("honest"), "--litestream", litestreamThatIs("honest")];
  const { code, said } = await bench(folder, "S1", "--save", ...tools);
  expect(said).toContain("1 of 1 were never measured");
  expect(code).toBe(0);
  const results = readResults(join(folder, "bench", "results"));
  expect(results.map(({ id, command }) => [id, command])).toEqual([
    ["S1", "npm run bench -- S1 --runs 2 --megabytes 0.1"],
  ]);
  for (const { tools, machine, measures } of results) {
    const names = measures.map(({ name }) => name);
    expect(tools.map((tool) => ("runs" in tool ? tool.runs.map((run) => Object.keys(run)) : []))).toEqual([
      [names, names],
      [names, names],
    ]);
    expect(tools.map(({ name, version }) => [name, version])).toEqual([
      ["walrust", "not walrust"],
      ["litestream", "0.5.99"],
    ]);
    expect(machine.node).toBe(process.version);
  }
  for (const file of ["README.md", "docs/benchmarks.md"])
    expect(readFileSync(join(folder, file), "utf8")).toContain(
      "`npm run bench -- S1 --runs 2 --megabytes 0.1`",
    );
  expect(readdirSync(join(folder, "docs", "benchmarks"))).toEqual(["ratios.svg"]);
});

test("a peer whose restores differ is void: it has no figures, ours have, and it is not run again", async () => {
  const folder = emptyProject();
  const { code, said } = await bench(
    folder,
    ...["S1", "--save", ...walrustThatIs("honest"), "--litestream", litestreamThatIs("forgetful")],
  );
  expect(code).toBe(0);
  expect(said.match(/litestream is void/g)).toHaveLength(1);
  const [result] = readResults(join(folder, "bench", "results"));
  expect(result?.tools).toMatchObject([
    { name: "walrust", runs: [{}, {}] },
    { name: "litestream", void: expect.stringContaining("differs from the writer's record") },
  ]);
});

test("a run of ours that is void keeps nothing, and the others go on", async () => {
  const folder = emptyProject();
  const { code, said } = await bench(
    folder,
    ...["S1", "C1", "--codec-megabytes", "0.1", "--save"],
    ...[...walrustThatIs("forgetful"), "--litestream", litestreamThatIs("honest")],
  );
  expect(code).toBe(1);
  expect(said).toContain("void: ");
  expect(readResults(join(folder, "bench", "results")).map(({ id }) => id)).toEqual(["C1"]);
});

test.each([
  ["no workload", [], "name a workload"],
  ["a workload that is none", ["X9"], "no workload X9"],
  ["JSON of two workloads", ["S1", "R1", "--json"], "--json is for one workload"],
  ["keeping what compares nothing", ["S1", "--save", "--only", "walrust"], "nothing to save"],
  [
    "a program that is not there",
    ["S1", "--litestream", "/nowhere/litestream"],
    "litestream does not run here",
  ],
])("refused: %s", async (_, args, why) => {
  const { code, said } = await bench(emptyProject(), ...args);
  expect(code).toBe(2);
  expect(said).toContain(why);
});
