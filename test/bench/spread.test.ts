import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commitsOf, type SpreadLoad } from "../../src/bench/spread.ts";
import { writerProcess } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const writer = writerProcess(fileURLToPath(new URL("../../dist/bench-writer.js", import.meta.url)));

/** What the writer says of a load on three databases, each of which is judged by it. */
async function spread(load: SpreadLoad) {
  const folder = tempFolder();
  const paths = ["a.db", "b.db", "c.db"].map((name) => join(folder, name));
  let before = 0;
  for (const path of paths) before = (await writer.fill(path, 0.02)).rows;
  const beganNs = process.hrtime.bigint();
  const spreading = await writer.spread(join(folder, "list"), paths, load);
  const record = await spreading.done;
  await spreading.end();
  const commits = commitsOf(record);
  for (const [at, path] of paths.entries()) {
    await writer.check(path, commits[at]?.at(-1)?.rows ?? before);
  }
  const stamps = commits.flat().map(({ atNs }) => atNs);
  expect(stamps.every((atNs) => atNs > beganNs && atNs < process.hrtime.bigint())).toBe(true);
  return { before, record, commits, counts: commits.map((made) => made.length) };
}

test("commits to all databases in turn, and knows the row and the time of each", async () => {
  const { before, commits, counts } = await spread({ rate: 100, seconds: 0.3 });
  const total = counts.reduce((sum, count) => sum + count, 0);
  expect(total).toBeGreaterThan(3);
  expect(total).toBeLessThanOrEqual(30);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  for (const made of commits) {
    expect(made.map(({ rows }) => rows)).toEqual(made.map((_, at) => before + 1 + at));
    expect(made.map(({ atNs }) => atNs)).toEqual(
      made.map(({ atNs }) => atNs).sort((a, b) => (a < b ? -1 : 1)),
    );
  }
});

test("not faster than it is told", async () => {
  const rate = 50;
  const { commits, record } = await spread({ rate, seconds: 0.4 });
  const seconds = commits.flat().map(({ atNs }) => Number(atNs - BigInt(record.startedNs)) / 1e9);
  const early = seconds.sort((a, b) => a - b).filter((second, at) => second < at / rate - 1e-5);
  expect(early).toEqual([]);
});

test("at random: the same picks for the same seed", async () => {
  const picks = async (seed: number) => {
    const { record } = await spread({ rate: 40, seconds: 1.5, seed });
    return [...Buffer.from(record.picks, "base64")].filter((_, at) => at % 2 === 0).slice(0, 8); // the low bytes
  };
  const [first, again, other] = await Promise.all([picks(1), picks(1), picks(2)]);
  expect(first).toHaveLength(8);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});
