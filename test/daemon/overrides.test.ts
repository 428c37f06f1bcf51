import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { DEFAULT_COMPACTION } from "../../src/config/defaults.ts";
import { RETENTION_KEYS, SYNC_KEYS } from "../../src/config/keys.ts";
import { resolveSettings } from "../../src/config/resolve.ts";
import type { DatabaseSettings, Settings } from "../../src/config/settings.ts";
import type { ConfigSource } from "../../src/daemon/config-follower.ts";
import { runDaemon } from "../../src/daemon/daemon.ts";
import type { SnapshotTrigger, WalrustEvent } from "../../src/events.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { DAEMON, Watched } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { insert, tempFolder } from "../helpers/sqlite/temp-database.ts";

// The daemon loads them when they are first needed; how long that takes, the manual clock cannot see.
await Promise.all([import("../../src/retention/compact.ts"), import("../../src/restore/verify.ts")]);

/*
 * Every key of [sync] and [retention] that [[databases]] sets for one database changes what the daemon does for that one, and not for another one of
 * the same file (pitfall 47). That the value arrives in the settings would not be enough.
 */

interface Case {
  /** What the file says, for the one database. */
  readonly value: string;
  /** What it says for all. */
  readonly common?: string;
  /** What is seen of a database that is watched with given settings. */
  readonly see: (stage: Stage, settings: Given) => Promise<number>;
  readonly own: (seen: number) => boolean;
  readonly others: (seen: number) => boolean;
}

interface Given {
  /** At the start. */
  readonly first: DatabaseSettings;
  /** Taken up as soon as it is watched; the same ones, if nobody changes them. */
  readonly later: DatabaseSettings;
}

const none = (seen: number) => seen === 0;
const once = (seen: number) => seen === 1;
const HOUR_MS = 3_600_000;

async function commits(stage: Stage, count: number, everyMs: number): Promise<void> {
  for (let commit = 0; commit < count; commit += 1) {
    insert(stage.app);
    await stage.clock.advance(everyMs);
  }
}

async function begin(stage: Stage, { first, later }: Given): Promise<Watched> {
  const watched = await Watched.begin(stage, { sync: first.sync });
  watched.task.adjust({ ...watched.task.database, sync: later.sync });
  return watched;
}

/** Snapshots by a trigger after a few commits and some quiet. */
function snapshots(trigger: SnapshotTrigger, quietMs: number): Case["see"] {
  return async (stage, settings) => {
    const watched = await begin(stage, settings);
    await commits(stage, 3, 100);
    await stage.clock.advance(quietMs);
    return watched.of("snapshot").filter((event) => event.trigger === trigger).length;
  };
}

/** Handovers while commits go on. */
const handovers: Case["see"] = async (stage, settings) => {
  const watched = await begin(stage, settings);
  await stage.clock.advance(10_000);
  const before = watched.of("handover").length;
  await commits(stage, 40, 500);
  return watched.of("handover").length - before;
};

/** A whole daemon, since upkeep is its own and not that of a task; resolves with what it tells once it watches. */
async function daemon(stage: Stage, { first, later }: Given): Promise<WalrustEvent[]> {
  const events: WalrustEvent[] = [];
  const stop = new AbortController();
  let isOver = false;
  const settings = (own: DatabaseSettings) =>
    ({
      ...{ databases: [{ ...own, path: stage.path, name: "app" }], globs: [], daemon: DAEMON },
      ...{ storage: { layout: "walrust" }, compaction: DEFAULT_COMPACTION },
    }) as unknown as Settings;
  const path = join(tempFolder(), "walrust.toml");
  writeFileSync(path, "");
  let [reload, isReloaded] = [() => {}, false];
  const config: ConfigSource = {
    ...{ path, text: "", read: async () => settings(later) },
    take: (next) => {
      isReloaded = true;
      return next;
    },
    onAsked: (ask) => {
      reload = ask;
      return () => {};
    },
  };
  const result = runDaemon({
    settings: settings(first),
    ...(later !== first && { config }),
    ...{ storage: stage.storage, clock: stage.clock, log: silentLog, version: "1", matches: async () => [] },
    ...{ stop: stop.signal, events: (event) => events.push(event) },
  }).finally(() => {
    isOver = true;
  });
  // its socket answers when it does; the clock goes on meanwhile
  const until = (condition: () => boolean) =>
    vi.waitUntil(() => stage.clock.advance(500).then(condition), { timeout: 40_000, interval: 5 });
  onTestFinished(async () => {
    stop.abort();
    await until(() => isOver);
    await result;
  });
  await until(() => events.some(({ type }) => type === "snapshot"));
  reload();
  await until(() => isReloaded || later === first);
  return events;
}

