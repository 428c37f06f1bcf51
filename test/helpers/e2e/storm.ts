import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { dice } from "../../../src/bench/dice.ts";
import { assertPrefix } from "../writers/assert-prefix.ts";
import { startWriter, type WriterOptions, type WriterReport } from "../writers/start-writer.ts";
import { type Scene, scene } from "./scene.ts";
import { ltxFiles } from "./storage-folder.ts";
import { restored, runWalrust, startWatch } from "./walrust.ts";

export interface StormOptions {
  /** It blows for as long at least, and until all of `atLeast` has happened. */
  readonly seconds: number;
  readonly atLeast: { readonly restores: number; readonly rows?: number; readonly kills?: number };
  readonly writer?: Partial<WriterOptions>;
  readonly watchArgs?: readonly string[];
  readonly syncInterval?: string;
  /** SIGKILL the daemon at random and start it again at once; absent: it runs throughout. */
  readonly killEveryMs?: { readonly least: number; readonly most: number };
  readonly seed?: number;
}

export interface StormReport {
  readonly at: Scene;
  readonly writer: WriterReport;
  readonly snapshots: number;
}

/**
 * The workload of pitfalls 10, 11, 19 and 28: an application that writes without a pause and checkpoints in all four modes, the daemon beside it,
 * and restores in a loop. Every restored state must be a prefix of what was committed and none may be older than the one before; after
 * the end nothing may be missing.
 */
export async function storm(options: StormOptions): Promise<StormReport> {
  const at = scene();
  const database = at.path("app.db");
  const writer = await startWriter({
    database,
    rate: 500,
    checkpoints: ["PASSIVE", "FULL", "RESTART", "TRUNCATE"],
    checkpointEveryMs: 40,
    // our pin makes FULL, RESTART and TRUNCATE wait this long: longer, and the writer would mostly wait
    busyTimeoutMs: 50,
    seed: options.seed ?? 1,
    ...options.writer,
  });
  onTestFinished(() => writer.kill());
  const start = () =>
    startWatch(at, {
      databases: [database],
      args: options.watchArgs ?? [],
      syncInterval: options.syncInterval ?? "100ms",
    });
  let watch = start();
  await watch.untilPublished("app");
  const { atLeast } = options;
  const endMs = performance.now() + options.seconds * 1000;
  const restoredRows: number[] = [];
  let kills = 0;
  const isOver = () =>
    performance.now() > endMs &&
    restoredRows.length >= atLeast.restores &&
    writer.acknowledged() >= (atLeast.rows ?? 0) &&
    kills >= (atLeast.kills ?? 0);

  const keepKilling = async (): Promise<void> => {
    const random = dice(options.seed ?? 1);
    const { least, most } = options.killEveryMs ?? { least: 0, most: 0 };
    for (;;) {
      const waitMs = least + random() * (most - least);
      if (most === 0) return;
      await sleep(waitMs);
      if (isOver()) return;
      await watch.kill();
      kills += 1;
      watch = start();
    }
  };
  const keepRestoring = async (): Promise<void> => {
    while (!isOver()) restoredRows.push(assertPrefix(await restored(at, "app")));
  };
  await Promise.all([keepKilling(), keepRestoring()]);

  const report = await writer.stop();
  const written = writer.acknowledged();
  await watch.untilEvent("opened");
  await watch.drain();
  expect(
    [...restoredRows].sort((a, b) => a - b),
    "no restore is older than the one before",
  ).toEqual(restoredRows);
  expect(Math.max(...restoredRows), "rows that were written").toBeLessThanOrEqual(written);
  assertPrefix(await restored(at, "app"), { atLeast: written, atMost: written });
  const verify = await runWalrust(at, ["verify", "app", "--bucket", at.address]);
  expect(verify.code, `verify said: ${verify.stdout}${verify.stderr}`).toBe(0);
  return {
    at,
    writer: report,
    snapshots: ltxFiles(at, "app").filter((file) => file.minTxid === 1n).length,
  };
}
