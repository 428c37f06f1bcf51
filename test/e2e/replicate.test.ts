import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { dice } from "../../src/bench/dice.ts";
import { until } from "../../src/bench/until.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWalrust, startWatch } from "../helpers/e2e/walrust.ts";
import { startRowReader } from "../helpers/follow/start-reader.ts";
import { assertPrefix } from "../helpers/writers/assert-prefix.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

const replicating = (at: Scene, ...args: readonly string[]) => [
  ...["replicate", `${at.address}/app`, "--local", at.path("replica.db"), "--json"],
  ...args,
];

/** An application that writes, and the watch beside it. */
async function written(at: Scene, rate: number) {
  const writer = await startWriter({
    database: at.path("app.db"),
    rate,
    busyTimeoutMs: 5000,
    largeEvery: 50,
    largeRows: 500,
  });
  onTestFinished(() => writer.kill());
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  await watch.untilPublished("app");
  return { writer, watch };
}

test("a replica beside a live watch: its readers see whole states, up to the writer's last row", async () => {
  const at = scene();
  const { writer, watch } = await written(at, 200);
  const replica = startWalrust(at, replicating(at, "--interval", "50ms"));
  await until("the first copy", () => existsSync(at.path("replica.db")));
  const readers = [
    startRowReader(at.path("replica.db")),
    startRowReader(at.path("replica.db"), { readOnly: true }),
  ];
  await until(
    "some applies",
    () => replica.lines.filter((line) => line.includes("replica_applied")).length > 20,
  );
  await writer.stop();
  const rows = writer.acknowledged();
  await watch.drain();
  for (const reader of readers) {
    await reader.untilSeen(rows);
    await reader.stop();
  }
  replica.kill("SIGTERM");
  expect(await replica.exited).toMatchObject({ code: 0 });
  assertPrefix(at.path("replica.db"), { atLeast: rows, atMost: rows });
  expect(replica.lines.map((line) => JSON.parse(line).type)).not.toContain("replica_diverged");
}, 120_000);

test("killed at random moments, again and again: whole states for its readers, never backwards, no new copy", async () => {
  const at = scene();
  const random = dice(7);
  const { writer, watch } = await written(at, 300);
  await runWalrust(at, replicating(at, "--once"));
  const reader = startRowReader(at.path("replica.db"), { mayBeHot: true });
  const lines: string[] = [];
  for (let kills = 0; kills < 12; kills++) {
    const replica = startWalrust(at, replicating(at, "--interval", "10ms"));
    await until("it follows", () => replica.lines.length > 0);
    await sleep(random() * 150);
    replica.kill("SIGKILL");
    await replica.exited;
    lines.push(...replica.lines);
    assertPrefix(at.path("replica.db"));
  }
  await writer.stop();
  const rows = writer.acknowledged();
  await watch.drain();
  expect(await runWalrust(at, replicating(at, "--once"))).toMatchObject({ code: 0 });
  await reader.untilSeen(rows);
  await reader.stop();
  assertPrefix(at.path("replica.db"), { atLeast: rows, atMost: rows });
  const events = lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
  expect(events.filter(({ how, type }) => how === "bootstrap" || type === "replica_diverged")).toEqual([]);
}, 120_000);

test("pruned behind it while it was away: it jumps to the newer snapshot (pitfall 45)", async () => {
  const at = scene();
  const { writer, watch } = await written(at, 100);
  await runWalrust(at, replicating(at, "--once"));
  const early = readdirSync(join(at.storage, "app")).filter((name) => name.endsWith(".ltx"));
  await watch.untilPublished("app", (await watch.untilPublished("app")) + 5n);
  await writer.stop();
  const rows = writer.acknowledged();
  await watch.drain();
  expect(await runWalrust(at, ["snapshot", "app.db", "-b", at.address])).toMatchObject({ code: 0 });
  const files = readdirSync(join(at.storage, "app"));
  const newest = files
    .filter((name) => name.startsWith("00000001-"))
    .sort()
    .at(-1);
  expect(early).not.toContain(newest);
  for (const name of files) if (name !== newest) rmSync(join(at.storage, "app", name));
  const { code, stdout } = await runWalrust(at, replicating(at, "--once"));
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('"how":"bootstrap"') });
  assertPrefix(at.path("replica.db"), { atLeast: rows, atMost: rows });
}, 120_000);
