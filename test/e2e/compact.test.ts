import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import {
  type Application,
  addNotes,
  contentOf,
  expectRestored,
  openApplication,
} from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restored, runWalrust, startWatch, type Watch } from "../helpers/e2e/walrust.ts";

/** Everything older than a second is old here. */
function configured(more = ""): Scene {
  const at = scene();
  writeFileSync(
    at.path("walrust.toml"),
    `[compaction]\nfine_window = "1s"\nstep = "500ms"\n[sync]\nmanifest_interval = "100ms"\n${more}`,
  );
  return at;
}

async function write(app: Application, commits: number): Promise<void> {
  for (let i = 0; i < commits; i += 1) {
    addNotes(app, 2, 300);
    await sleep(30);
  }
}

const count = (watch: Watch, type: string) => watch.events(type).length;

/** Until a compaction has merged something more, while the application writes. Returns how many commits that were. */
async function compacted(watch: Watch, app: Application): Promise<bigint> {
  const before = count(watch, "compacted");
  let commits = 0n;
  await until(
    "a compaction",
    async () => {
      await write(app, 3);
      commits += 3n;
      return count(watch, "compacted") > before;
    },
    { limitMs: 60_000 },
  );
  return commits;
}

test("restores go on, and give what was committed, while the daemon compacts", async () => {
  const at = configured();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, {
    databases: [at.path("app.db")],
    syncInterval: "20ms",
    args: ["--compact-interval", "300ms", "--validation-interval", "1s"],
  });
  let head = await watch.untilPublished("app");
  for (let round = 0; round < 3; round += 1) {
    head += await compacted(watch, app);
    const content = contentOf(app);
    await watch.untilPublished("app", head - 1n);
    const [latest, earlier] = await Promise.all([
      restored(at, "app"),
      restored(at, "app", ["--txid", String(head)]),
    ]);
    expectRestored(latest, content);
    expectRestored(earlier, content);
  }
  await watch.untilEvent("validated");
  await watch.drain();
  const [first] = watch.events("compacted");
  expect(first?.["merged_files"]).toBeGreaterThan(1);
  expect(ltxFiles(at, "app").some(({ minTxid, maxTxid }) => minTxid > 1n && maxTxid > minTxid + 2n)).toBe(
    true,
  );
  for (const type of ["validation_failed", "corruption_detected", "sync_failed", "gap_repaired"])
    expect(watch.events(type)).toEqual([]);
  await expectSound(at);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);

test("after each snapshot what the retention does not keep goes", async () => {
  const at = configured();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, {
    databases: [at.path("app.db")],
    syncInterval: "20ms",
    args: ["--compact-after-snapshot", "--retain-hourly", "0", "--retain-daily", "1"],
  });
  await watch.untilPublished("app");
  await write(app, 5);
  const snapshot = await runWalrust(at, ["snapshot", at.path("app.db"), "--bucket", at.address]);
  expect(snapshot.code, snapshot.stderr).toBe(0);
  await watch.untilEvent("compacted");
  await write(app, 3);
  await watch.drain();
  const files = ltxFiles(at, "app");
  expect(files.filter(({ minTxid }) => minTxid === 1n)).toHaveLength(1);
  expect(files.every(({ minTxid, maxTxid }) => minTxid === 1n || maxTxid > (files[0]?.maxTxid ?? 0n))).toBe(
    true,
  );
  await expectSound(at);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);

test("a compaction by hand beside a running watch", async () => {
  const at = configured();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, { databases: [at.path("app.db")], syncInterval: "20ms" });
  await watch.untilPublished("app");
  let merged = 0;
  for (let round = 0; round < 4; round += 1) {
    await write(app, 20);
    const [exit] = await Promise.all([
      runWalrust(at, ["compact", "app", "--force", "--json", "--bucket", at.address]),
      write(app, 20),
    ]);
    expect(exit.code, exit.stderr).toBe(0);
    merged += JSON.parse(exit.stdout).merges.length;
  }
  await watch.drain();
  expect(merged).toBeGreaterThan(0);
  await expectSound(at);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);

async function expectSound(at: Scene): Promise<void> {
  const { code, stdout } = await runWalrust(at, ["verify", "app", "--bucket", at.address]);
  expect(code, stdout).toBe(0);
}
