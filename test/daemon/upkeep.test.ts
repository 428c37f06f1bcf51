import { describe, expect, onTestFinished, test } from "vitest";
import type { RetentionSettings, StorageSettings, SyncSettings } from "../../src/config/settings.ts";
import { Upkeep } from "../../src/daemon/upkeep.ts";
import { WalrustError } from "../../src/errors.ts";
import type { DatabaseEvent, WalrustEvent } from "../../src/events.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { databaseSettings } from "../helpers/daemon/watched.ts";
import { settled } from "../helpers/manual-clock.ts";
import { DyingStorage } from "../helpers/replication/dying-storage.ts";
import { Backup } from "../helpers/retention/backup.ts";
import { HOUR, MINUTE, SECOND } from "../helpers/retention/files.ts";

// Loaded when first needed, which a clock that is moved by hand would not wait for.
await Promise.all([import("../../src/retention/compact.ts"), import("../../src/restore/verify.ts")]);

interface Setup {
  /** There is one already at the start. */
  readonly hasCopy?: boolean;
  readonly storage?: Storage;
  readonly layout?: StorageSettings["layout"];
}

class Attended {
  readonly events: WalrustEvent[] = [];
  readonly warnings: string[] = [];
  readonly upkeep: Upkeep;
  readonly stop = new AbortController();
  readonly backup: Backup;
  readonly leave: () => void;
  sync: Partial<SyncSettings>;
  retention: Partial<RetentionSettings> = {};
  atOnce = 0;
  mostAtOnce = 0;

  constructor(
    backup: Backup,
    sync: Partial<SyncSettings>,
    { storage = backup.storage, layout = "walrust", hasCopy = true }: Setup = {},
  ) {
    this.backup = backup;
    this.upkeep = new Upkeep({
      ...{ storage, layout, clock: backup.clock, cores: new CorePool(), stop: this.stop.signal },
      limitWork: async (sizeBytes, work) => {
        expect(sizeBytes).toBe(Number.POSITIVE_INFINITY);
        this.atOnce += 1;
        this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
        return work().finally(() => {
          this.atOnce -= 1;
        });
      },
      events: (event) => this.events.push(event),
      log: { ...silentLog, warn: (_, message) => this.warnings.push(message) },
      compaction: () => ({ fineWindowMs: HOUR, stepMs: MINUTE }),
    });
    this.sync = sync;
    this.leave = this.attend("app");
    if (hasCopy) this.opens("app", "continue");
    this.upkeep.start();
    onTestFinished(() => this.upkeep.close());
  }

  tells(event: Partial<DatabaseEvent> & { readonly type: "published" | "snapshot" }): void {
    this.upkeep.tap({ database: "app", ...event } as WalrustEvent);
  }

  attend(name: string): () => void {
    const settings = () => {
      const { retention, ...others } = databaseSettings(`/data/${name}.db`, name, this.sync);
      return { ...others, retention: { ...retention, ...this.retention } };
    };
    const task = {
      get database() {
        return settings();
      },
    };
    this.upkeep.attend(task);
    return () => this.upkeep.leave(task);
  }

  opens(database: string, how: "continue" | "snapshot"): void {
    this.upkeep.tap({ database, type: "opened", path: "", how, txid: 0n });
    this.events.pop();
  }

  types(): string[] {
    return this.events.map(({ type }) => type).filter((type) => type !== "published" && type !== "snapshot");
  }

  get requests(): number {
    return this.backup.storage.calls.length;
  }
}

/** Two hours of commits, six a minute for a while. */
async function anOldBackup(): Promise<Backup> {
  const backup = new Backup(Date.UTC(2026, 0, 31, 8, 59, 50));
  await backup.commit(0);
  await backup.commits(12, 10 * SECOND);
  await backup.commit(2 * HOUR);
  backup.manifest();
  return backup;
}

