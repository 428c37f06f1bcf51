import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { spawnChild } from "../../src/bench/child.ts";
import { prove } from "../../src/bench/session.ts";
import type { BenchDatabase, Job, Tool } from "../../src/bench/tools/tool.ts";
import { type Bench, VoidRun } from "../../src/bench/workload.ts";
import { writerProcess } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const writer = writerProcess(fileURLToPath(new URL("../../dist/bench-writer.js", import.meta.url)));

/** Proves two copies of one database and a third one with `megabytes`; resolves to what SQLite read. */
async function proveThree({ thirdMegabytes }: { readonly thirdMegabytes: number }) {
  const scratch = tempFolder();
  const { rows } = await writer.fill(join(scratch, "d0.db"), 0.1);
  copyFileSync(join(scratch, "d0.db"), join(scratch, "d1.db"));
  await writer.fill(join(scratch, "d2.db"), thirdMegabytes);
  const databases = ["d0", "d1", "d2"].map((name) => ({ name, path: join(scratch, `${name}.db`) }));
  const tool = {
    name: "a tool",
    restore: (_: Job, { path }: BenchDatabase, out: string) => spawnChild("cp", [path, out]),
  } as unknown as Tool;
  const read: string[] = [];
  const check: Bench["writer"]["check"] = async (path, ...record) => {
    read.push(path.replace(/^.*\/|\.restored$/g, ""));
    await writer.check(path, ...record);
  };
  const bench = { scratch, writer: { ...writer, check } } as unknown as Bench;
  const job = { databases, scratch, storage: { kind: "folder", path: scratch } } as const;
  const outcome = await prove(bench, tool, job, rows).catch((error: unknown) => error);
  return { outcome, read };
}

describe("every copy is proved", () => {
  test("one that is the same to the byte as a proved one is not read again", async () => {
    const { outcome, read } = await proveThree({ thirdMegabytes: 0.1 });
    expect(outcome).toBeUndefined();
    expect(read.length).toBeLessThan(3); // two at once may both be read
  });

  test("one that differs is read, and voids the run", async () => {
    const { outcome, read } = await proveThree({ thirdMegabytes: 0.2 });
    expect(outcome).toBeInstanceOf(VoidRun);
    expect(read).toContain("d2");
  });
});
