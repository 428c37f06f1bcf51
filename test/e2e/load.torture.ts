import { closeSync, openSync, readSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { followTree, sampleTree } from "../../src/bench/process-tree.ts";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { restored, startWalrust, startWatch } from "../helpers/e2e/walrust.ts";
import { assertPrefix } from "../helpers/writers/assert-prefix.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

const MEGABYTE = 1_000_000;

/** What tells one generation of a log from the next (SQLite file format, section 4.1). */
function saltsOf(log: string): string {
  const fd = openSync(log, "r");
  try {
    const header = Buffer.alloc(32);
    readSync(fd, header, 0, header.length, 0);
    return header.toString("hex", 16, 24);
  } finally {
    closeSync(fd);
  }
}

test("a writer that never pauses for a minute: the log and the memory stay bounded, nothing is missing", async () => {
  const at = scene();
  const database = at.path("app.db");
  const writer = await startWriter({ database, busyTimeoutMs: 5000 });
  onTestFinished(() => writer.kill());
  const watch = startWatch(at, { databases: [database], syncInterval: "1s" });
  await watch.untilPublished("app");
  // How large a log gets depends on the machine; that it begins anew again and again is what keeps it bounded.
  const generations = new Set<string>();
  const endMs = performance.now() + 60_000;
  await until(
    "the time is over",
    () => {
      generations.add(saltsOf(`${database}-wal`));
      return performance.now() > endMs;
    },
    { limitMs: 70_000, everyMs: 50 },
  );
  const { peakRssBytes } = sampleTree(watch.child.pid);
  const { transactions, slowestCommitMs } = await writer.stop();
  const written = writer.acknowledged();
  await watch.drain();
  assertPrefix(await restored(at, "app"), { atLeast: written, atMost: written });
  expect(transactions).toBeGreaterThan(10_000);
  expect(generations.size, "how often the log began anew").toBeGreaterThan(2);
  expect(peakRssBytes / MEGABYTE, "peak RSS, MB").toBeLessThan(200);
  expect(slowestCommitMs, "the slowest commit, ms").toBeLessThan(2000);
});

test("a reader that stays for a minute: commits go on, everything is published, and the log is given back afterwards", async () => {
  const at = scene();
  const database = at.path("app.db");
  const writer = await startWriter({ database, rate: 300 });
  onTestFinished(() => writer.kill());
  const args = ["--checkpoint-interval", "500ms", "--min-checkpoint-pages", "50"];
  const watch = startWatch(at, { databases: [database], args });
  await watch.untilPublished("app");
  const reader = openApplication(database);
  reader.exec("BEGIN; SELECT count(*) FROM log");
  const endMs = performance.now() + 60_000;
  await until("the reader has stayed", () => performance.now() > endMs, { limitMs: 70_000 });
  const seen = writer.acknowledged();
  assertPrefix(await restored(at, "app"), { atLeast: Math.floor(seen / 2) });
  reader.exec("COMMIT");
  reader.close();
  const { slowestCommitMs } = await writer.stop();
  const written = writer.acknowledged();
  await watch.drain();
  expect(slowestCommitMs, "the slowest commit, ms").toBeLessThan(1000);
  assertPrefix(await restored(at, "app"), { atLeast: written, atMost: written });
});

test("a writer at full speed that is only observed, 15 s: the log begins anew, nothing is missing", async () => {
  const at = scene();
  const database = at.path("app.db");
  const writer = await startWriter({ database, busyTimeoutMs: 5000 });
  onTestFinished(() => writer.kill());
  const args = ["--observe", "--shadow-dir", at.path("state"), "--min-checkpoint-pages", "100"];
  const watch = startWatch(at, { databases: [database], args });
  await watch.untilPublished("app");
  const generations = new Set<string>();
  const endMs = performance.now() + 15_000;
  await until(
    "the time is over",
    () => {
      generations.add(saltsOf(`${database}-wal`));
      return performance.now() > endMs;
    },
    { limitMs: 25_000, everyMs: 50 },
  );
  await writer.stop();
  const written = writer.acknowledged();
  await watch.drain();
  assertPrefix(await restored(at, "app"), { atLeast: written, atMost: written });
  expect(generations.size, "how often the log began anew").toBeGreaterThan(2);
});

test("peak memory of snapshot and restore is the same for 10 MB and 400 MB", async () => {
  const peaks: { readonly watch: number; readonly restore: number }[] = [];
  for (const megabytes of [10, 400]) {
    const at = scene();
    const app = openApplication(at.path("app.db"));
    for (let chunk = 0; chunk < megabytes / 10; chunk++) addNotes(app, 100, 100_000);
    app.pragma("wal_checkpoint(TRUNCATE)");
    const watch = startWatch(at, { databases: [at.path("app.db")] });
    await watch.untilPublished("app", 0n, { limitMs: 60_000 });
    const { peakRssBytes } = sampleTree(watch.child.pid);
    await watch.drain();
    peaks.push({ watch: peakRssBytes / MEGABYTE, restore: await peakOfRestore(at) });
  }
  const [small, large] = peaks;
  if (small === undefined || large === undefined) throw new Error("two sizes");
  expect(large.watch, `small: ${small.watch} MB`).toBeLessThan(small.watch + 25);
  expect(large.restore, `small: ${small.restore} MB`).toBeLessThan(small.restore + 25);
});

async function peakOfRestore(at: Scene): Promise<number> {
  const restore = startWalrust(at, ["restore", "app", "-o", at.path("peak.db"), "--bucket", at.address]);
  const tree = followTree(restore.pid, 20);
  const exit = await restore.exited;
  tree.stop();
  expect(exit.code, exit.stderr).toBe(0);
  return tree.last().peakRssBytes / MEGABYTE;
}
