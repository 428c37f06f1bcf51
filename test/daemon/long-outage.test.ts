import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { median } from "../../src/bench/statistics.ts";
import { WalrustError } from "../../src/errors.ts";
import { Watched } from "../helpers/daemon/watched.ts";
import type { StorageOperation } from "../helpers/memory-storage.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { insert } from "../helpers/sqlite/temp-database.ts";

const MINUTE_MS = 60_000;

/** Node's own way to it, without a flag of the process. */
setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

// Alone in its file, for the heap's sake.
test.each<readonly [string, (operation: StorageOperation) => boolean]>([
  ["storage is away", () => true],
  ["it takes no files", (operation) => operation === "upload"],
])(
  "hours of failures: nothing grows (pitfall 49): %s",
  async (_, fails) => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    stage.storage.fault = ({ operation }) =>
      fails(operation)
        ? { kind: "before", error: new WalrustError("STORAGE_UNAVAILABLE", "storage is away") }
        : undefined;
    insert(stage.app);
    let attempts = 0;
    const tenMinutes = async () => {
      await stage.clock.advance(10 * MINUTE_MS);
      attempts += watched.of("sync_failed").length;
      // what the test's own instruments keep does not count
      stage.storage.calls.length = 0;
      watched.events.length = 0;
    };
    const measure = () => {
      for (let round = 0; round < 3; round += 1) collectGarbage();
      return {
        descriptors: readdirSync("/proc/self/fd").length,
        sleepers: stage.clock.sleepers,
        heapBytes: process.memoryUsage().heapUsed,
      };
    };
    const anHour = async () => {
      const before = measure();
      attempts = 0;
      for (let round = 0; round < 6; round += 1) await tenMinutes();
      const after = measure();
      expect(attempts).toBeGreaterThan(3000);
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 1);
      expect(after.sleepers).toBeLessThanOrEqual(before.sleepers + 1);
      return (after.heapBytes - before.heapBytes) / attempts;
    };
    for (let round = 0; round < 2; round += 1) await tenMinutes();
    // what the compiler keeps comes and goes by some 100 KB; what a failure leaves, in every hour
    const kept = [await anHour(), await anHour(), await anHour()];
    expect(median(kept), `bytes kept of each failure: ${kept}`).toBeLessThan(150);
  },
  60_000,
);