/** Told after some commits, each followed by so much time. */
function told(type: WalrustEvent["type"], count: number, everyMs: number): Case["see"] {
  return async (stage, settings) => {
    const events = await daemon(stage, settings);
    await commits(stage, count, everyMs);
    return events.filter((event) => event.type === type).length;
  };
}

/** Snapshots that stay of so many, each with a commit before it. */
function kept(count: number, everyMs: number): Case["see"] {
  return async (stage, settings) => {
    await daemon(stage, settings);
    await commits(stage, count, everyMs);
    await stage.clock.advance(HOUR_MS);
    return stage.storage.keys().filter((key) => key.startsWith("app/00000001-")).length;
  };
}

/** Compaction by itself, and long distances between two looks: the clock goes far. */
const COMPACTED =
  '[sync]\ncompact_after_snapshot = true\nsnapshot_interval = "10m"\nmonitor_interval = "20m"\n';

const CASES: Readonly<Record<string, Case>> = {
  wal_sync_interval: {
    value: '"10s"',
    see: async (stage, settings) => {
      const watched = await begin(stage, settings);
      await stage.clock.advance(60_000);
      await commits(stage, 20, 1000);
      return watched.of("published").length;
    },
    own: (published) => published <= 3,
    others: (published) => published >= 18,
  },
  monitor_interval: {
    value: '"30s"',
    see: async (stage, settings) => {
      const watched = await begin(stage, settings);
      await stage.clock.advance(61_500);
      await commits(stage, 1, 5000);
      return watched.of("published").length;
    },
    own: none,
    others: once,
  },
  snapshot_interval: { value: '"10m"', see: snapshots("interval", 900_000), own: once, others: none },
  max_changes: { value: "3", see: snapshots("max_changes", 5000), own: once, others: none },
  max_interval: { value: '"30s"', see: snapshots("max_interval", 60_000), own: once, others: none },
  on_idle: { value: '"20s"', see: snapshots("on_idle", 30_000), own: once, others: none },
  on_startup: {
    value: "false",
    see: async (stage, settings) => {
      await (await begin(stage, settings)).stop();
      stage.clock.pass(2 * HOUR_MS);
      insert(stage.app);
      const again = new Watched(stage, { sync: settings.first.sync });
      await stage.clock.advance(5000);
      return again.of("snapshot").length;
    },
    own: none,
    others: once,
  },
  checkpoint_interval: { value: '"5s"', see: handovers, own: (done) => done >= 3, others: none },
  min_checkpoint_page_count: { value: "5", see: handovers, own: (done) => done >= 5, others: none },
  wal_truncate_threshold_pages: {
    value: "3",
    see: async (stage, settings) => {
      const watched = await begin(stage, settings);
      insert(stage.app, 500);
      await stage.clock.advance(5000);
      return watched.of("wal_size_exceeded").length;
    },
    own: once,
    others: none,
  },
  manifest_interval: {
    value: '"5s"',
    see: async (stage, settings) => {
      await begin(stage, settings);
      await stage.clock.advance(120_000);
      const written = () =>
        stage.storage.calls.filter(
          ({ operation, key }) => operation === "put" && key === "app/manifest.json",
        );
      const before = written().length;
      await commits(stage, 10, 5000);
      return written().length - before;
    },
    own: (manifests) => manifests >= 8,
    others: once,
  },
  observe: {
    value: "true",
    common: '[shadow]\ndir = "state"\n',
    // what a checkpoint brings into the database file
    see: async (stage, { first: { sync } }) => {
      await Watched.begin(stage, { sync, daemon: { shadowDir: tempFolder() } });
      const before = statSync(stage.path).size;
      insert(stage.app, 500);
      await stage.clock.advance(10_000);
      return statSync(stage.path).size - before;
    },
    own: none,
    others: (grown) => grown > 0,
  },
  validation_interval: {
    value: '"10m"',
    see: told("validated", 3, 600_000),
    own: (n) => n >= 2,
    others: none,
  },
  compact_after_snapshot: {
    value: "true",
    common: '[sync]\nsnapshot_interval = "10m"\n',
    see: told("compacted", 4, 600_000),
    own: (compactions) => compactions >= 1,
    others: none,
  },
  compact_interval: {
    value: '"20m"',
    common: '[sync]\nsnapshot_interval = "10m"\n',
    see: told("compacted", 6, 600_000),
    own: (compactions) => compactions >= 1,
    others: none,
  },
  hourly: {
    value: "1",
    common: `${COMPACTED}[retention]\ndaily = 1\nweekly = 0\nmonthly = 0\n`,
    see: kept(6, HOUR_MS),
    own: (snapshots) => snapshots <= 2,
    others: (snapshots) => snapshots >= 6,
  },
  daily: {
    value: "1",
    common: `${COMPACTED}[retention]\nhourly = 1\nweekly = 0\nmonthly = 0\n`,
    see: kept(6, 24 * HOUR_MS),
    own: (snapshots) => snapshots <= 2,
    others: (snapshots) => snapshots >= 6,
  },
  weekly: {
    value: "1",
    common: `${COMPACTED}[retention]\nhourly = 1\ndaily = 0\nmonthly = 0\n`,
    see: kept(6, 7 * 24 * HOUR_MS),
    own: (snapshots) => snapshots <= 2,
    others: (snapshots) => snapshots >= 6,
  },
  monthly: {
    value: "1",
    common: `${COMPACTED}[retention]\nhourly = 1\ndaily = 0\nweekly = 0\n`,
    see: kept(6, 31 * 24 * HOUR_MS),
    own: (snapshots) => snapshots <= 2,
    others: (snapshots) => snapshots >= 6,
  },
};

