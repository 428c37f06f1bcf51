import { setTimeout as sleep } from "node:timers/promises";
import type { Arrival, Arrivals } from "../src/bench/arrivals.ts";
import type { Place } from "../src/bench/place.ts";
import { VoidRun } from "../src/bench/workload.ts";
import { systemClock } from "../src/clock.ts";
import { openStorage } from "../src/storage/open.ts";
import type { Storage } from "../src/storage/storage.ts";
import { startSeaweedFs } from "../test/interop/helpers/servers.ts";
import { storageSettings } from "./storage-settings.ts";

/** How late an arrival may be stamped. */
const LOOK_EVERY_MS = 20;

/** A real S3 server, started for each run. It does not tell of what arrives: the harness looks. */
export const SEAWEEDFS: Place = {
  title: `SeaweedFS, an S3 server on this machine, listed every ${LOOK_EVERY_MS} ms`,
  open: async (bench) => {
    const { weed } = bench.options;
    if (weed === undefined) {
      throw new VoidRun(
        "this needs a real S3 server: give the path of SeaweedFS's program with --weed or in WALRUST_WEED",
      );
    }
    const { endpoint, bucket, accessKeyId, secretAccessKey, close } = await startSeaweedFs(weed);
    const storage = await openStorage(storageSettings(bucket, 1, endpoint), {
      clock: systemClock,
      env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    });
    const looking = new Set<Arrivals>();
    return {
      storage: { kind: "s3", endpoint, bucket, accessKeyId, secretAccessKey },
      arrivals: (prefix) => {
        const arrivals = lookFor(storage, prefix);
        looking.add(arrivals);
        return arrivals;
      },
      close: async () => {
        for (const arrivals of looking) arrivals.close();
        await storage.close();
        await close();
      },
    };
  },
};

function lookFor(storage: Storage, prefix: string): Arrivals {
  const seen: Arrival[] = [];
  const known = new Set<string>();
  const closed = new AbortController();
  const { signal } = closed;
  const look = async () => {
    while (!signal.aborted) {
      for await (const { key } of storage.list(prefix, { signal })) {
        const name = key.slice(prefix.length);
        if (!name.endsWith(".ltx") || name.includes("/") || known.has(name)) continue;
        known.add(name);
        seen.push({ name, atNs: process.hrtime.bigint() });
      }
      await sleep(LOOK_EVERY_MS);
    }
  };
  look().catch((error) => {
    if (!signal.aborted) throw error; // ends the harness: it is blind
  });
  return { seen, close: () => closed.abort() };
}
