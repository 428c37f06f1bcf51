import { expect, onTestFinished, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";
import { assertPrefix } from "../helpers/writers/assert-prefix.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

const SECONDS = 10;

test.each([
  ["at 200 transactions a second", 200, 200],
  // some 10,000 frames lie behind the pin, and have to be backfilled by the one that waited
  ["at full speed", 500, 0],
])(
  "the application's own FULL, RESTART and TRUNCATE checkpoints %s: nine of ten succeed within %d ms",
  async (_, withinMs, rate) => {
    const at = scene();
    const database = at.path("app.db");
    const writer = await startWriter({
      database,
      rate,
      checkpoints: ["FULL", "RESTART", "TRUNCATE"],
      checkpointEveryMs: 250,
      busyTimeoutMs: 5000,
    });
    onTestFinished(() => writer.kill());
    const watch = startWatch(at, { databases: [database] });
    await watch.untilPublished("app");
    const endMs = performance.now() + SECONDS * 1000;
    await until("the time is over", () => performance.now() > endMs, { limitMs: SECONDS * 2000 });
    const { checkpoints } = await writer.stop();
    const written = writer.acknowledged();
    await watch.drain();
    assertPrefix(await restored(at, "app"), { atLeast: written, atMost: written });
    const inTime = checkpoints.filter(({ ok, ms }) => ok && ms <= withinMs);
    expect(checkpoints.length, "most of the time is not spent waiting for us").toBeGreaterThan(
      (SECONDS * 1000) / 500,
    );
    expect(inTime.length / checkpoints.length, JSON.stringify(checkpoints)).toBeGreaterThanOrEqual(0.9);
    expect(watch.events("gap_repaired"), "gaps").toEqual([]);
  },
);
