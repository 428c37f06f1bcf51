import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { revisedRows, textOfRow } from "../../src/bench/rows.ts";
import { until } from "../../src/bench/until.ts";
import { VoidRun } from "../../src/bench/workload.ts";
import { type CheckpointTry, endWriter, lastLine, writerProcess } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const writer = writerProcess(fileURLToPath(new URL("../../dist/bench-writer.js", import.meta.url)));
const FRAME_BYTES = 4096 + 24;
const HEADER_BYTES = 32;

test("a revision changes one row in each part, and no length", () => {
  const rows = revisedRows(7, { rows: 4000, pages: 20 });
  expect(rows.map((n) => Math.floor((n - 1) / 200))).toEqual(Array.from({ length: 20 }, (_, part) => part));
  for (const n of rows) {
    expect(textOfRow(n, 7)).not.toBe(textOfRow(n));
    expect(textOfRow(n, 7)).toHaveLength(textOfRow(n).length);
  }
});

test("revisions change as many pages as they say, and are judged one by one", async () => {
  const path = join(tempFolder(), "revised.db");
  const { rows } = await writer.fill(path, 2);
  const revised = { commits: 3, pages: 20 };
  const child = writer.revise(path, revised);
  for (let commit = 1; commit <= revised.commits; commit++) {
    child.write("\n");
    await until("a commit", () => child.lines.length === commit);
    expect(statSync(`${path}-wal`).size).toBe(HEADER_BYTES + commit * revised.pages * FRAME_BYTES);
  }
  await endWriter(child);
  await writer.check(path, rows, revised);
  await expect(writer.check(path, rows, { ...revised, commits: 2 })).rejects.toBeInstanceOf(VoidRun);
  await expect(writer.check(path, rows)).rejects.toBeInstanceOf(VoidRun);
});

test("a transaction is one, as large as it says, and leaves its log to others", async () => {
  const path = join(tempFolder(), "large.db");
  const { bytes } = await writer.fill(path, 0.1);
  const transaction = await writer.transact(path, 6);
  expect(transaction.bytes - bytes).toBeGreaterThanOrEqual(6e6);
  expect(statSync(path).size).toBe(bytes);
  await transaction.end();
  await writer.check(path, transaction.rows);
});

test("its own checkpoints succeed where nobody reads, and not beside a reader", async () => {
  const path = join(tempFolder(), "own.db");
  await writer.fill(path, 0.1);
  const allTries = async () => {
    const child = writer.checkpoint(path, { count: 3, withinMs: 50 });
    await until("all checkpoints", () => child.lines.length === 3);
    const { rows } = lastLine<CheckpointTry>(child);
    await endWriter(child);
    await writer.check(path, rows);
    return child.lines.map((line) => JSON.parse(line) as CheckpointTry);
  };
  const modes = ["FULL", "RESTART", "TRUNCATE"];
  expect(await allTries()).toMatchObject(modes.map((mode) => ({ mode, isDone: true })));
  const reader = new Database(path);
  reader.exec("BEGIN; SELECT * FROM rows");
  expect(await allTries()).toMatchObject(modes.map((mode) => ({ mode, isDone: false })));
  reader.close();
});

test("a writer with pauses ends when it is told", async () => {
  const path = join(tempFolder(), "lone.db");
  await writer.fill(path, 0.1);
  const child = writer.lone(path, { commits: 1e9, seed: 1, gapSeconds: { least: 0.01, most: 0.02 } });
  await until("a few commits", () => child.lines.length >= 3);
  await endWriter(child);
  await writer.check(path, lastLine<{ rows: number }>(child).rows);
});
