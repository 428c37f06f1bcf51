import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { expectReplica } from "../helpers/follow/expect-replica.ts";
import { aSource, following } from "../helpers/follow/source.ts";
import { startReader } from "../helpers/follow/start-reader.ts";

/** Other processes, with connections that stay open, read while states are applied: none may be half applied. */
describe("readers", () => {
  test("see whole states, one after the other, over 200 applies of all kinds", async () => {
    const source = await aSource({ pageSize: 1024 });
    const replica = following(source.storage, { clock: systemClock });
    await replica.follower.once();
    const readers = [startReader(replica.path), startReader(replica.path, { readOnly: true })];
    for (const reader of readers) await reader.untilSeen(20);
    let rows = 20;
    for (let i = 0; i < 200; i++) {
      if (i % 50 === 20) {
        // Larger, and cut again: the end of the file moves both ways.
        source.exec("CREATE TABLE IF NOT EXISTS big(v); INSERT INTO big VALUES (zeroblob(100000))");
        await source.publish({ commits: 2 });
      } else if (i % 50 === 40) {
        source.exec("DROP TABLE big; VACUUM");
        await source.publish({ commits: 2 });
      } else if (i % 60 === 59) {
        // Nothing leads on from where the replica is: the whole database, by its pages.
        const head = source.history.head;
        await source.commit();
        await source.snapshot();
        source.storage.remove(source.history.key(head + 1n, head + 1n));
        rows += 1;
      } else {
        await source.commit(1 + (i % 7));
        rows += 1 + (i % 7);
      }
      await replica.follower.once();
    }
    for (const reader of readers) {
      await reader.untilSeen(rows);
      expect(reader.states()).toBeGreaterThan(10);
      expect(await reader.stop()).toBeGreaterThan(10);
    }
    expectReplica(replica.path, source.history.image());
    expect(replica.types()).toEqual(new Array(201).fill("replica_applied"));
  }, 120_000);

  test("who read without a pause don't starve it: new ones wait while it does", async () => {
    const source = await aSource();
    const replica = following(source.storage, { clock: systemClock });
    await replica.follower.once();
    const readers = Array.from({ length: 4 }, () => startReader(replica.path, { holdMs: 40 }));
    for (const reader of readers) await reader.untilSeen(20);
    for (let i = 0; i < 5; i++) {
      await source.commit();
      await replica.follower.once();
    }
    for (const reader of readers) {
      await reader.untilSeen(25);
      await reader.stop();
    }
  }, 120_000);
});
