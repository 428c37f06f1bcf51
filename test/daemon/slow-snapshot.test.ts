import { expect, test } from "vitest";
import { Watched } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { insert } from "../helpers/sqlite/temp-database.ts";

const MINUTE_MS = 60_000;

/** Storage lets so much of a snapshot through in a second; everything else goes at its usual speed. */
function throttleSnapshots(stage: Stage, bytesPerSecond: number): void {
  const { upload } = stage.storage;
  stage.storage.upload = (key, options) => {
    const real = upload.call(stage.storage, key, options);
    if (!key.includes("/00000001-")) return real;
    return {
      ...real,
      write: async (bytes) => {
        await real.write(bytes);
        await stage.clock.sleep((bytes.length / bytesPerSecond) * 1000);
      },
    };
  };
}

test("a snapshot of 25 minutes through a throttled storage (pitfall 24): increments go on, the log is given back afterwards, and both lead to one state", async () => {
  const stage = new Stage();
  const fill = stage.app.prepare("INSERT INTO t(body) VALUES (hex(randomblob(1000)))");
  for (let row = 0; row < 800; row += 1) fill.run();
  const watched = await Watched.begin(stage, {
    sync: { checkpointIntervalMs: 20_000, minCheckpointPages: 50 },
  });
  insert(stage.app);
  await stage.clock.advance(5000);
  throttleSnapshots(stage, stage.image().length / 2 / (25 * 60)); // hex digits compress to a half
  const published = watched.of("published").length;
  const startMs = stage.clock.monotonicMs();
  let tookMs = 0;
  const taken = watched.task.snapshot("command").then((file) => {
    tookMs = stage.clock.monotonicMs() - startMs;
    return file;
  });
  const write = async () => {
    insert(stage.app, 20);
    await stage.clock.advance(30_000);
  };
  while (tookMs === 0) {
    await write();
    expect(stage.clock.monotonicMs() - startMs, "it ends").toBeLessThan(60 * MINUTE_MS);
  }
  expect(tookMs).toBeGreaterThan(20 * MINUTE_MS);
  const during = watched.of("published").slice(published);
  expect(during.length, "one increment for each commit").toBeGreaterThan(40);
  expect(Math.max(...during.map(({ lagMs }) => lagMs)), "how long one waited, ms").toBeLessThan(2000);
  expect(await taken).toMatchObject({ minTxid: 1n, maxTxid: 3n });
  const handovers = watched.of("handover").length; // its pin held the log
  for (let i = 0; i < 6; i += 1) await write();
  expect(watched.of("handover").length).toBeGreaterThan(handovers);
  expect(watched.of("gap_repaired")).toEqual([]);
  await stage.expectWhole();
});