describe("compaction", () => {
  test("follows a snapshot, merges what is old, and is told", async () => {
    const attended = new Attended(await anOldBackup(), { compactAfterSnapshot: true });
    attended.tells({ type: "snapshot" });
    await attended.backup.clock.advance(4000);
    expect(attended.types()).toEqual([]);
    await attended.backup.clock.advanceUntil(() => attended.types().length > 0, 10_000);
    expect(attended.events.at(-1)).toMatchObject({
      ...{ type: "compacted", database: "app", keptSnapshots: 1, mergedFiles: 12, deletedFiles: 12 },
      freedBytes: expect.any(Number),
    });
    await attended.backup.expectSound();
  });

  test("by its interval, only after something was published; an idle database costs no request", async () => {
    const attended = new Attended(await anOldBackup(), {
      compactIntervalMs: MINUTE,
      compactAfterSnapshot: true,
    });
    const before = attended.requests;
    await attended.backup.clock.advance(24 * HOUR);
    expect(attended.requests).toBe(before);
    attended.tells({ type: "published" });
    await attended.backup.clock.advanceUntil(() => attended.types().length > 0, 1000);
    expect(attended.types()).toEqual(["compacted"]);
    await settled();
    const after = attended.requests;
    await attended.backup.clock.advance(24 * HOUR);
    expect(attended.requests).toBe(after);
  });

  test("by the retention of its time", async () => {
    const backup = new Backup(Date.UTC(2026, 0, 31, 8, 59, 50));
    await backup.commit(0);
    for (let hour = 0; hour < 3; hour += 1) {
      await backup.commit(HOUR);
      await backup.snapshot();
    }
    backup.manifest();
    const attended = new Attended(backup, { compactAfterSnapshot: true });
    attended.retention = { hourly: 1, daily: 0, weekly: 0, monthly: 0 };
    attended.tells({ type: "snapshot" });
    await backup.clock.advanceUntil(() => attended.types().length > 0, MINUTE);
    expect(attended.events.at(-1)).toMatchObject({ type: "compacted", keptSnapshots: 1 });
  });

  test("finds nothing to do without a word", async () => {
    const attended = new Attended(await anOldBackup(), { compactIntervalMs: MINUTE });
    attended.tells({ type: "published" });
    await attended.backup.clock.advanceUntil(() => attended.types().length > 0, 2 * MINUTE);
    attended.tells({ type: "published" });
    const before = attended.requests;
    await attended.backup.clock.advanceUntil(() => attended.requests > before, 2 * MINUTE);
    await settled();
    expect(attended.types()).toEqual(["compacted"]);
  });

  test("that fails is told, and tried again at the next time, though nothing more is published", async () => {
    const attended = new Attended(await anOldBackup(), { compactIntervalMs: MINUTE });
    const error = new WalrustError("STORAGE_UNAVAILABLE", "503", { hint: "Wait." });
    attended.backup.storage.fault = () => ({ kind: "before", error });
    attended.tells({ type: "published" });
    await attended.backup.clock.advanceUntil(() => attended.warnings.length === 2, 3 * MINUTE);
    expect(attended.warnings[0]).toBe("app: compaction failed, and is tried again: 503 (Wait.)");
    attended.backup.storage.fault = () => undefined;
    await attended.backup.clock.advanceUntil(() => attended.types().length > 0, 2 * MINUTE);
    expect(attended.types()).toEqual(["compacted"]);
  });

  test("that finds damage tells of it as corruption", async () => {
    const backup = await anOldBackup();
    backup.storage.poke(backup.history.key(3n, 3n), new Uint8Array(200));
    const attended = new Attended(backup, { compactAfterSnapshot: true });
    attended.tells({ type: "snapshot" });
    await backup.clock.advanceUntil(() => attended.types().length > 0, MINUTE);
    expect(attended.types()).toEqual(["corruption_detected"]);
  });

  test("Litestream's layout is left to Litestream", async () => {
    const sync = { compactIntervalMs: MINUTE, compactAfterSnapshot: true };
    const attended = new Attended(await anOldBackup(), sync, { layout: "litestream" });
    const before = attended.requests;
    attended.tells({ type: "snapshot" });
    await attended.backup.clock.advance(HOUR);
    expect(attended.requests).toBe(before);
  });
});