/**
 * Not changed here: what a start alone asks for, what a database is opened anew for (reconcile.ts), and what shows after days in which the
 * configuration is looked at every 3 s (upkeep.test.ts has one for all).
 */
const ELSEWHERE: ReadonlySet<string> = new Set(["on_startup", "observe", ...Object.keys(RETENTION_KEYS)]);

/** Both databases of one file: the one that says something of its own, and one that does not. */
async function settingsOf(
  key: string,
  { value, common = "" }: Case,
): Promise<readonly [DatabaseSettings, DatabaseSettings]> {
  const cwd = tempFolder();
  const toml = `${common}[[databases]]\npath = "own.db"\n${key} = ${value}\n[[databases]]\npath = "other.db"\n`;
  writeFileSync(join(cwd, "walrust.toml"), toml);
  const { databases } = await resolveSettings({
    ...{ flags: { s3: { bucket: "copies" } }, paths: [], env: {}, cwd },
  });
  const [own, other] = databases;
  if (own === undefined || other === undefined) throw new Error("two databases");
  return [own, other];
}

describe("a key set for one database changes what is done for that one, and not for another", () => {
  test.each(Object.entries(CASES))("%s", async (key, given) => {
    const { see, own, others } = given;
    const [ownSettings, otherSettings] = await settingsOf(key, given);
    const [ownStage, otherStage] = [new Stage(), new Stage()];
    const seen = {
      own: await see(ownStage, { first: ownSettings, later: ownSettings }),
      others: await see(otherStage, { first: otherSettings, later: otherSettings }),
    };
    expect({ ...seen, holds: own(seen.own) && others(seen.others) }).toEqual({ ...seen, holds: true });
    for (const stage of [ownStage, otherStage]) {
      await stage.clock.advance(60_000);
      await stage.expectWhole();
    }
  });

  test.each(Object.entries(CASES).filter(([key]) => !ELSEWHERE.has(key)))(
    "%s, changed while it is watched",
    async (key, given) => {
      const [ownSettings, otherSettings] = await settingsOf(key, given);
      const stage = new Stage();
      const seen = await given.see(stage, { first: otherSettings, later: ownSettings });
      expect({ seen, holds: given.own(seen) }).toEqual({ seen, holds: true });
      await stage.clock.advance(60_000);
      await stage.expectWhole();
    },
  );

  test("every key has its case", () => {
    const keys = [...Object.keys(SYNC_KEYS), ...Object.keys(RETENTION_KEYS)];
    expect(Object.keys(CASES).sort()).toEqual(keys.sort());
  });
});
