import { Source } from "../helpers/follow/source.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * The copy of a real database that was written for a day: two snapshots, increments of one minute behind each, and some of just now. The
 * manifest names all of it.
 */
export async function oldCopy(): Promise<Source> {
  const source = new Source({ storage: new MemoryStorage(), pageSize: 1024 });
  const nowMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const commit = (timestampMs: number) => {
    source.write(3);
    return source.publish({ timestampMs });
  };
  source.write(20);
  await source.history.snapshot(source.image(), { timestampMs: nowMs - 26 * HOUR_MS });
  for (let i = 1; i <= 3; i++) await commit(nowMs - 25 * HOUR_MS + i * 5000);
  await source.history.snapshot(undefined, { timestampMs: nowMs - 3 * HOUR_MS });
  for (let i = 1; i <= 4; i++) await commit(nowMs - 2 * HOUR_MS + i * 5000);
  for (let i = 1; i <= 2; i++) await commit(nowMs - 10 * MINUTE_MS + i * 5000);
  source.history.manifest();
  return source;
}