describe("validation", () => {
  test("by its interval, whether something was published or not", async () => {
    const backup = await anOldBackup();
    const attended = new Attended(backup, { validationIntervalMs: HOUR });
    await backup.clock.advanceUntil(() => attended.types().length === 2, 3 * HOUR);
    const files = backup.files().length;
    expect(attended.events.slice(0, 2)).toEqual(
      Array(2).fill({
        type: "validated",
        database: "app",
        files,
        sizeBytes: expect.any(Number),
        durationMs: 0,
      }),
    );
    expect(backup.clock.monotonicMs()).toBeGreaterThanOrEqual(2 * HOUR);
  });

  test("waits for the first snapshot", async () => {
    const backup = new Backup(Date.UTC(2026, 0, 31));
    const attended = new Attended(backup, { validationIntervalMs: MINUTE }, { hasCopy: false });
    attended.opens("app", "snapshot");
    await backup.clock.advance(HOUR);
    expect(attended.types(), "there is nothing to validate").toEqual([]);
    await backup.commit(0);
    backup.manifest();
    attended.tells({ type: "snapshot" });
    await backup.clock.advance(MINUTE - 1);
    expect(attended.types()).toEqual([]);
    await backup.clock.advanceUntil(() => attended.types().length === 1, MINUTE);
    expect(attended.types()).toEqual(["validated"]);
  });

  test("a new interval holds at once", async () => {
    const backup = await anOldBackup();
    const attended = new Attended(backup, {});
    await backup.clock.advance(10 * MINUTE);
    attended.sync = { validationIntervalMs: 20 * MINUTE };
    attended.upkeep.wake();
    await backup.clock.advance(9 * MINUTE);
    expect(attended.types()).toEqual([]);
    await backup.clock.advanceUntil(() => attended.types().length === 1, 2 * MINUTE);
    expect(attended.types()).toEqual(["validated"]);
  });

  test("tells what it finds, each time, until it is mended", async () => {
    const backup = await anOldBackup();
    const key = backup.history.key(3n, 3n);
    const whole = backup.storage.peek(key);
    const attended = new Attended(backup, { validationIntervalMs: MINUTE });
    backup.storage.remove(key);
    await backup.clock.advanceUntil(() => attended.types().length === 2, 3 * MINUTE);
    expect(attended.types()).toEqual(["validation_failed", "validation_failed"]);
    expect(attended.events[0]).toMatchObject({
      findings: 1,
      error: { code: "INTEGRITY_MISSING", exitCode: 5 },
    });
    backup.storage.poke(key, whole);
    await backup.clock.advanceUntil(() => attended.types().length === 3, 2 * MINUTE);
    expect(attended.types().at(-1)).toBe("validated");
  });

  test("everything gone is a failure; a storage that does not answer is none", async () => {
    const backup = await anOldBackup();
    const attended = new Attended(backup, { validationIntervalMs: MINUTE });
    const error = new WalrustError("STORAGE_NETWORK", "no route");
    backup.storage.fault = () => ({ kind: "before", error });
    await backup.clock.advanceUntil(() => attended.warnings.length === 1, 2 * MINUTE);
    expect(attended.types()).toEqual([]);
    backup.storage.fault = () => undefined;
    for (const key of backup.storage.keys()) backup.storage.remove(key);
    await backup.clock.advanceUntil(() => attended.types().length === 1, 2 * MINUTE);
    expect(attended.events[0]).toMatchObject({
      type: "validation_failed",
      error: { code: "RESTORE_NOTHING" },
    });
  });
});

describe("the process", () => {
  test("does one job at a time, over all databases", async () => {
    const attended = new Attended(await anOldBackup(), { validationIntervalMs: MINUTE });
    for (const name of ["b", "c", "d"]) {
      attended.attend(name);
      attended.opens(name, "continue");
    }
    await attended.backup.clock.advanceUntil(() => attended.types().length >= 8, 3 * MINUTE);
    expect(attended.mostAtOnce).toBe(1);
    expect(new Set(attended.events.map(({ database }) => database))).toEqual(new Set(["app", "b", "c", "d"]));
  });

  test("passes on whatever the tasks tell, also of databases that it does not look after", async () => {
    const attended = new Attended(await anOldBackup(), {});
    const told = [
      { type: "published", database: "app" },
      { type: "closed", database: "other" },
    ] as unknown as WalrustEvent[];
    for (const event of told) attended.upkeep.tap(event);
    expect(attended.events).toEqual(told);
  });

  test("does nothing more for a database that was dropped", async () => {
    const attended = new Attended(await anOldBackup(), { validationIntervalMs: MINUTE });
    attended.leave();
    const before = attended.requests;
    await attended.backup.clock.advance(HOUR);
    expect(attended.requests).toBe(before);
  });

  test("stops at once, in the middle of a job that storage keeps waiting", async () => {
    const backup = await anOldBackup();
    const stuck = new Attended(
      backup,
      { validationIntervalMs: MINUTE },
      { storage: new WaitingStorage(backup) },
    );
    await backup.clock.advanceUntil(() => stuck.atOnce === 1, 2 * MINUTE);
    stuck.stop.abort(new Error("stop"));
    await stuck.upkeep.close();
    expect(stuck.types()).toEqual([]);
    expect(stuck.warnings).toEqual([]);
  });
});

/** Its first answer never comes, unless somebody stops waiting for it. */
class WaitingStorage extends DyingStorage {
  constructor(backup: Backup) {
    super(backup.storage, Number.POSITIVE_INFINITY, "before");
  }

  override get: Storage["get"] = (_key, { signal }) =>
    new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
}
